"""What state changed in a replay, one line each on stderr."""

from __future__ import annotations

from typing import Any

import click


def say_state(summary: dict[str, Any]) -> None:
    """Say what was simulated, where anything was."""
    for part, said in (("cache", _cache), ("guards", _guards), ("retries", _retries), ("cascade", _cascade),
                       ("tiers", _tiers), ("latency", _latency)):  # fmt: skip
        if part in summary:
            click.echo(f"note: {said(summary[part])}", err=True)


def _usd(said: str) -> str:
    amount = float(said)
    return f"${amount:,.2f}" if abs(amount) >= 1 else f"${amount:.3g}"


def _cache(said: dict[str, Any]) -> str:
    arms = ", ".join(f"{arm['arm']} {arm['read_pct']:.1f}%" for arm in said["arms"])
    rates = ", ".join(f"{each['provider']} {each['hit_rate']:.2f} ({each['source']})" for each in said["calibration"])
    of = f"; hit rates, of input still cached: {rates}" if rates else ""
    return f"prompt caches are simulated; input read from them: {arms}{of}"


def _guards(said: dict[str, Any]) -> str:
    moved = ", ".join(f"{count:,} by {name}" for name, count in said["amended"].items() if count)
    waited = f"; {said['waited']:,} waited, {said['wait_max_s']:.1f} s at most" if said["waited"] else ""
    return f"guards changed {moved or 'nothing'}; {said['blocked']:,} requests blocked{waited}"


def _retries(said: dict[str, Any]) -> str:
    lost = f"{said['failed']:,} requests were never answered; " if said["failed"] else ""
    per = "unknown" if said["usd_per_answer"] is None else f"${float(said['usd_per_answer']):.6f}"
    wasted = _usd(said["wasted_usd"])
    return f"{said['retried']:,} requests took more than one call ({wasted} in vain); {lost}an answer costs {per}"


def _cascade(said: dict[str, Any]) -> str:
    even = "" if said["break_even_pct"] is None else f"; it pays up to {said['break_even_pct']:.1f}%"
    return f"{said['first']} was asked first {said['requests']:,} times, {said['escalated_pct']:.1f}% escalated{even}"


def _tiers(said: dict[str, Any]) -> str:
    arms = ", ".join(f"{a['arm']} {_usd(a['saved_usd'])} on {a['requests']:,} requests" for a in said["arms"])
    return f"the {said['tier']} tier saves: {arms}"


def _latency(said: dict[str, Any]) -> str:
    arms = ", ".join(
        f"{arm['arm']} {arm['p50_ms'] / 1000:.1f}/{arm['p95_ms'] / 1000:.1f}/{arm['p99_ms'] / 1000:.1f} s, "
        f"{arm['over_limit']:,} over the limit"
        for arm in said["arms"]
        if arm["p50_ms"] is not None
    )
    return f"time to the whole answer (p50/p95/p99): {arms}"

"""`backroute inspect`: what a log holds, before anything is replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backroute.options import AS_OF, FORMAT, PRICES, emit, log_options


@click.command("inspect", epilog="Example: backroute inspect june.jsonl.gz")
@log_options
@AS_OF
@PRICES
@FORMAT
def command(
    log: tuple[Path, ...],
    timezone: str,
    log_format: str | None,
    prices_as_of: str,
    overlay: tuple[Path, ...],
    shape: str,
) -> None:
    """Say what LOG holds: format and why, rows, models, dates, who counted its tokens, problems, and its bill."""
    from pricing import AsOf, PriceBook
    from simulator.inspection import inspect_log
    from workloads import read_log

    source = read_log([str(path) for path in log], log_format=log_format, timezone=timezone)
    # What was paid is recomputed at each request's own date, unless another is asked for.
    as_of = AsOf.parse("request" if prices_as_of == "latest" else prices_as_of)
    seen = inspect_log(source, PriceBook.load(overlay), as_of)
    models = [_model(name, held) for name, held in sorted(seen.models.items(), key=lambda item: -item[1].requests)]
    if shape != "table":
        emit(models, shape)
        return
    facts = [
        ("rows", f"{seen.rows:,}, and {seen.problems.set_aside:,} set aside"),
        *(("format", f"{name}: {count:,} rows ({seen.recognised[name]})") for name, count in seen.formats.items()),
        ("time", f"{seen.first:%Y-%m-%d %H:%M} to {seen.last:%Y-%m-%d %H:%M} UTC" if seen.first else "none stated"),
        ("sessions", f"{seen.sessions:,}" if seen.sessions else "none stated"),
        ("input counted by", _shares(seen.input_counts)),
        ("output counted by", _shares(seen.output_counts)),
        ("status", _shares(seen.statuses)),
        ("calls", _shares(seen.call_types)),
    ]
    if seen.labels:
        facts.append(("labels", _shares(seen.labels)))
    if seen.untimed:
        facts.append(("without a time", f"{seen.untimed:,}: they are priced at the book's date"))
    if seen.without_text:
        facts.append(("without text", f"{seen.without_text:,}: rules that look at the text cannot decide them"))
    for name, said in facts:
        click.echo(f"{name:18} {said}")
    click.echo("")
    emit(models, "table", title=f"Models, at prices as of {'each request' if str(as_of) == 'request' else as_of}")
    if len(seen.problems):
        click.echo("\nProblems")
        for kind, count in seen.problems.counts.most_common():
            first = next((problem for problem in seen.problems.kept if problem.kind == kind), None)
            click.echo(f"{count:7,} {kind.replace('_', ' ')}{f', first: {first}' if first else ''}")


def _shares(counts: dict[str, int]) -> str:
    whole = sum(counts.values()) or 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * count / whole:.4g}%" for name, count in ranked[:8])


def _model(name: str, held: Any) -> dict[str, Any]:
    from simulator.money import dollars

    drift = (
        (held.recomputed / held.recorded - 1) * 100
        if held.recorded and held.recorded_requests == held.requests
        else None
    )
    return {
        "model": name,
        "priced as": held.canonical or "unknown",
        "requests": held.requests,
        "input tokens": round(held.input_tokens),
        "output tokens": round(held.output_tokens),
        "recomputed usd": f"{float(dollars(held.recomputed)):.6f}",
        "recorded usd": f"{float(dollars(held.recorded)):.6f}" if held.recorded_requests else None,
        "drift %": f"{drift:+.2f}" if drift is not None else None,
        "unpriced": held.unpriced,
    }

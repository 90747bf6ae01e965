"""`backroute prices`: the price book."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from backroute.options import FORMAT, PRICES, emit


class _Prices(click.Group):
    """What can be asked of the price book; a model's name alone is told how."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command asked for, or an error that says which there are."""
        from problems import BackrouteError

        if args and args[0] not in self.commands:
            fix = f"`backroute prices show {args[0]}` shows a model's; others: {', '.join(self.commands)}"
            raise BackrouteError("prices", f"no command {args[0]!r}", fix=fix)
        return super().resolve_command(ctx, args)


@click.group("prices", cls=_Prices, epilog="Example: backroute prices show openai/gpt-4o --on 2024-09-01")
def command() -> None:
    """The price book: what models cost, since when, by whose word."""


@command.command("show", epilog="Example: backroute prices show gpt-4o-mini claude-sonnet-4-5")
@click.argument("models", nargs=-1)
@click.option("--on", "day", default=None, metavar="DATE", help="Prices on this day. [the book's date]")
@click.option("--history", is_flag=True, help="Every dated entry, not only the one in force.")
@PRICES
@FORMAT
def show(models: tuple[str, ...], day: str | None, history: bool, overlay: tuple[Path, ...], shape: str) -> None:
    """Prices of MODELS in USD per million tokens; the starter rules' models when none is named."""
    from pricing import PriceBook
    from router import load_rules

    book = PriceBook.load(overlay)
    on = _date(day, "--on") if day else book.date
    names = models or tuple(dict.fromkeys(rule.target for rule in load_rules("starter").rules))
    rows = []
    for name in names:
        canonical = book.require(name, "prices show")
        quote = book.quote(canonical, on)
        if history:
            for entry in book.history(canonical):
                until = {"until": entry.until.isoformat() if entry.until else None}
                rows += [{"tier": entry.tier} | row | until for row in _rows(canonical, entry)]
        elif quote is None:
            launched = book.launched(canonical)
            click.echo(
                f"note: {canonical} has no price on {on}{f'; first sold {launched}' if launched else ''}", err=True
            )
        else:
            rows += _rows(canonical, quote)
    if shape != "table":
        emit(rows, shape)
        return
    # Eighty columns hold no more; JSON and CSV have every price.
    shown = [name for name in (rows[0] if rows else {}) if name not in ("cache write", "until")]
    rows = [
        row | {"model": row["model"].replace(" >", "\n  >"), "since": row["since"].replace(", ", "\n")} for row in rows
    ]
    if not history:
        emit(rows, shape, title=f"USD per million tokens, {on}", columns=shown)
        return
    for title, held in groupby(rows, lambda row: row["model"].partition("\n")[0]):
        tiers = [row | {"tier": row["tier"] + row["model"].removeprefix(title)} for row in held]
        emit(
            tiers, shape, title=f"{title}, USD per million tokens", columns=[name for name in shown if name != "model"]
        )


@command.command("diff", epilog="Example: backroute prices diff 2025-01-01 2025-12-31")
@click.argument("since")
@click.argument("until", required=False)
@PRICES
@FORMAT
def diff(since: str, until: str | None, overlay: tuple[Path, ...], shape: str) -> None:
    """Standard prices that changed after SINCE and up to UNTIL, by default the book's date."""
    from pricing import PriceBook
    from problems import BackrouteError

    book = PriceBook.load(overlay)
    first, last = _date(since, "SINCE"), _date(until, "UNTIL") if until else book.date
    if last < first:
        raise BackrouteError(
            "prices diff", f"it ends before it begins ({first} to {last})", fix="give the earlier day first"
        )
    every = book.changes(first, last)
    changes = [change for change in every if change.before is not None]
    new = len({change.model for change in every if change.before is None})
    if new:
        click.echo(f"note: {new} models were first sold in this time; `prices show` has their prices", err=True)
    if not changes:
        click.echo(f"note: no standard price changed after {first} and up to {last}", err=True)
    emit(
        [
            {
                "on": change.on.isoformat(),
                "model": change.model,
                "bucket": change.bucket,
                "before": _steps(change.before),
                "after": _steps(change.after),
                "source": change.source,
            }
            for change in changes
        ],
        shape,
        columns=["on", "model", "bucket", "before", "after", "source"],
    )


@command.command("stale", epilog="Example: backroute prices stale")
@click.option("--today", default=None, metavar="DATE", help="Count from this day. [today]")
@PRICES
@FORMAT
def stale(today: str | None, overlay: tuple[Path, ...], shape: str) -> None:
    """How old each source of prices is, oldest first."""
    from pricing import PriceBook

    day = _date(today, "--today") if today else datetime.now(UTC).date()
    rows = [
        {"source": age.source, "checked": str(age.as_of or "never"), "days ago": age.days, "models": age.models}
        for age in PriceBook.load(overlay).stale(day)
    ]
    emit(rows, shape)


def _date(text: str, where: str) -> date:
    from problems import BackrouteError

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BackrouteError(where, f"not a date ({text!r})", fix="for example 2026-01-31") from error


def _rows(model: str, entry: Any) -> list[dict[str, Any]]:
    """One row, and one more per long-context threshold, above which all tokens cost its price."""
    rates = entry.usd_per_mtok
    steps = sorted({start for rate in rates.values() if rate is not None for start, _ in rate.above})
    since = entry.effective_from.isoformat() if entry.effective_from else "not stated"
    if entry.window:
        since += f", {entry.window[0]:%H:%M} to {entry.window[1]:%H:%M} UTC"
    return [
        {
            "model": f"{model} >{start // 1000}k in" if start else model,
            "input": _usd(rates["input_uncached"], start),
            "cached": _usd(rates["cache_read"], start),
            "cache write": _usd(rates["cache_write_5m"], start),
            "output": _usd(rates["output_text"], start),
            "since": since,
            "source": entry.source,
        }
        for start in (0, *steps)
    ]


def _usd(rate: Any, input_tokens: int = 0) -> str | None:
    return None if rate is None else f"{rate.at(input_tokens + 1).normalize():f}"


def _steps(rate: Any) -> str | None:
    """A rate with what it is above its thresholds of input tokens: "3; 6 >200k in"."""
    if rate is None:
        return None
    return "; ".join([_usd(rate) or "", *(f"{_usd(rate, start)} >{start // 1000}k in" for start, _ in rate.above)])

"""`backroute ab`: an experiment's results from its decision log, and how many requests one needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backroute.options import PRICES, emit

if TYPE_CHECKING:
    from quality.ab import AbPlan, Analysis, Looks

SHAPE = click.option(
    "--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]"
)


class Or(click.Group):
    """`ab plan ...` is the plan; anything else after `ab` is a log."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `results` before a log."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["results", *args]
        return super().parse_args(ctx, args)


@click.group("ab", cls=Or, epilog="Example: backroute ab decisions.jsonl --rules current.yaml")
def command() -> None:
    """An experiment's results (ab LOG), and how many requests one needs (ab plan DIR)."""


@command.command("results", epilog="Example: backroute ab decisions.jsonl --rules current.yaml")
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--experiment", help="Which, where the log holds several.")
@click.option("--control", help="The arm to compare with. [control, else the first by name]")
@click.option(
    "--unit",
    type=click.Choice(["session_id", "user_id", "request_id"]),
    default="session_id",
    help="What was assigned. [session_id]",
)
@click.option("--rules", help="The control's rules: their replayed cost of each unit's first request saves variance.")
@click.option("--max-errors", default=0.01, type=click.FloatRange(0), help="Guardrail: rise per request. [0.01]")
@click.option("--max-latency", default=0.20, type=click.FloatRange(0), help="Guardrail: rise, of the control's. [0.2]")
@click.option("--level", default=0.05, type=click.FloatRange(0.0001, 0.5), help="Of each interval. [0.05]")
@PRICES
@SHAPE
@click.pass_context
def results(
    ctx: click.Context,
    log: Path,
    experiment: str | None,
    control: str | None,
    unit: str,
    rules: str | None,
    max_errors: float,
    max_latency: float,
    level: float,
    overlay: tuple[Path, ...],
    shape: str,
) -> None:
    """Compare the arms of the experiment in LOG, a decision log.

    The intervals hold at every look together, so look daily. Where the experiment states its horizon there is one look
    a day, and they are narrower; else they hold for ever. Exits with 1 where a guardrail is breached or the arms'
    shares are not the assigned ones.
    """
    from pricing import PriceBook
    from quality.ab import analyse, looks_of
    from quality.ab.analysis import guards
    from quality.ab.covariate import replayed_cost
    from quality.ab.units import units_of
    from quality.live_calls import lines_of, live_calls, required
    from router import load_rules

    book = PriceBook.load(overlay)
    calls = required(live_calls(lines_of(log), book), str(log))
    to_date = units = units_of(calls, experiment=experiment, unit=unit, control=control)
    looks = looks_of(to_date, calls, level)
    if looks is not None and looks.at:
        calls = looks.seen(calls)
        units = units_of(calls, experiment=to_date.experiment, unit=unit, control=to_date.arms[0])
    covariate = None
    if rules is not None:
        covariate = replayed_cost(lines_of(log), units.first_request, load_rules(rules, book=book), calls, book)
    limits = guards(errors=max_errors, latency=max_latency)
    found = analyse(units, covariate=covariate, level=level, looks=looks, to_date=to_date, guarded=limits)
    if shape == "json":
        click.echo(json.dumps(_said(found), indent=2))
    else:
        _show(found)
    ctx.exit(1 if found.failed else 0)


@command.command("plan", epilog="Example: backroute ab plan out/ --effect-pct -10")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--control", type=click.Choice(["logged", "baseline"]), default="logged", help="Against what. [logged]")
@click.option("--effect-pct", type=float, help="The change in USD per request to find. [the replayed one]")
@click.option("--share", default=0.5, type=click.FloatRange(0.001, 0.999), help="Of units with the candidate. [0.5]")
@click.option("--saved-pct", default=0.0, type=click.FloatRange(0, 99), help="Variance saved, as `ab` measured it. [0]")
@click.option("--power", default=0.8, type=click.FloatRange(0.05, 0.99), help="The chance to find it. [0.8]")
@click.option("--level", default=0.05, type=click.FloatRange(0.0001, 0.5), help="Of the interval. [0.05]")
@SHAPE
def plan(
    folder: Path,
    control: str,
    effect_pct: float | None,
    share: float,
    saved_pct: float,
    power: float,
    level: float,
    shape: str,
) -> None:
    """How many sessions and requests an experiment needs, from the spread of costs in a replay's FOLDER."""
    from quality.ab import plan_from_replay

    found = plan_from_replay(
        folder, control=control, effect_pct=effect_pct, share=share, saved_pct=saved_pct, power=power, level=level
    )
    if shape == "json":
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        _show_plan(found, share)


def _said(found: Analysis) -> dict[str, Any]:
    units = found.units
    return {
        "experiment": units.experiment,
        "since": units.since.isoformat(),
        "level": found.level,
        "intervals": "for ever" if found.looks is None else "horizon",
        "horizon": None if found.looks is None else _horizon(found.looks),
        "arms": [
            {"arm": arm, "share": float(share), "units": count}
            for arm, share, count in zip(units.arms, units.shares, found.counts, strict=True)
        ],
        "sample_ratio_p": found.ratio_p,
        "results": [asdict(result) for result in found.results],
        "left_out": units.left_out,
        "moved_units": units.moved,
        "failed": found.failed,
    }


def _horizon(looks: Looks) -> dict[str, Any]:
    taken = zip(looks.at, looks.units, looks.reach.tolist(), looks.spent.tolist(), strict=True)
    return {
        "units": looks.horizon,
        "looks": [
            {"at": at.isoformat(), "units": units, "standard_errors": errors, "spent": spent}
            for at, units, errors, spent in taken
        ],
        "next": None if looks.following is None else looks.following.isoformat(),
        "reached": looks.following is None,
    }


def _show(found: Analysis) -> None:
    from quality.ab.analysis import RATIO_LEVEL

    units = found.units
    arms = ", ".join(
        f"{arm} {count:,} ({share:.0%} assigned)"
        for arm, count, share in zip(units.arms, found.counts, units.shares, strict=True)
    )
    click.echo(f"Experiment {units.experiment}, since {units.since:%Y-%m-%d %H:%M}: units {arms}.")
    rows: list[dict[str, Any]] = [
        ({"arm": result.arm} if len(units.arms) > 2 else {})
        | {
            "metric": result.metric,
            "control": _figure(result.control),
            "candidate": _figure(result.candidate),
            "change %": _points(result.pct),
            "low": _points(result.low_pct),
            "high": _points(result.high_pct),
            "guard": result.guard,
        }
        for result in found.results
    ]
    emit(rows, "table")
    _show_intervals(found)
    saved = next((r.variance_saved_pct for r in found.results if r.variance_saved_pct is not None), None)
    if saved is not None:
        click.echo(f"The replayed cost saves {saved:.0f}% of the variance of USD per request.")
    verdict = "not the assigned ones: do not trust the results" if found.ratio_p < RATIO_LEVEL else "as assigned"
    click.echo(f"The arms' shares are {verdict} (p = {found.ratio_p:.3g}).")
    no_look_yet = found.looks is not None and not found.looks.at
    if any(result.low is None for result in found.results) and not no_look_yet:
        click.echo("note: an interval needs 100 units an arm, and some difference between units", err=True)
    for reason, count in units.left_out.items():
        click.echo(f"note: {count:,} calls are left out, {reason}", err=True)
    if units.moved:
        click.echo(f"note: {units.moved:,} units were seen in two arms and are left out", err=True)


def _show_intervals(found: Analysis) -> None:
    looks, units = found.looks, found.units
    if looks is None:
        click.echo(f"Intervals hold at every look together, for ever, {1 - found.level:.0%} of the time.")
        if units.restated is not None:
            what = f"a horizon of {units.restated:,} was stated after the experiment had begun, and does not count"
            click.echo(f"note: {what}", err=True)
        return
    due = "" if looks.following is None else f"the next is due {looks.following:%Y-%m-%d %H:%M} UTC"
    if not looks.at:
        click.echo(f"No look yet, so no interval: no day has ended with 100 units in each arm; {due or 'none is due'}.")
        return
    click.echo(
        f"Look {len(looks.at)} saw the calls before {looks.at[-1]:%Y-%m-%d %H:%M} UTC: {looks.units[-1]:,} of "
        f"{looks.horizon:,} units; {looks.spent[-1]:.2%} of {found.level:.0%} spent; "
        f"{due or 'the horizon is reached, and later calls are not used'}."
    )
    click.echo(f"Its intervals hold at every look together, {1 - found.level:.0%} of the time.")
    if units.restated is not None:
        click.echo(f"note: a horizon of {units.restated:,} was stated later, and does not count", err=True)


def _show_plan(found: AbPlan, share: float) -> None:
    click.echo(
        f"USD per request {_figure(found.control_usd)} now; to find a change of {found.effect_pct:+.1f}% "
        f"with {found.power:.0%} power:"
    )
    if found.units is None:
        click.echo("more than 100 million sessions: this experiment cannot find it.")
        return
    click.echo(
        f"{found.units:,} sessions, about {found.requests:,} requests in both arms ({share:.0%} with the candidate), "
        f"{found.days:,.1f} days at {found.units_per_day:,.0f} sessions a day."
    )
    click.echo(f"(A single look at the end would need {found.fixed_units:,}; daily looks cost the rest.)")
    click.echo(f"Write it into the experiment's file before it begins: horizon: {found.units}")


def _figure(value: float) -> str:
    return f"{value:.4g}"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f}"

"""One replay with everything it leaves in its folder: what `replay` and `demo` share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from backroute.logs import say_set_aside
from backroute.state_notes import say_state
from pricing import AsOf, PriceBook
from problems import BackrouteError
from problems.problem import masked
from reports import write_report
from reports.headline import missing
from reports.summary import broken_files, unread_pct
from reports.words import counted
from router import dump_rules, load_rules, require_models
from simulator import Assumptions, ReplayResult, Scenario, replay
from simulator.state.settings import State
from simulator.sums.facts import NO_NAME
from workloads import Log


def run_replay(log: Log, **options: Any) -> dict[str, Any]:
    """`replay_to`, for who needs no more than the summary."""
    return replay_to(log, **options).summary


def replay_to(
    log: Log,
    *,
    rules: str,
    baseline: str,
    out: Path,
    as_of: str = "latest",
    overlay: Sequence[Path] = (),
    assumptions: Assumptions | None = None,
    state: State | None = None,
    seed: int = 0,
    sample_rate: float = 1.0,
    engine: str = "local",
    workers: int = 1,
    scheduler: str | None = None,
) -> ReplayResult:
    """Replay a log and write the output folder; returns the candidate's result.

    Raises:
        BackrouteError: a mistake in any of it, or a folder that cannot be written.
    """
    book = PriceBook.load(overlay)
    policy = AsOf.parse(as_of)
    said, held = assumptions or Assumptions(), State() if state is None else state
    router = load_rules(rules, book=book)
    require_models(router, book, rules)
    base = Scenario.always(baseline, book, policy, said, held.of_the_world)
    candidate = Scenario(router.name, router, book, policy, said, held)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackrouteError(
            "--out", f"cannot be written ({out}: {error.strerror})", fix="give another folder"
        ) from error
    _, after = replay(
        log,
        base,
        candidate,
        seed=seed,
        sample_rate=sample_rate,
        out=out,
        engine=engine,
        workers=workers,
        scheduler=scheduler,
    )
    summary = after.summary
    (out / "rules.yaml").write_text(dump_rules(router), "utf-8")
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    (out / "manifest.json").write_text(json.dumps(summary["manifest"], indent=2) + "\n", "utf-8")
    write_report(summary, out)
    notes(after.run, out)
    say_state(summary)
    return after


def notes(run: Any, out: Path) -> None:
    """Say on stderr what was left out or slow, one line each."""
    facts = run.facts
    say_set_aside(run.problems, str(out / "problems.jsonl"))
    for name, count in facts.unknown_models.most_common(5):
        said = f"no price for the logged model {masked(name)!r} ({counted(count, 'request')}); add it with --prices"
        unnamed = f"{counted(count, 'request')} without a model's name: only the baseline can be compared with"
        click.echo(f"note: {unnamed if name == NO_NAME else said}", err=True)
    for kind, count in facts.passed_through.items():
        said = f"{counted(count, f'{kind} call')} not routed: what the log says is the cost in every arm"
        click.echo(f"note: {said}", err=True)
    if facts.undecided:
        click.echo(
            f"note: {counted(facts.undecided, 'request')} without a text that the rules could decide by", err=True
        )
    if facts.untimed:
        click.echo(f"note: {counted(facts.untimed, 'request')} without a time, priced at the book's date", err=True)
    for rule, seconds in run.slow_rules.items():
        click.echo(f"note: rule {rule!r} is a Python function: {seconds:.1f} s row by row", err=True)
    if run.doubts:
        doubt = run.doubts[0]
        more = f", and {len(run.doubts) - 1} more such" if len(run.doubts) > 1 else ""
        said = f"token counts that cannot be true: {masked(doubt.model)}, {doubt.side}: {doubt.words}"
        click.echo(f"note: {said}{more}; `backroute inspect` shows them, --recount counts the texts", err=True)
    drift = run.reconciliation.drift_pct
    if drift is not None and abs(drift) > WORTH_SAYING_PCT:
        causes = run.reconciliation.causes(run.scenarios[0].book)
        first = next((f"; {masked(name)}: {held[0].words}" for name, held in causes.items() if held), "")
        said = f"the price of the day is {drift:+.2f}% off the recorded costs{first}; `backroute inspect` shows why"
        click.echo(f"note: {said}", err=True)


def gates(summary: dict[str, Any], *, min_savings: float | None, allow_incomplete: bool) -> int:
    """The exit code: 1 where the saving is not surely large enough, 3 where too much was left out, else 0."""
    which = "savings" if summary["headline"] == "baseline" else "savings_vs_as_logged"
    low = summary[which]["low_pct"]
    if min_savings is not None and (low is None or low < min_savings):
        said = "unknown" if low is None else f"{low:.1f}%"
        click.echo(f"gate: the saving's lower end is {said}, below --min-savings {min_savings:g}%", err=True)
        return 1
    if allow_incomplete:
        return 0
    if missing(summary) and (broken_files(summary) or unread_pct(summary) > 100 - MOSTLY):
        click.echo(f"gate: {missing(summary)}; see problems.jsonl, or pass --allow-incomplete", err=True)
        return 3
    requests, money = (summary["coverage"][name] for name in ("requests_pct", "logged_usd_pct"))
    # A few large requests may hold most of the money; a log without prices of its own has none to cover.
    if (requests or 0) < MOSTLY or (money is not None and money < MOSTLY):
        spend = "" if money is None else f" and {money:.1f}% of the logged spend"
        said = f"only {requests or 0:.1f}% of requests{spend} could be compared"
        click.echo(f"gate: {said}; see the notes above, or pass --allow-incomplete", err=True)
        return 3
    return 0


MOSTLY = 95.0
WORTH_SAYING_PCT = 0.5

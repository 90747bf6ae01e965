"""`backroute verify`: are the routed answers as good? Live calls on a sample of a replay's requests, within a cap."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backroute.bill import wrapped
from backroute.options import LOG_FORMAT, PRICES, TIMEZONE, emit

if TYPE_CHECKING:
    from quality import Check, Result


@click.command("verify", epilog="Example: backroute verify out/ --log june.jsonl --judge openai/gpt-4o --max-usd 5")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--log", multiple=True, required=True, type=click.Path(path_type=Path), help="The log it replayed.")
@click.option("--sample", default=200, type=click.IntRange(1, 1_000_000), help="Requests to draw. [200]")
@click.option("--max-usd", required=True, help="The most all calls may cost, earlier runs' included.")
@click.option("--judge", help="A model that compares the answers, for example openai/gpt-4o.")
@click.option("--gold", type=click.Path(path_type=Path), help='Right answers: lines of {"request_id", "gold"}.')
@click.option("--scorer", help="Your own function, module:function, of (request, answer), from 0 to 1.")
@click.option("--margin", default=0.05, help="How much worse still counts as good, as a share of requests. [0.05]")
@click.option("--redact", multiple=True, help="Mask before sending: email, card, phone, key, or a regular expression.")
@click.option("--yes", is_flag=True, help="Spend without asking.")
@click.option("--dry-run", is_flag=True, help="Show the plan, its cost and its power, and stop.")
@LOG_FORMAT
@TIMEZONE
@PRICES
@click.option("--format", "shape", type=click.Choice(["table", "json"]), default="table", help="How to print. [table]")
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path,
    log: tuple[Path, ...],
    sample: int,
    max_usd: str,
    judge: str | None,
    gold: Path | None,
    scorer: str | None,
    margin: float,
    redact: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    log_format: str | None,
    timezone: str,
    overlay: tuple[Path, ...],
    shape: str,
) -> None:
    """Ask a sample of FOLDER's requests again, of the baseline and of the model routed to, and compare the answers.

    Shows what it would send where, what that costs and what it can show, then asks. Every answer is on disk before the
    next call: run it again to resume, or with a larger --sample or --max-usd to go on; no answer is paid for twice.
    Writes pairs.parquet, and the verdict into summary.json and report.html. Exits with 4 where a provider failed or the
    cap was reached.
    """
    from router.providers import provider
    from simulator.summary_file import read_summary
    from workloads import read_log

    cap = _picodollars(max_usd)
    summary = read_summary(folder)
    read = read_log([str(path) for path in log], log_format=log_format, timezone=timezone)
    check = _check(folder, summary, read, sample, margin, redact, judge, gold, scorer, overlay)
    providers = {name: provider(name) for name in check.providers}
    plan = _plan(check, cap)
    if dry_run or shape == "table":
        _show_plan(plan, check, shape)
    if dry_run:
        return
    _consent(yes, plan)
    result = check.run(providers, cap, _progress(len(check.plan.rows)))
    _write(folder, summary, check, result)
    _show(result, check, plan, shape)
    ctx.exit(0 if result.runner.complete else 4)


def _check(
    folder: Path,
    summary: dict[str, Any],
    log: Any,
    sample: int,
    margin: float,
    redact: tuple[str, ...],
    judge: str | None,
    gold: Path | None,
    scorer: str | None,
    overlay: tuple[Path, ...],
) -> Check:
    from pricing import PriceBook
    from problems import BackrouteError
    from quality import Check, Judge, Redactor, Tariff, load_scorer, read_gold, scoring_of
    from router import load_rules

    if not 0 < margin < 0.5:
        raise BackrouteError("--margin", f"not between 0 and 0.5 ({margin:g})", fix="0.05 is 5 in 100 requests")
    book = PriceBook.load(overlay)
    targets = [name for rule in load_rules(folder / "rules.yaml").rules for name in (rule.target, *rule.fallback)]
    tariff = Tariff(book, {book.require(name, "rules.yaml"): name for name in targets})
    judges = Judge(book.require(judge, "--judge"), tariff) if judge else None
    scoring = scoring_of(
        judge=judges, gold=read_gold(gold) if gold else None, scorer=load_scorer(scorer) if scorer else None
    )
    return Check(folder, log, summary, book, scoring, tariff, sample, margin, Redactor(redact))


def _picodollars(max_usd: str) -> int:
    from problems import BackrouteError

    try:
        usd = Decimal(max_usd.removeprefix("$"))
    except InvalidOperation:
        usd = Decimal(0)
    if not usd.is_finite() or usd <= 0:
        raise BackrouteError("--max-usd", f"not an amount above 0 ({max_usd!r})", fix="for example 5 or 0.50")
    return int(usd.scaleb(12))


def _plan(check: Check, cap: int) -> dict[str, Any]:
    """Everything that is known before a call, for people and programs."""
    from quality import ByJudge, favours
    from simulator.money import dollars

    plan, population = check.plan, check.plan.population
    slices = [
        {
            "slice": each.name,
            "routed_to": each.model,
            "requests": each.callable,
            "pairs": needs.draws,
            "chance_to_pass_pct": round(100 * needs.power),
            "pairs_for_80_pct": needs.needed,
            "saving_usd": dollars(each.saving_pico),
        }
        for each, needs in zip(population.slices, plan.needs, strict=True)
    ]
    models = list(dict.fromkeys(name for each in population.slices for name in (each.model, each.against)))
    return {
        "slices": slices,
        "overall": asdict(plan.overall),
        "requests_drawn": len(plan.rows),
        "calls": sum(1 if check.requests[row].known else 2 for row in plan.rows),
        "expected_usd": dollars(check.expected_pico()),
        "max_usd": dollars(cap),
        "providers": check.providers,
        "scoring": check.scoring.name,
        "margin": check.margin,
        "level": check.level,
        "left_out": dict(population.left_out),
        "own_family": favours(check.scoring.name, models) if isinstance(check.scoring, ByJudge) else [],
    }


def _show_plan(plan: dict[str, Any], check: Check, shape: str) -> None:
    from quality.plan import DISCORDANT

    if shape == "json":
        click.echo(json.dumps(plan, indent=2))
        return
    rows = [
        {
            **{"slice": row["slice"], "requests": row["requests"], "pairs": row["pairs"]},
            **{"chance %": row["chance_to_pass_pct"], "80% needs": row["pairs_for_80_pct"]},
        }
        for row in plan["slices"]
    ]
    emit(rows, "table", title="Plan")
    overall = plan["overall"]
    click.echo(
        f"Together: {overall['draws']:,} pairs, {100 * overall['power']:.0f}% chance to pass; "
        f"80% needs {_count(overall['needed'])}."
    )
    click.echo(f"(If the answers are equally good and differ in quality on {100 * DISCORDANT:.0f}% of the requests.)")
    judged = (
        " and the judge's calls"
        if plan["scoring"] == getattr(getattr(check.scoring, "judge", None), "name", "")
        else ""
    )
    again = " (some pairs are of the same one, which is asked once)" * (overall["draws"] > plan["requests_drawn"])
    called = f"Calls: {plan['calls']:,} for {plan['requests_drawn']:,} requests{again}{judged}"
    click.echo("\n".join(wrapped(f"{called}, to {_names(plan['providers'])}.")))
    click.echo(f"Cost: about ${Decimal(plan['expected_usd']):,.4f}, never above ${plan['max_usd']}.")
    for reason, count in plan["left_out"].items():
        click.echo(f"note: {count:,} requests cannot be asked again, {reason}", err=True)
    for model in plan["own_family"]:
        click.echo(f"warning: the judge is of the family of {model}, and may favour it", err=True)


def _consent(yes: bool, plan: dict[str, Any]) -> None:
    import sys

    from problems import BackrouteError

    if yes:
        return
    if not sys.stdin.isatty():
        raise BackrouteError("verify", "it would spend money", effect="nothing was sent", fix="add --yes or --dry-run")
    click.confirm(f"Send these and spend up to ${plan['max_usd']}?", abort=True, err=True)


def _progress(total: int) -> Any:
    import sys

    if not sys.stderr.isatty():
        return None
    return lambda done: click.echo(f"\r{done:,} of {total:,} requests", nl=done == total, err=True)


def _write(folder: Path, summary: dict[str, Any], check: Check, result: Result) -> None:
    from quality import summary_quality
    from reports import write_report

    # What is verified takes the place of nothing but what was verified before; the prediction stays beside it.
    summary["quality"] = {**summary["quality"], **summary_quality(check.plan, result.verdict, check.margin)}
    waiting = folder / "summary.json.writing"
    waiting.write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    waiting.replace(folder / "summary.json")
    write_report(summary, folder)


def _show(result: Result, check: Check, plan: dict[str, Any], shape: str) -> None:
    from quality import summary_quality
    from simulator.money import dollars

    quality = summary_quality(check.plan, result.verdict, check.margin)
    if shape == "json":
        ended = {"spent_usd": dollars(result.spent_pico), "dropped": dict(result.dropped), "lost_calls": result.lost}
        bias = asdict(result.verdict.bias)
        said = {
            "plan": plan,
            "quality": quality,
            "overall": asdict(result.verdict.overall),
            "judge_bias": bias,
            **ended,
        }
        click.echo(json.dumps(said, indent=2))
    else:
        click.echo("")
        whole = {"slice": "together", **asdict(result.verdict.overall)}
        emit([_row(row) for row in [*quality["slices"], whole]], "table", title="Verdict")
        _explain(result, check, quality["verified_savings_usd"])
    _complain(result)


def _row(found: dict[str, Any]) -> dict[str, Any]:
    from quality.verdict import UNSURE

    points = {"diff": found["difference_pct"], "low": found["low_pct"], "high": found["high_pct"]}
    shown = {name: None if value is None else round(value, 1) for name, value in points.items()}
    unsure = found["verdict"] == UNSURE and found["pairs"]
    more = "-" if not unsure else "over 10,000" if found["further_pairs"] is None else f"{found['further_pairs']:,}"
    return {"slice": found["slice"], "pairs": found["pairs"], **shown, "verdict": found["verdict"], "needs": more}


def _explain(result: Result, check: Check, verified: str) -> None:
    from simulator.money import dollars

    bias, judge = result.verdict.bias, getattr(check.scoring, "judge", None)
    click.echo(
        f"Differences are in requests of 100, routed less baseline; as good means above -{100 * check.margin:g}, "
        f"wrong at most {100 * check.level:g} times in 100 over all slices."
    )
    if bias.agreement is not None:
        click.echo(
            f"The judge agrees with the right answers on {100 * bias.agreement:.0f}% of {bias.pairs:,} pairs; "
            f"its bias lies between {100 * bias.low:.1f} and {100 * bias.high:.1f}, and the bounds are wider by it."
        )
    if judge is not None and judge.split:
        click.echo(f"The order decided the judge's verdict on {judge.split:,} pairs; they count as ties.")
    click.echo(f"Verified saving: ${Decimal(verified):,.2f}, of the slices found as good and of nothing else.")
    click.echo(f"Spent: ${dollars(result.spent_pico)}.")


def _complain(result: Result) -> None:
    """What did not come about, on stderr."""
    for reason, count in result.dropped.items():
        click.echo(f"note: {count:,} requests are left out: {reason}", err=True)
    if result.cut:
        click.echo(
            f"note: {result.cut:,} answers ran into the cap on their tokens, and are judged as they are", err=True
        )
    runner = result.runner
    for name, fault in runner.down.items():
        click.echo(f"verify: {name} was given up: {fault}", err=True)
    for name, count in runner.failed.items():
        click.echo(f"verify: {count:,} calls to {name} have no answer; run it again to go on", err=True)
    if runner.capped:
        click.echo("verify: the cap was reached; what is paid for is kept, a larger --max-usd goes on", err=True)


def _count(value: int | None) -> str:
    return "more than 10,000" if value is None else f"{value:,}"


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

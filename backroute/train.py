"""`backroute train`: learn a task model, or how well models do, from a log of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backroute.logs import GivenLog, log_options, say_set_aside
from backroute.options import FORMAT, OUTCOMES, PRICES, emit

if TYPE_CHECKING:
    from router.learned.linear import LinearModel

LEAVE_OUT = {"session": "session_id", "user": "user_id", "label": "label", "day": "arrived_at"}


@click.command("train", epilog="Example: backroute train june.jsonl --label task -o own.npz")
@log_options
@click.option(
    "--label",
    "what",
    required=True,
    type=click.Choice(["task", "quality"]),
    help="Learn the log's own labels, or what answers are worth.",
)
@OUTCOMES
@click.option(
    "--preferences",
    default=None,
    type=click.Path(path_type=Path),
    help="Which answer was better: request_id, model_a, model_b, winner (a, b or tie).",
)
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    nargs=2,
    metavar="WEAK STRONG",
    help="Learn where WEAK suffices in STRONG's place; may be given again.",
)
@click.option(
    "--leave-out",
    type=click.Choice(list(LEAVE_OUT)),
    default="session",
    help="What is left out whole to calibrate and to score. [session]",
)
@click.option("-o", "out", required=True, type=click.Path(path_type=Path), help="The model file to write (.npz).")
@PRICES
@FORMAT
def command(
    log: GivenLog,
    what: str,
    outcomes: Path | None,
    preferences: Path | None,
    pairs: tuple[tuple[str, str], ...],
    leave_out: str,
    out: Path,
    overlay: tuple[Path, ...],
    shape: str,
) -> None:
    """Learn from LOG's texts, and print how well that does on parts of the log that were left out.

    The file holds words and pairs of words that occur in two texts at least, and numbers; no longer
    text. Rules name it: task: {billing: {at_least: 0.6}, model: own.npz}
    """
    from backroute.progress import steps, watched
    from pricing import PriceBook
    from problems import ProblemLog
    from simulator.examples import Examples

    book = PriceBook.load(overlay)
    source, problems = log.open(book), ProblemLog()
    with watched(source, [Path(path) for path in log.paths]):
        examples = Examples.of(source, LEAVE_OUT[leave_out], problems)
    say_set_aside(problems)
    with steps("learning", "fits") as told:
        if what == "task":
            model = examples.train_tasks(told)
        else:
            model = examples.train_quality(outcomes, preferences, pairs, book, told)
    rows = _task_rows(model) if what == "task" else _quality_rows(model)
    model.save(out)
    emit(rows, shape, title=f"On parts left out whole ({leave_out}): {model.about['groups']:,} of them")
    click.echo(f"wrote {out}: {out.stat().st_size / 1024:,.0f} kB, {len(model.vocabulary):,} terms", err=True)


def _task_rows(model: LinearModel) -> list[dict[str, Any]]:
    about = model.about
    return [
        {"measure": "examples", "value": ", ".join(f"{name} {count:,}" for name, count in about["examples"].items())},
        {"measure": "macro-F1", "value": f"{about['left_out_macro_f1']:.3f}"},
        {"measure": "right", "value": f"{about['left_out_accuracy']:.1%}"},
        {"measure": "right, on the surer half", "value": f"{about['left_out_accuracy_at_half_coverage']:.1%}"},
    ]


def _quality_rows(model: LinearModel) -> list[dict[str, Any]]:
    return [
        {
            "score": name,
            "outcomes": held["texts"],
            "mean": f"{held['mean']:.3f}",
            "Brier": f"{held['brier']:.4f}",
            "Brier of the mean": f"{held['brier_of_the_mean']:.4f}",
        }
        for name, held in model.about["left_out"].items()
    ]

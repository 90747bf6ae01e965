"""A sweep as `sweep` and `tune` start it: the log, the rules, the values to try, and what answers were worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from backroute.logs import GivenLog
    from router import LLMRouter
    from simulator.sweep import Sweep


def run_sweep(
    log: GivenLog,
    *,
    rules: str,
    parameters: tuple[str, ...],
    outcomes: Path | None,
    prices_as_of: str,
    overlay: tuple[Path, ...],
    output_tokens: Literal["fitted", "as_logged"],
    seed: int,
) -> tuple[Sweep, LLMRouter]:
    """Sweep a log; says on stderr what was not compared.

    Raises:
        BackrouteError: a mistake in any of it.
    """
    from pricing import AsOf, PriceBook
    from router import load_rules
    from router.parameters import read_parameter
    from simulator import Assumptions, Scenario
    from simulator.known_quality import read_quality
    from simulator.sweep import sweep

    book = PriceBook.load(overlay)
    router = load_rules(rules, book=book)
    wanted = [read_parameter(said) for said in parameters]
    quality = read_quality(outcomes, book) if outcomes else None
    template = Scenario(router.name, router, book, AsOf.parse(prices_as_of), Assumptions(output_tokens))
    found = sweep(log.open(book), router, wanted, template, quality=quality, seed=seed)
    if found.compared < found.rows:
        left = f"{found.rows - found.compared:,} of {found.rows:,} requests are not compared"
        click.echo(f"note: {left}: undecided, or not served or priced under every rule", err=True)
    known = found.settings[0].all.known
    if quality is not None and known < found.compared:
        said = f"the quality of {known:,} of {found.compared:,} requests is known under every rule's model"
        click.echo(f"note: {said}; quality and the figures speak of those alone", err=True)
    return found, router

"""A sweep as `sweep` and `tune` start it: the log, the rules, the values to try, and what answers were worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from backroute.logs import GivenLog, log_options, say_set_aside
from backroute.options import AS_OF, NO_CACHE, OUTCOMES, OUTPUT_TOKENS, PARAMETERS, PRICES, STATE

if TYPE_CHECKING:
    from router import LLMRouter
    from simulator.search.sweep import Sweep

RULES = click.option("--rules", required=True, help="A rules file, or a bundled set.")
SEED = click.option("--seed", default=0, help="Of the interval's draws. [0]")


@dataclass(frozen=True)
class GivenSweep:
    """What a verb was given to sweep: see the options of the same names."""

    log: GivenLog
    rules: str
    parameters: tuple[str, ...]
    outcomes: Path | None
    prices_as_of: str
    overlay: tuple[Path, ...]
    output_tokens: Literal["fitted", "as_logged"]
    state: Path | None
    seed: int

    def run(self) -> tuple[Sweep, LLMRouter]:
        """Sweep the log; says on stderr what was not compared.

        Raises:
            BackrouteError: a mistake in any of it.
        """
        from pricing import AsOf, PriceBook
        from router import load_rules, require_models
        from router.parameters import read_parameter
        from simulator import Assumptions, Scenario
        from simulator.search.known_quality import read_quality
        from simulator.search.sweep import sweep
        from simulator.state.settings import State, load_state

        book = PriceBook.load(self.overlay)
        router = load_rules(self.rules, book=book)
        require_models(router, book, self.rules)
        wanted = [read_parameter(said) for said in self.parameters]
        quality = read_quality(self.outcomes, book) if self.outcomes else None
        assumed, state = Assumptions(self.output_tokens), State() if self.state is None else load_state(self.state)
        template = Scenario(router.name, router, book, AsOf.parse(self.prices_as_of), assumed, state)
        found = sweep(self.log.open(book), router, wanted, template, quality=quality, seed=self.seed)
        say_set_aside(found.problems)
        if found.compared < found.rows:
            left = f"{found.rows - found.compared:,} of {found.rows:,} requests are not compared"
            click.echo(f"note: {left}: undecided, or not served or priced under every rule", err=True)
        if found.cached:
            click.echo("note: prompt caches are simulated, for each setting with its own history", err=True)
        known = found.settings[0].all.known
        if quality is not None and known < found.compared:
            said = f"the quality of {known:,} of {found.compared:,} requests is known under every rule's model"
            click.echo(f"note: {said}; quality and the figures speak of those alone", err=True)
        return found, router


def sweep_options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and options of every verb that sweeps a log; the verb gets them as one `GivenSweep`, `swept`."""

    @wraps(command)
    def gathered(*arguments: Any, **options: Any) -> None:
        swept = GivenSweep(**{each.name: options.pop(each.name) for each in fields(GivenSweep)})
        command(*arguments, swept=swept, **options)

    for option in (NO_CACHE, SEED, STATE, OUTPUT_TOKENS, PRICES, AS_OF, OUTCOMES, PARAMETERS, RULES):
        gathered = option(gathered)
    return log_options(gathered)

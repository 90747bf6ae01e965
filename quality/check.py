"""The check itself: a plan for one replay, the calls that carry it out, and what they found."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pricing import PriceBook
from problems import BackrouteError
from quality.calls import Tariff
from quality.journal import Journal, Outcome
from quality.pairs import Pair, from_log, write_pairs
from quality.plan import Plan, make_plan
from quality.population import Request, read_population, read_requests
from quality.redact import Redactor
from quality.run import AT_ONCE, NoAnswerError, Runner, in_order
from quality.scoring import ByFunction, ByGold, ByJudge, Scores, Scoring
from quality.spend import Spend
from quality.verdict import Verdict, find, settled
from router.providers import loop
from router.providers.base import Provider
from simulator.money import Scale
from workloads import Log

LEVEL = 0.05
JOURNAL = "verify.jsonl"
REFUSED_ROUTED = Scores(-1.0, 1.0, 0.0)  # what the routed model refuses is lost, however good the other answer


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Args:
        verdict: on all pairs so far, earlier runs' included.
        pairs: by row.
        spent_pico: this run's and earlier runs' calls; those that were lost at their most.
        runner: which providers were given up, and whether the cap ended the run.
        dropped: requests that could not be compared, by reason.
        lost: calls that a killed run had in flight.
    """

    verdict: Verdict
    pairs: dict[int, Pair]
    spent_pico: int
    runner: Runner
    dropped: Counter[str]
    lost: int

    @property
    def cut(self) -> int:
        """Live answers that ran into the cap on their tokens."""
        live = [outcome for pair in self.pairs.values() for outcome in (pair.baseline, pair.routed) if outcome]
        return sum(outcome.finish_reason in ("length", "max_tokens") for outcome in live)


@dataclass
class Check:
    """A planned check of one replay; nothing is sent before `run`.

    Args:
        folder: the replay's output folder.
        log: the log it replayed.
        summary: its summary.json.
        book: prices.
        scoring: how answers are told apart.
        tariff: prices of calls.
        sample: draws.
        margin: by how much worse "as good" may be, as a share of requests; fixed once answers are in.
        redact: masks a text before it is sent.
    """

    folder: Path
    log: Log
    summary: Mapping[str, Any]
    book: PriceBook
    scoring: Scoring
    tariff: Tariff
    sample: int
    margin: float
    redact: Redactor = field(default_factory=Redactor)
    level: float = LEVEL
    pairs: dict[int, Pair] = field(default_factory=dict)

    @cached_property
    def plan(self) -> Plan:
        """The draws, their cost and their power.

        Raises:
            BackrouteError: nothing moved that could be sent again.
        """
        gold = set(self.scoring.gold) if isinstance(self.scoring, ByGold) else None
        manifest = self.summary["manifest"]
        scale = Scale(self.summary["log"]["sample_rate"])
        population = read_population(self.folder, self.log, manifest["digests"]["log"], self.book, scale, gold)
        if not len(population.row):
            why = ", ".join(f"{count:,} {reason}" for reason, count in population.left_out.most_common())
            what = f"no request to compare ({why})" if why else "no request moved to another model"
            raise BackrouteError(str(self.folder), what, effect="nothing was sent", fix="replay rules that move some")
        return make_plan(population, self.sample, margin=self.margin, level=self.level, seed=manifest["seed"])

    @cached_property
    def requests(self) -> dict[int, Request]:
        """The drawn requests with their text, by row."""
        return read_requests(self.log, self.folder, self.plan.population, self.plan.rows, self.redact)

    @property
    def providers(self) -> list[str]:
        """Where prompts would go."""
        names = {each.model for each in self.requests.values()}
        names |= {each.against for each in self.requests.values() if each.known is None}
        if isinstance(self.scoring, ByJudge):
            names.add(self.scoring.name)
        return sorted({self.tariff.call("", name, ()).provider for name in names})

    def expected_pico(self) -> int:
        """What the plan is expected to cost, judges included."""
        if not isinstance(self.scoring, ByJudge):
            return self.plan.cost_pico
        judge = self.scoring.judge
        answers = 2 * [400]  # tokens; a guess, the cap holds whatever they are
        return self.plan.cost_pico + sum(judge.expected_pico(each, *answers) for each in self.requests.values())

    def header(self) -> dict[str, Any]:
        """What a journal rests on; changed, it is another check."""
        population = self.plan.population
        drawn = blake2b(digest_size=8)
        for column in (population.row, population.slice, population.cost):
            drawn.update(column.tobytes())
        return {
            "log": self.summary["manifest"]["digests"]["log"],
            "rules": self.summary["manifest"]["digests"]["rules"],
            "requests": drawn.hexdigest(),
            "margin": self.margin,
            "level": self.level,
            "scoring": self.scoring.name,
            "redact": list(self.redact.patterns),
        }

    def run(
        self, providers: Mapping[str, Provider], cap_pico: int, progress: Callable[[int], object] | None = None
    ) -> Result:
        """Make the calls that are not in the journal yet, within the cap, and judge; writes pairs.parquet.

        Args:
            providers: by name, all of `self.providers`.
            cap_pico: the most that may be spent, earlier runs' calls included.
            progress: told how many requests are done.

        Raises:
            BackrouteError: a wrong key or model name, a scorer that fails, another run on the folder.
        """
        missing = set(self.providers) - providers.keys()
        if missing:
            raise BackrouteError("verify", f"no provider {', '.join(sorted(missing))}", fix="give all in the plan")
        with Journal(self.folder / JOURNAL, self.header()) as journal:
            runner = Runner(providers, journal, Spend(cap_pico, journal.spent), self.tariff)
            try:
                _complete(self._all(runner, journal, progress))
            finally:
                write_pairs(self.folder / "pairs.parquet", self.pairs, self.plan, self.scoring.name)
        seed = self.summary["manifest"]["seed"]
        verdict = find(self.plan, self.pairs, margin=self.margin, level=self.level, seed=seed)
        dropped = Counter(pair.dropped for pair in self.pairs.values() if pair.dropped)
        return Result(verdict, self.pairs, journal.spent, runner, dropped, len(journal.lost))

    async def _all(self, runner: Runner, journal: Journal, progress: Callable[[int], object] | None) -> None:
        def start(row: int) -> Callable[[], Any]:
            async def one() -> None:
                pair = self.pairs[row] = Pair(self.requests[row])
                await self._fill(pair, runner, journal)
                if progress is not None:
                    progress(sum(each.done for each in self.pairs.values()))

            return one

        def enough() -> bool:
            if runner.capped:
                return True
            done = sum(each.done for each in self.pairs.values())
            # Looking is allowed at any time, but costs time: every tenth pair is often enough.
            if done >= looked[0] + 10:
                looked[0] = done
                return settled(self.plan, self.pairs, margin=self.margin, level=self.level)
            return False

        looked = [0]
        await in_order([start(row) for row in self.plan.rows], at_once=2 * AT_ONCE, enough=enough)

    async def _fill(self, pair: Pair, runner: Runner, journal: Journal) -> None:
        """Get both answers and score them; leaves the pair open where something could not be had now."""
        request = pair.request
        if any(f"{request.row}:{end}" in journal.lost for end in ("baseline", "routed", *JUDGED)):
            pair.dropped = "a killed run had a call in flight"
            return
        pair.baseline, pair.routed = await self._both(request, runner)
        if pair.baseline is not None and pair.baseline.text is None:
            pair.dropped = "the baseline's provider refused the request"
            return
        if pair.baseline is None or pair.routed is None:
            return
        if pair.routed.text is None:
            pair.scores = REFUSED_ROUTED
            return
        try:
            pair.scores = await self.scoring.score(request, pair.baseline.text or "", pair.routed.text, runner.ask)
        except NoAnswerError:
            return
        if pair.scores is None:
            pair.dropped = "the judge's verdict could not be read"

    async def _both(self, request: Request, runner: Runner) -> tuple[Outcome | None, Outcome | None]:
        async def asked(arm: str, name: str) -> Outcome | None:
            try:
                return await runner.ask(self.tariff.call(f"{request.row}:{arm}", name, request.messages, request.cap))
            except NoAnswerError:
                return None

        known = from_log(request)
        routed = asyncio.ensure_future(asked("routed", request.model))
        baseline = None if known is not None else asyncio.ensure_future(asked("baseline", request.against))
        try:
            return (known if baseline is None else await baseline), await routed
        finally:
            # A mistake in one call does not leave the other unrecorded.
            await asyncio.wait([routed] if baseline is None else [routed, baseline])


def _complete(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, also where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:
        loop.run(work)


JUDGED = ("judge:0", "judge:1", "judge:0:repair", "judge:1:repair")


def scoring_of(*, judge: Any | None, gold: Mapping[str, str] | None, scorer: ByFunction | None) -> Scoring:
    """The way of scoring that was asked for: a judge (right answers then measure it), right answers, or a function.

    Raises:
        BackrouteError: none of them, or two that exclude each other.
    """
    if scorer is not None and (judge is not None or gold is not None):
        raise BackrouteError("--scorer", "given together with --judge or --gold", fix="give one of them")
    if scorer is not None:
        return scorer
    if judge is not None:
        return ByJudge(judge, gold or {})
    if gold is not None:
        return ByGold(gold)
    fix = "give --judge openai/gpt-4o, --gold gold.jsonl or --scorer module:function"
    raise BackrouteError("verify", "no way to tell which answer is better", fix=fix)

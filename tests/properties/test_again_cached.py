"""A log in memory whose prompt caches are simulated gives, after any change, what a pass over all of it gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pricing import AsOf, PriceBook
from simulator import Scenario, incremental, replay
from simulator.scenario import Assumptions
from simulator.state.settings import CacheSettings, State
from tests.properties.test_again import FIRST, FLASH, MINI, SETTINGS, Setting, books, edits, router_of
from tests.simulator.state.samples import LONG, chat
from workloads import Log, read_log

__all__ = ["books"]  # a fixture
Books = tuple[PriceBook, PriceBook]
STATES = (
    State(),
    State(cache=CacheSettings({"": 0.5})),
    State(cache=None),
    State(cache=CacheSettings(breakpoints=False)),
    State(cache=CacheSettings(lifetime="1h")),
)


class Talks(list[dict[str, Any]]):
    """Rows whose representation is short."""

    def __repr__(self) -> str:
        return "talks"


@pytest.fixture(scope="module")
def talks() -> Talks:
    """Conversations on several models, most of which read what the call before them wrote."""
    models, rows = ("gpt-4o", "claude-sonnet-4-5", "gpt-4o-mini", "a-model-nobody-knows"), list[dict[str, Any]]()
    for n in range(16):
        texts = [f"{n % 3} {LONG}"]
        for turn in range(3):
            read = 0 if turn == 0 or n % 7 == 3 else 1920
            usage: Any = {"prompt_tokens": 2000 + 40 * turn, "completion_tokens": 50 + 10 * n}
            if n % 4 == 1:
                usage = {"input_tokens": 2000 - read, "output_tokens": 60, "cache_read_input_tokens": read}
                usage |= {"cache_creation_input_tokens": 0 if read else 30}
            else:
                usage["prompt_tokens_details"] = {"cached_tokens": read}
            fields: dict[str, Any] = {"model": models[n % 4], "metadata": {"tier": "gold" if n % 5 else "free"}}
            fields |= {"session_id": f"s{n}", "usage": None if n == 6 else usage, "response": "yes " * (n + 1)}
            if (n, turn) == (9, 1):
                fields["call_type"] = "embedding"
            rows.append(chat(len(rows), *texts, at_s=40 * n + 90 * turn, **fields))
            texts += ["yes", ("write code " if n % 2 else "go on ") * (turn + n % 4 + 1)]
    return Talks(rows)


def said(log: Log, setting: Setting, books: Books, state: State = STATES[0], out: Path | None = None) -> Any:
    """The summary and all decisions of one replay; with `out`, by the pass over all of the log that writes them."""
    as_of, book = AsOf.parse(setting.as_of), books[setting.dear[0]]
    assumed = Assumptions(setting.output, {} if setting.ratio is None else {FLASH: setting.ratio})
    base = Scenario.always(setting.baseline, book, as_of, Assumptions("fitted"), state=state)
    routed = Scenario("routed", router_of(setting), books[setting.dear[1]], as_of, assumed, state=state)
    before, after = replay(log, base, routed, out=out)
    summaries = [json.dumps(each.summary, sort_keys=True) for each in (before, after)]
    return *summaries, after.requests().to_dict("list").__repr__()


def test_every_change_in_turn_gives_what_a_pass_over_the_log_gives(
    talks: Talks, books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "CHUNK_ROWS", 7)
    log = read_log(talks)
    first = said(read_log(talks), FIRST, books, out=tmp_path)
    assert json.loads(first[1])["cache"]["arms"][2]["read_tokens"] > 0
    for setting in (*SETTINGS, FIRST._replace(baseline=MINI)):  # which reads as many tokens as the baseline before
        assert said(log, setting, books) == said(read_log(talks), setting, books, out=tmp_path)
        assert said(log, FIRST, books) == first


def test_other_cache_settings_in_turn_give_what_a_pass_over_the_log_gives(
    talks: Talks, books: Books, tmp_path: Path
) -> None:
    log = read_log(talks)
    for state in (*STATES, *STATES):
        assert said(log, FIRST, books, state) == said(read_log(talks), FIRST, books, state, tmp_path)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tried=edits())
def test_a_replay_after_others_is_a_pass_over_the_log(
    tried: list[Setting],
    talks: Talks,
    books: Books,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incremental, "CHUNK_ROWS", 7)
    log = read_log(talks)
    for setting in tried:
        assert said(log, setting, books) == said(read_log(talks), setting, books, out=tmp_path)

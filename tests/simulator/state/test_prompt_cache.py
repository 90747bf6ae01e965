from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.state import prompt_cache
from simulator.state.cache_rules import cache_rule
from simulator.state.prefixes import Nodes
from simulator.state.prompt_cache import Cached, Terms, alive, settled, simulate
from workloads import MESSAGE, REQUEST

SECOND = 1_000_000
WORDS = "alpha beta gamma delta "  # 4 tokens of o200k_base each time


def batch(*prompts: list[tuple[str, str]]) -> pa.RecordBatch:
    """Requests of (role, text) messages."""
    messages = pa.array([[(role, None, text) for role, text in prompt] for prompt in prompts], pa.list_(MESSAGE))
    empty = {field.name: pa.nulls(len(prompts), field.type) for field in REQUEST}
    columns = empty | {"messages": messages, "has_tools": pa.array([False] * len(prompts))}
    return pa.RecordBatch.from_arrays([columns[name] for name in REQUEST.names], schema=REQUEST)


def cached(
    model: str, prompts: list[list[tuple[str, str]]], tokens: list[int], at_s: list[float], **terms: Any
) -> Cached:
    """The cache over some requests of one model, tokens in whole ones."""
    milli, codes = np.array(tokens) * 1000, np.zeros(len(tokens), np.int32)
    held = Terms.of(codes, [model], milli, **terms)
    nodes = Nodes.of(batch(*prompts), milli)
    found = simulate(nodes, (np.array(at_s) * SECOND).astype(np.int64), codes, milli, held)
    return settled(found.read, found.written, milli, held, np.ones(len(tokens)))


SYSTEM = [("system", WORDS * 500)]
FIRST = [*SYSTEM, ("user", WORDS * 25)]
SECOND_TURN = [*FIRST, ("assistant", WORDS * 25), ("user", WORDS * 50)]


def test_a_conversation_reads_its_beginning_back_in_steps_of_128() -> None:
    """The first prompt has 2,100 tokens; the second begins with all of it and has 2,400 in all: 16 x 128 = 2,048."""
    found = cached("openai/gpt-4o", [FIRST, SECOND_TURN], [2100, 2400], [0, 10])
    assert found.read.tolist() == [0, 2_048_000]
    assert found.written.tolist() == [0, 0]


def test_anthropic_writes_up_to_its_breakpoints_and_reads_the_last_one_back() -> None:
    """All 2,100 tokens are written; then 2,100 of 2,400 are read and the other 300 written.

    Give or take 10: where in the second prompt the first ends is a share of its tokens, counted with o200k_base.
    """
    found = cached("anthropic/claude-sonnet-4-5", [FIRST, SECOND_TURN], [2100, 2400], [0, 10])
    assert (found.read[0], found.written[0]) == (0, 2_100_000)
    assert found.read[1] / 1000 == pytest.approx(2100, abs=10)
    assert found.read[1] + found.written[1] == 2_400_000


def test_another_session_reads_the_shared_system_prompt() -> None:
    """2,000 of the 2,100 tokens are the system prompt's: at Anthropic a breakpoint stands at its end."""
    other = [*SYSTEM, ("user", "one two three four " * 25)]
    found = cached("anthropic/claude-sonnet-4-5", [FIRST, other], [2100, 2100], [0, 10])
    assert found.read[1] / 1000 == pytest.approx(2000, abs=5)
    assert (found.read + found.written).tolist() == [2_100_000, 2_100_000]


def test_a_beginning_shared_inside_one_message_is_found_on_the_grid() -> None:
    """Two prompts of 2,000 tokens whose first 1,500 are equal: the grid finds at least 7/8 of them, at most all."""
    prompts = [[("user", WORDS * 375 + tail * 125)] for tail in (WORDS, "one two three four ")]
    found = cached("openai/gpt-4o", prompts, [2000, 2000], [0, 10])
    assert 1500 * 7 / 8 - 128 <= found.read[1] / 1000 <= 1500


def test_nothing_is_cached_without_marks_where_a_provider_wants_them() -> None:
    found = cached("anthropic/claude-sonnet-4-5", [FIRST, SECOND_TURN], [2100, 2400], [0, 10], breakpoints=False)
    assert not found.read.any()
    assert not found.written.any()


def test_a_prompt_below_the_minimum_is_neither_written_nor_read() -> None:
    short = [("system", WORDS * 200), ("user", "hi")]
    for model, tokens in (("openai/gpt-4o", 1023), ("anthropic/claude-haiku-4-5", 4095)):
        found = cached(model, [short, short], [tokens, tokens], [0, 1])
        assert not found.read.any()
        assert not found.written.any()


@pytest.mark.parametrize(("pause_s", "reads"), [(300.0, True), (300.000001, False)])
def test_a_prefix_lives_five_minutes_to_the_microsecond(pause_s: float, reads: bool) -> None:
    found = cached("anthropic/claude-sonnet-4-5", [FIRST, FIRST], [2100, 2100], [0, pause_s])
    assert bool(found.read[1]) is reads


def test_each_use_renews_the_lifetime() -> None:
    """Four minutes apart each: the last is twelve minutes after the write."""
    found = cached("anthropic/claude-sonnet-4-5", [FIRST] * 4, [2100] * 4, [0, 240, 480, 720])
    assert (found.read[1:] == 2_100_000).all()


def test_the_long_lifetime_is_written_at_its_own_price_and_lives_an_hour() -> None:
    terms: dict[str, Any] = {"long_lifetime": True}
    found = cached("anthropic/claude-sonnet-4-5", [FIRST, FIRST, FIRST], [2100] * 3, [0, 3600, 7201], **terms)
    assert found.read.tolist() == [0, 2_100_000, 0]


def test_another_model_has_a_history_of_its_own() -> None:
    milli, models = np.array([2100, 2100, 2100]) * 1000, np.array([0, 1, 0], np.int32)
    terms = Terms.of(models, ["openai/gpt-4o", "openai/gpt-4o-mini"], milli)
    found = simulate(Nodes.of(batch(FIRST, FIRST, FIRST), milli), np.arange(3), models, milli, terms)
    assert (found.read > 0).tolist() == [False, False, True]


accesses = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 400), st.booleans()), min_size=1, max_size=40
)  # key, seconds since the one before, whether it writes


@settings(max_examples=200, deadline=None)
@given(accesses, st.integers(1, 600))
def test_the_scan_agrees_with_a_walk_through_a_dictionary(rows: list[tuple[int, int, bool]], lifetime: int) -> None:
    at = np.cumsum([gap for _, gap, _ in rows])
    keys = np.array([key for key, _, _ in rows], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    writes = np.array([write for _, _, write in rows])
    access = keys, np.arange(len(rows)), at, np.full(len(rows), lifetime), writes
    found = alive(*access)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prompt_cache, "BLOCK", 4)
        assert (alive(*access) == found).all(), "block by block as in one"
    expires: dict[int, int] = {}
    seen: dict[int, int] = {}
    for place, (key, _, write) in enumerate(rows):
        now = int(at[place])
        # A use of a prefix that nobody wrote yet still starts no life, but a pause is one between any two uses.
        broken = key not in seen or now - seen[key] > lifetime
        lives = key in expires and not broken
        assert bool(found[place]) is lives
        if broken:
            expires.pop(key, None)
        if write:
            expires.setdefault(key, now)
        seen[key] = now


conversations = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 900), st.integers(1, 40)), min_size=1, max_size=12
)  # session, seconds since the one before, how much it adds


@settings(max_examples=40, deadline=None)
@given(conversations, st.floats(1, 1000), st.floats(1, 1000))
def test_a_longer_lifetime_never_reads_less_from_an_automatic_cache(
    turns: list[tuple[int, int, int]], one: float, other: float
) -> None:
    said: dict[int, list[tuple[str, str]]] = {}
    prompts, at = [], np.cumsum([gap for _, gap, _ in turns]).astype(float).tolist()
    for session, _, more in turns:
        said[session] = [*said.get(session, [("system", f"{session} " + WORDS * 300)]), ("user", WORDS * more)]
        prompts.append(list(said[session]))
    tokens = [4 * sum(text.count("alpha") for _, text in prompt) for prompt in prompts]
    short, long = (cached("openai/gpt-4o", prompts, tokens, at, lifetime_s=s) for s in sorted((one, other)))
    assert (long.read >= short.read).all()


def test_the_hash_of_a_prefix_does_not_depend_on_the_batch_it_is_read_in() -> None:
    whole = Nodes.of(batch(FIRST, SECOND_TURN), np.array([2_100_000, 2_400_000]))
    parts = [Nodes.of(batch(each), np.array([milli])) for each, milli in ((FIRST, 2_100_000), (SECOND_TURN, 2_400_000))]
    split = Nodes.joined([parts[0], parts[1].moved(parts[1].row + 1)])
    for name in ("row", "hash", "share", "kind", "from_end"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(split, name))


@pytest.mark.parametrize(
    ("model", "minimum"),
    [("openai/gpt-4o-mini", 1024), ("anthropic/claude-opus-4-5", 4096), ("anthropic/claude-opus-4-1", 1024),
     ("aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0", 4096), ("anthropic/claude-3-5-haiku-latest", 2048),
     ("groq/openai/gpt-oss-120b", 128), ("google/gemini-2.5-flash", 2048)],
)  # fmt: skip
def test_each_model_has_its_providers_minimum(model: str, minimum: int) -> None:
    rule = cache_rule(model)
    assert rule is not None
    assert rule.minimum_tokens == minimum


@pytest.mark.parametrize(
    "model", ["groq/llama-3.1-8b-instant", "openai/gpt-4", "openai/gpt-3.5-turbo", "mistral/mistral-large"]
)
def test_models_without_a_known_cache_have_none(model: str) -> None:
    assert cache_rule(model) is None

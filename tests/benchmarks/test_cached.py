"""The benchmark of prompt caches: its own rules, and that a simulation is nearer to its truth than none."""

import numpy as np
import pytest

from benchmarks.cached import CASES, GPT, HAIKU, MINI, SONNET, Call, billed, conversations, errors


def one(at_s: float, *sizes: int) -> Call:
    """A call whose prefixes are those of every other call made so."""
    return Call(at_s, "s", tuple((place, size) for place, size in enumerate(sizes)), sizes[-1], 10, False, False)


def test_the_reference_bills_as_the_providers_say() -> None:
    """Anthropic: all but what was read is written, 5 minutes from the last use, from 1,024 tokens (Haiku 4.5: 4,096).

    OpenAI: 3,000 tokens are read as 23 x 128 = 2,944, unless the call misses; nothing below 1,024, nothing elsewhere.
    """
    calls = [one(0, 500, 2000), one(200, 500, 2000, 3000), one(480, 500, 2000, 3000), one(800, 500, 2000, 3000)]
    sizes = [call.tokens for call in calls]
    assert billed(calls, 4 * [SONNET], sizes) == [[0, 0, 2000], [0, 2000, 1000], [0, 3000, 0], [0, 0, 3000]]
    assert billed(calls, 4 * [HAIKU], sizes) == [[size, 0, 0] for size in sizes]
    found = [billed(calls[1:3], 2 * [GPT], sizes[1:3], seed)[1] for seed in range(60)]
    assert {tuple(each) for each in found} == {(3000, 0, 0), (56, 2944, 0)}
    assert billed(calls[1:3], [GPT, MINI], sizes[1:3])[1] == [3000, 0, 0]


@pytest.mark.parametrize("texts", [True, False])
def test_a_simulated_cache_is_nearer_to_the_truth(texts: bool) -> None:
    calls = conversations(15, 2)
    found = [errors(calls, case, 0, texts=texts) for case in (CASES[1], CASES[2])]
    plain, simulated = (np.abs([each[way] for each in found]).max() for way in ("plain", "simulated"))
    assert simulated < 0.4 * plain

"""Ids met are told exactly, however many are put away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads import met
from workloads.met import Met

# Keys whose upper halves are few, so that most are looked up in the file and are not there.
keys = st.builds(lambda upper, lower: upper << 32 | lower, st.sampled_from([0, 1, 2**32 - 1]), st.integers(0, 40))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(keys, st.integers(0, 2**64 - 1)), max_size=120),
    st.integers(1, 9),
    st.sampled_from([1, 7, 2**20]),
)
def test_it_answers_as_a_dictionary_would(entries: list[tuple[int, int]], recent: int, merged: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(met, "RECENT", recent)
        patch.setattr(met, "MERGED", merged)
        held, plain = Met(), dict[int, int]()
        for key, content in entries:
            assert held.get(key) == plain.get(key)
            if key not in plain:
                held.add(key, content)
                plain[key] = content
        assert all(held.get(key) == content for key, content in plain.items())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(keys, max_size=8), max_size=20),
    st.integers(1, 40),
    st.sampled_from([1, 7, 2**20]),
    st.sampled_from([1, 3, 9]),
)
def test_a_block_is_taken_whole_or_not_at_all(blocks: list[list[int]], recent: int, merged: int, many: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(met, "MANY", many)
        patch.setattr(met, "RECENT", recent)
        patch.setattr(met, "MERGED", merged)
        held, plain = Met(), dict[int, int]()
        for block in blocks:
            new = len(set(block)) == len(block) and plain.keys().isdisjoint(block)
            assert held.update(np.array(block, np.uint64), np.array(block, np.uint64) + np.uint64(1)) == new
            plain |= {key: (key + 1) % 2**64 for key in block} if new else {}
        for key in {key for block in blocks for key in block}:
            assert held.get(key) == plain.get(key)


def test_runs_stay_few_though_each_block_is_a_little_shorter() -> None:
    held, draw = Met(), np.random.default_rng(0)
    for size in range(400, 300, -1):
        block = draw.integers(0, 2**64, size, np.uint64)
        assert held.update(block, block)
    assert len(held._runs) <= 7
    assert all(run._held is not None for run in held._runs)


def test_what_is_put_away_takes_four_bytes_of_memory() -> None:
    held, draw = Met(), np.random.default_rng(0)
    for _ in range(8):
        block = draw.integers(0, 2**64, 2**17, np.uint64)
        assert held.update(block, block)
    assert [run._halves.nbytes for run in held._runs] == [4 * 2**20]
    assert not held._recent
    assert held.get(int(block[5])) == block[5]
    assert not held.update(block[5:6], block[:1])

"""fastokens counts what tiktoken counts, or is not used."""

import logging
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import fast_counts
from pricing.fast_counts import PROBES, FastCounter, Forecast
from pricing.tokenizers import _counter, count_texts

fastokens = pytest.importorskip("fastokens")


@pytest.fixture(scope="module")
def counter() -> FastCounter:
    """o200k_base with fastokens loaded, whatever little is counted."""
    held = _counter.__wrapped__("o200k_base")
    held._load()
    return held  # type: ignore[no-any-return]


def test_both_agree_on_the_probes(counter: FastCounter) -> None:
    assert counter._fast is not None
    assert counter(PROBES).tolist() == counter._by_reference(PROBES).tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=8))
def test_both_agree_on_any_text(counter: FastCounter, texts: list[str]) -> None:
    assert counter(texts).tolist() == counter._by_reference(texts).tolist()


def test_fastokens_is_loaded_only_where_there_is_much_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    held = _counter.__wrapped__("o200k_base")
    monkeypatch.setattr(held, "_load", lambda: pytest.fail("loaded"))
    assert held(["hello world"] * 3).tolist() == [2, 2, 2]
    monkeypatch.undo()
    monkeypatch.setattr(fast_counts, "LOAD_AT", 20 / len(held._ranks))
    assert held(["hello there"]).tolist() == [2]
    assert held._fast is not None


class Wrong:
    """A tokenizer that counts one too many."""

    def encode_batch_flat(self, texts: list[str]) -> tuple[bytes, bytes]:
        return b"", np.arange(len(texts) + 1, dtype=np.uint64).tobytes()


def test_a_difference_in_the_sample_makes_tiktoken_count_and_says_so(
    counter: FastCounter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(counter, "_fast", Wrong())
    texts = [f"hello {number}" for number in range(300)]
    with caplog.at_level(logging.WARNING, "backroute"):
        assert counter(texts).tolist() == counter._by_reference(texts).tolist()
    assert "tiktoken counts instead" in caplog.text
    assert counter._fast is None


def test_a_failed_self_check_leaves_tiktoken(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    held = _counter.__wrapped__("o200k_base")

    def load(*_: Any, **__: Any) -> Wrong:
        return Wrong()

    monkeypatch.setattr("fastokens.Tokenizer", type("Tokenizer", (), {"from_tiktoken": staticmethod(load)}))
    held._load()
    assert held._fast is None
    assert "its self-check" in caplog.text
    assert held(["hello world"]).tolist() == [2]


def test_identical_texts_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(
        "pricing.tokenizers._counter",
        lambda _: lambda texts: seen.append(list(texts)) or np.arange(len(texts), dtype=np.int64),
    )
    assert count_texts("o200k_base", ["a", "b", "a", None, "a"]).to_pylist() == [0, 1, 0, None, 0]
    assert seen == [["a", "b"]]


def test_what_was_counted_lately_is_not_counted_again(counter: FastCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a system prompt of its own", "Hi", "a system prompt of its own", "Ho"]
    expected = counter._by_reference(texts).tolist()
    assert counter.lately(texts).tolist() == expected
    monkeypatch.setattr(counter, "_count", lambda new: pytest.fail(f"counted again: {new}"))
    assert counter.lately(texts[1:]).tolist() == expected[1:]
    assert counter.lately([]).tolist() == []


def test_remembered_and_new_texts_are_counted_in_their_order(
    counter: FastCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.lately(["old"])
    asked: list[list[str]] = []
    count = counter._count
    monkeypatch.setattr(counter, "_count", lambda new: asked.append(list(new)) or count(new))
    texts = ["a newer text", "old", "another, newer text", "a newer text"]
    assert counter.lately(texts).tolist() == counter._by_reference(texts).tolist()
    assert asked == [["a newer text", "another, newer text"]]


def test_no_more_is_remembered_than_the_bound(counter: FastCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_counts, "HELD", 40)
    for number in range(50):
        texts = [f"text {number} {n}" for n in range(10)]
        assert counter.lately(texts).tolist() == counter._by_reference(texts).tolist()
    assert len(counter._held) <= 50


def test_what_another_thread_forgets_meanwhile_is_counted_all_the_same(
    counter: FastCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = counter._count
    monkeypatch.setattr(counter, "_count", lambda new: counter.forget() or count(new))
    assert counter.lately(["a", "b c"]).tolist() == counter._by_reference(["a", "b c"]).tolist()


@pytest.mark.parametrize("unit", ["a", " ", " \t", "!", "é"])
def test_a_million_of_one_letter_takes_no_more_than_its_share(counter: FastCounter, unit: str) -> None:
    """Ten times the letters: ten times the tokens, and nothing near a hundred times the time."""
    few, many = unit * (100_000 // len(unit)), unit * (1_000_000 // len(unit))
    for count in (counter._count, counter._by_reference):
        started = time.process_time()
        short = int(count([few])[0])
        middle = time.process_time()
        long = int(count([many])[0])
        assert time.process_time() - middle < 40 * (middle - started) + 0.5
        assert long == pytest.approx(10 * short, rel=0.01)


def test_a_million_spaces_are_counted_by_fastokens_where_tiktoken_cannot() -> None:
    held = _counter.__wrapped__("o200k_base")
    assert held([" " * 1_000_000]).tolist() == [7813]  # 128 to a token
    assert held._fast is not None
    held._fast = None
    assert held([" " * 999_999 + "x"])[0] == pytest.approx(7813, abs=12)


def test_a_tokenizer_asked_for_little_of_a_long_log_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 kB read 100 bytes were counted, and 10 kB are to be read: 1,000 bytes in all."""
    ahead = Forecast()
    assert ahead.of(100) == 100
    ahead.reads(1_000, of=10_000)
    assert ahead.of(100) == 1_000
    ahead.reads(1_000, of=10_000)
    assert ahead.of(100) == 500
    ahead.reads(500, of=600)  # another log
    assert ahead.of(100) == 120
    monkeypatch.setattr(fast_counts, "forecast", ahead)
    held = _counter.__wrapped__("o200k_base")
    monkeypatch.setattr(fast_counts, "LOAD_AT", 100 / len(held._ranks))
    held(["x" * 80])
    assert not held._tried
    held(["y" * 10])
    assert held._tried

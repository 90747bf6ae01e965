"""Equal texts are told from others by a look, and by all of them only where that does not do."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import count_texts, tokenizers
from pricing.alike import _looks, distinct

# Texts that look alike: of one length, with the same bytes at their beginning, middle and end.
alike = st.sampled_from("abc").map(lambda letter: f"begins so {letter} and in the middle is the end")
texts = (
    st.none()
    | st.text(max_size=20)
    | st.sampled_from(["", "a", "ab", "é", "same text, again and again", "x" * 5_000])
    | alike
)


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, max_size=30), st.integers(0, 3), st.integers(0, 30))
def test_each_text_is_found_where_it_stood_first(said: list[str | None], begin: int, length: int) -> None:
    column = pa.array(said, pa.string()).slice(min(begin, len(said)), length)
    first, which = distinct(column)
    held = column.to_pylist()
    assert [held[at] for at in first] == list(dict.fromkeys(text for text in held if text is not None))
    assert column.take(pa.array(first)).take(which).to_pylist() == held


def test_a_look_at_texts_that_look_alike_does_not_tell_them_apart() -> None:
    """Else the property above would not try what it says."""
    _, looks = _looks(pa.array([f"begins so {letter} and in the middle is the end" for letter in "abc"]))
    assert len(set(looks.tolist())) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, max_size=20))
def test_strings_that_a_caller_has_are_counted_as_the_column_is(said: list[str | None]) -> None:
    column = pa.array(said, pa.string())
    counts = count_texts("o200k_base", column)
    assert counts.equals(count_texts("o200k_base", column, strings=said))
    assert counts.equals(count_texts("o200k_base", pa.chunked_array([column, column[:0]]), strings=said))
    assert counts.equals(count_texts("o200k_base", column.cast(pa.large_string())))
    assert counts.equals(count_texts("o200k_base", column.dictionary_encode()))
    assert counts.to_pylist() == [
        None if text is None else count_texts("o200k_base", [text])[0].as_py() for text in said
    ]


def test_texts_are_counted_alike_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [f"text {n % 7} of some length" * (n % 5) for n in range(100)]
    column = pa.array([*said, None])
    whole = count_texts("o200k_base", column).to_pylist()
    monkeypatch.setattr(tokenizers, "PIECE_BYTES", 300)
    assert count_texts("o200k_base", column).to_pylist() == whole

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import PriceBook, count_texts
from simulator.bill.guessed import guessed_constant
from simulator.bill.plausible import Doubt, Doubts
from simulator.bill.recount import Recounted, find_doubts
from simulator.models import ModelIndex
from tests.simulator.conftest import call
from workloads import Log, read_log

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
WORDS = re.split(
    " ",
    "the quarterly reconciliation of unbelievable invoices; for x in range(17): print(f'{x:>8}') straßenbahn, "
    "a cat! 4,711 antidisestablishmentarianism ok no yes perhaps naïve café 東京 https://example.com/a?b=c&d=1 end.",
)


def texts(count: int, shortest: int = 20) -> list[str]:
    """Texts of differing words and lengths, each its own."""
    return [" ".join(islice(cycle(WORDS[n % len(WORDS) :] + WORDS[: n % 7]), shortest + 7 * n)) for n in range(count)]


def log(count_in: Callable[[str], int], count_out: Callable[[str], int], rows: int = 12, **fields: Any) -> Log:
    """A log whose answers are as varied as its prompts, with these counts."""
    said = texts(2 * rows)
    return read_log(
        [
            call(n, prompt=asked, completion=answer, usage=usage(count_in(asked), count_out(answer)), **fields)
            for n, (asked, answer) in enumerate(zip(said[::2], said[1::2], strict=True))
        ]
    )


def usage(tokens_in: int, tokens_out: int) -> dict[str, Any]:
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}


def o200k(text: str) -> int:
    return int(count_texts("o200k_base", [text])[0].as_py())


def honest_input(text: str) -> int:
    return o200k(text) + 7


def kinds(doubts: list[Doubt]) -> set[tuple[str, str]]:
    return {(doubt.side, doubt.kind) for doubt in doubts}


GUESSES = {
    "int(1.3 x words)": (lambda text: int(1.3 * len(text.split())), 1.3, "words", "rounded down"),
    "round(0.75 words)": (lambda text: round(0.75 * len(text.split())), 0.75, "words", "rounded"),
    "len / 4": (lambda text: len(text) // 4, 0.25, "characters", "rounded down"),
    "len / 4, up": (lambda text: -(-len(text) // 4), 0.25, "characters", "rounded up"),
}


@pytest.mark.parametrize(("guess", "constant", "unit", "rounding"), GUESSES.values(), ids=GUESSES)
def test_a_constant_times_words_or_characters_is_found_with_its_constant(
    guess: Callable[[str], int], constant: float, unit: str, rounding: str, book: PriceBook
) -> None:
    """Texts of 20 to 181 words; the constant that makes all counts out of them is the one they were made with."""
    doubts = find_doubts(log(guess, guess, rows=20, model="gemini-2.0-flash"), book)
    assert kinds(doubts) == {("input", "constant"), ("output", "constant")}
    for doubt in doubts:
        assert doubt.constant == constant
        assert f"{constant:g} x the {unit}" in doubt.words
        assert doubt.words.endswith(f"{rounding}: a guess, not a tokenizer's")
        assert (doubt.rows, doubt.looked_at) == (20, 20)
        assert len(doubt.requests) == 3


def test_a_sample_says_of_how_many_requests_it_is_one(book: PriceBook) -> None:
    """300 of the 400 are counted; all of those are a quarter of their characters."""
    doubts = find_doubts(log(lambda text: len(text) // 4, o200k, rows=400, model="gemini-2.0-flash"), book)
    (doubt,) = (doubt for doubt in doubts if doubt.side == "input")
    assert (doubt.rows, doubt.looked_at, doubt.of) == (300, 300, 400)
    assert doubt.extent == "all 300 requests looked at, a sample of 400"
    assert replace(doubt, rows=290).extent == "290 of 300 requests looked at, a sample of 400"
    assert replace(doubt, rows=1, looked_at=2, of=2).extent == "1 of 2 requests"


def test_honest_counts_are_not_doubted(book: PriceBook) -> None:
    assert find_doubts(log(honest_input, o200k, rows=40), book) == []


def test_texts_of_one_token_a_word_prove_nothing(book: PriceBook) -> None:
    """ " cat" is one token of o200k_base, so an honest count of n cats is n, and so is 1.0 x the words."""
    rows = [
        call(n, model=model, completion=" ".join(["cat"] * n), usage=usage(10, n))
        for n in range(10, 40)
        for model in ("gpt-4o", "gemini-2.0-flash")
    ]
    assert [doubt for doubt in find_doubts(read_log(rows), book) if doubt.side == "output"] == []


def test_one_count_for_every_text_is_found(book: PriceBook) -> None:
    (doubt,) = find_doubts(log(honest_input, lambda _: 60, rows=12), book)
    assert (doubt.kind, doubt.constant, doubt.words) == ("same_count", 60, "counts are all 60, whatever the text")


def test_output_copied_from_input_is_found(book: PriceBook) -> None:
    rows = [
        call(n, prompt=text, completion="Yes.", usage=usage(honest_input(text), honest_input(text)))
        for n, text in enumerate(texts(12))
    ]
    assert ("output", "copied_from_input") in kinds(find_doubts(read_log(rows), book))


def test_nothing_counted_beside_a_long_answer_is_found_in_every_single_row(book: PriceBook) -> None:
    """2,000 rows; one answer of 45 characters counted as 0. A short one may well be nothing but a stop."""
    rows = [call(n, completion="fine", usage=usage(9, 1)) for n in range(2000)]
    rows[1234]["completion"] = "x" * 45
    rows[1234]["usage"] = {"prompt_tokens": 9, "completion_tokens": 0}
    rows[7]["usage"] = {"prompt_tokens": 9, "completion_tokens": 0}
    (doubt,) = find_doubts(read_log(rows), book)
    assert (doubt.kind, doubt.rows, doubt.looked_at, doubt.requests) == ("zero", 1, 2000, ("r1234",))


def test_an_answer_counted_as_reasoning_altogether_is_counted(book: PriceBook) -> None:
    """As Gemini does with short ones."""
    held = usage(9, 71) | {"completion_tokens_details": {"reasoning_tokens": 71}}
    assert find_doubts(read_log([call(0, model="gemini-2.5-flash", completion="x" * 50, usage=held)]), book) == []


def test_more_tokens_than_bytes_are_impossible_unless_reasoning_or_tools_hide_them(book: PriceBook) -> None:
    def one(**fields: Any) -> set[tuple[str, str]]:
        row = call(0, completion="x" * 45, usage=usage(9, 54)) | fields
        return kinds(find_doubts(read_log([row]), book))

    assert one() == {("output", "above_bytes")}
    assert one(usage=usage(9, 53)) == set(), "an end and a role may come on top"
    assert one(completion="None") == set(), "a tool's call, most likely"
    assert one(model="o1") == set()
    assert one(model="house-model-7") == one(model="gemini-2.5-flash") == set(), "nobody says whether it reasons"
    assert one(tools=[{"type": "function", "function": {"name": "f"}}]) == set()


def test_input_below_its_own_text_is_found(book: PriceBook) -> None:
    """A cached part left out: a tenth of the tokens is what is said to have been read."""
    doubts = find_doubts(log(lambda text: honest_input(text) // 10, o200k), book)
    assert kinds(doubts) == {("input", "below_text")}


def test_a_log_that_says_estimated_is_honest(book: PriceBook) -> None:
    rows = [
        call(n, completion=text, usage=usage(9, len(text) // 4) | {"provenance": "estimated"})
        for n, text in enumerate(texts(20))
    ]
    assert find_doubts(read_log(rows), book) == []


def test_recounting_counts_the_texts_and_says_who_counted(book: PriceBook) -> None:
    """Every gpt-4o count comes out as o200k_base's own; gemini's is an estimate, and no longer passes for Google's."""
    said = texts(24)
    for model, provenance in (("gpt-4o", "tokenizer"), ("gemini-2.0-flash", "estimated")):
        guessed = log(lambda text: len(text) // 4, lambda text: len(text) // 4, model=model)
        recounted = Recounted(guessed, book)
        frame = logged(recounted, book)
        assert recounted.rows == {"input": 12, "output": 12}
        assert frame["logged_provenance"].unique().tolist() == [provenance]
        if model == "gpt-4o":
            assert frame["logged_output_text"].tolist() == [o200k(text) for text in said[1::2]]
            assert frame["logged_input_uncached"].tolist() == [honest_input(text) for text in said[::2]]


def test_recounting_touches_only_what_is_doubtful(book: PriceBook) -> None:
    mixed = log(lambda text: len(text) // 4, lambda text: o200k(text) + 3, rows=20)
    recounted = Recounted(mixed, book)
    frame = logged(recounted, book)
    assert recounted.rows == {"input": 20, "output": 0}
    assert frame["logged_output_text"].tolist() == [o200k(text) + 3 for text in texts(40)[1::2]]
    honest = Recounted(log(honest_input, o200k), book)
    assert logged(honest, book).equals(logged(log(honest_input, o200k), book))


def test_a_row_doubted_for_itself_leaves_the_others_as_they_are(book: PriceBook) -> None:
    rows = [call(n, completion="fine", usage=usage(9, 1)) for n in range(20)]
    rows[3] |= {"completion": "hello world " * 20, "usage": {"prompt_tokens": 9, "completion_tokens": 0}}
    recounted = Recounted(read_log(rows), book)
    frame = logged(recounted, book)
    assert recounted.rows == {"input": 0, "output": 1}
    assert frame["logged_output_text"].tolist() == [1, 1, 1, o200k("hello world " * 20), *[1] * 16]


def logged(source: Log, book: PriceBook) -> Any:
    from router import AlwaysUse
    from simulator import Scenario, replay

    base = Scenario.always("openai/gpt-4o", book)
    return replay(source, base, Scenario("same", AlwaysUse("openai/gpt-4o"), book))[1].requests()


@settings(max_examples=60)
@given(
    constant=st.floats(0.2, 3),
    sizes=st.lists(st.integers(60, 3000), min_size=10, max_size=60, unique=True),
    rounding=st.sampled_from(["down", "near", "up"]),
)
def test_any_constant_is_found_and_makes_every_count(constant: float, sizes: list[int], rounding: str) -> None:
    size = np.array(sizes)
    made = {"down": np.floor, "near": np.rint, "up": np.ceil}[rounding](constant * size)
    varied = size * (1 + 0.3 * np.sin(size))  # what a tokenizer would count
    guess = guessed_constant(made, {"words": size}, varied)
    assert guess is not None
    assert guess.fit.sum() >= 0.9 * len(size)
    assert guess.constant == pytest.approx(constant, abs=1.5 / min(sizes)), "but for the rounding, which may be another"


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(200, 2000), st.floats(-0.15, 0.15)),
        min_size=12,
        max_size=60,
        unique_by=lambda row: row[0],
    )
)
def test_counts_that_vary_as_tokenizers_do_are_no_constant(rows: list[tuple[int, float]]) -> None:
    size, spread = np.array([words for words, _ in rows]), np.array([noise for _, noise in rows])
    tokens = np.rint(1.3 * size * np.exp(spread))
    near = [np.mean(np.abs(spread - middle) < 0.01) for middle in spread]
    if max(near) < 0.8:
        assert guessed_constant(tokens, {"words": size}, 1.4 * size * (1 + 0.3 * np.sin(size))) is None


def test_short_texts_of_one_kind_prove_nothing(book: PriceBook) -> None:
    """An answer of 40 to 54 characters in 10 to 13 tokens: a quarter of the characters, by any tokenizer's count."""
    names = ["Ann", "Beatrice", "Al", "Maximilian", "Josephine", "Kim", "Bo", "Theodora", "Li", "Gwendolyn", "Tom"]
    said = [f"Thank you for your order, {name}. It is on its way." for name in names]
    rows = [
        call(n, model="gemini-2.0-flash", completion=text, usage=usage(9, o200k(text)))
        for n, text in enumerate(said * 3)
    ]
    assert find_doubts(read_log(rows), book) == []


def test_batches_do_not_matter(book: PriceBook) -> None:
    guessed = log(lambda text: len(text) // 4, lambda text: int(1.3 * len(text.split())), rows=40)
    whole = find_doubts(guessed, book)
    index = ModelIndex(book)
    split = Doubts(book, index)
    for requests, outcomes in guessed.batches(rows=7):
        split.add(requests, outcomes, index.of_log(requests["model"], requests["provider"]))
    assert split.found() == whole


@pytest.fixture(scope="module")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED


def test_of_recorded_provider_calls_one_is_doubted_and_rightly(shared: Path, book: PriceBook) -> None:
    """2,080 calls, 3,391 counts with a text beside them: one is doubted, an answer cut off before anything was counted.

    It states 0 tokens for a prompt of 42 characters. So no honest count is doubted.
    """
    doubts = find_doubts(read_log(shared / "provider_responses" / "responses.jsonl.gz"), book)
    assert [(doubt.side, doubt.kind, doubt.rows) for doubt in doubts] == [("input", "zero", 1)]


def test_public_prompts_counted_by_one_tokenizer_are_not_doubted_under_another_models_name(
    shared: Path, book: PriceBook
) -> None:
    def rows(model: str, tokenizer: str) -> Iterator[dict[str, Any]]:
        with gzip.open(shared / "prompts" / "labelled_prompts.jsonl.gz", "rt", encoding="utf-8") as lines:
            held = [json.loads(line) for line in islice(lines, 0, None, 12)]
        counts = count_texts(tokenizer, [row["prompt"] for row in held]).to_pylist()
        for n, (row, tokens) in enumerate(zip(held, counts, strict=True)):
            # Each source of the prompts stands for a source of the log.
            yield call(n, model=model, provider=row["source"], completion=row["prompt"], usage=usage(9, tokens))

    for model in ("gemini-2.0-flash", "mistral-large", "house-model-7"):
        doubts = find_doubts(read_log(list(rows(model, "cl100k_base"))), book)
        assert [doubt for doubt in doubts if doubt.side == "output"] == []

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from pricing import count_texts
from pricing.tokenizers import installed
from problems import BackrouteError

VOCABULARIES = Path(__file__).resolve().parents[2] / "pricing" / "vocabularies"
# What tiktoken pins, and the name under which its cache looks for each file (the sha1 of its address).
PINNED = {
    "o200k_base": (
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        "fb374d419588a4632f3f557e76b4b70aebbca790",
    ),
    "cl100k_base": (
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    ),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tiktoken.Encoding]]:
    """tiktoken's own registered encodings, loaded offline through its cache; it checks the pinned sha256 itself."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name, (_, cached_as) in PINNED.items():
        (cache / cached_as).write_bytes(gzip.decompress((VOCABULARIES / f"{name}.tiktoken.gz").read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        yield {name: tiktoken.Encoding(**getattr(openai_public, name)()) for name in PINNED}


@pytest.mark.parametrize("name", PINNED)
def test_the_vocabularies_that_ship_are_those_that_tiktoken_pins(name: str) -> None:
    unpacked = gzip.decompress((VOCABULARIES / f"{name}.tiktoken.gz").read_bytes())
    assert hashlib.sha256(unpacked).hexdigest() == PINNED[name][0]
    assert PINNED[name][0] in (VOCABULARIES / "NOTICE").read_text()


def strings_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_of(inner)


def every_text(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.jsonl.gz")):
        if path.parent.name != "traces":
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    yield from strings_of(json.loads(line))
    for path in sorted((folder / "log_exports").rglob("*.json*")):
        text = path.read_text("utf-8")
        for document in text.splitlines() if path.suffix == ".jsonl" else [text]:
            yield from strings_of(json.loads(document))


def expected(reference: tiktoken.Encoding, text: str) -> int:
    return len(reference.encode_ordinary(text))


@pytest.mark.parametrize("name", PINNED)
def test_a_sample_of_real_texts_counts_as_tiktoken_counts(
    reference: dict[str, tiktoken.Encoding], shared_data: Path, name: str
) -> None:
    with gzip.open(shared_data / "prompts" / "labelled_prompts.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for index, line in enumerate(lines) if index % 10 == 0]
    counts = count_texts(name, [row["prompt"] for row in rows]).to_pylist()
    assert counts == [expected(reference[name], row["prompt"]) for row in rows]
    if name == "o200k_base":
        assert counts == [row["o200k"] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", PINNED)
def test_every_real_text_counts_as_tiktoken_counts(
    reference: dict[str, tiktoken.Encoding], shared_data: Path, name: str
) -> None:
    texts = list(dict.fromkeys(every_text(shared_data)))
    assert len(texts) > 30_000
    counts = count_texts(name, texts).to_pylist()
    batch = reference[name].encode_ordinary_batch(texts, num_threads=2)
    assert counts == [len(tokens) for tokens in batch]


SPECIAL = st.sampled_from(
    ["<|endoftext|>", "<|endofprompt|>", "<|im_start|>", "\r\n", "  ", "'S", "don't", "１２３", "é"]
)


@pytest.mark.parametrize("name", PINNED)
@settings(deadline=None)  # the first one loads the vocabulary
@given(parts=st.lists(st.one_of(st.text(max_size=20), SPECIAL), max_size=6))
def test_any_text_counts_as_tiktoken_counts(
    reference: dict[str, tiktoken.Encoding], name: str, parts: list[str]
) -> None:
    text = "".join(parts)
    assert count_texts(name, [text]).to_pylist() == [expected(reference[name], text)]


@given(st.text(st.characters(codec=None, categories=["Cs", "Lu", "So", "Zs"]), max_size=20))
def test_lone_surrogates_count_as_tiktoken_counts_them(reference: dict[str, tiktoken.Encoding], text: str) -> None:
    assert count_texts("o200k_base", [text]).to_pylist() == [expected(reference["o200k_base"], text)]


def test_special_tokens_are_ordinary_text() -> None:
    assert count_texts("o200k_base", ["<|endoftext|>"])[0].as_py() > 1


def test_null_stays_null_and_empty_counts_nothing() -> None:
    texts = ["hello world", None, "", "hello world"]
    for column in (
        texts,
        pa.array(texts),
        pa.chunked_array([texts[:1], texts[1:]]),
        pa.array(texts).dictionary_encode(),
    ):
        assert count_texts("o200k_base", column).to_pylist() == [2, None, 0, 2]
    assert count_texts("o200k_base", []).to_pylist() == []
    assert count_texts("o200k_base", [None]).to_pylist() == [None]


def test_an_unknown_tokenizer_is_told() -> None:
    with pytest.raises(BackrouteError, match="did you mean 'o200k_base'"):
        count_texts("o200k_bas", ["x"])


def test_a_tokenizer_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricing.tokenizers._file", lambda _name: None)
    monkeypatch.setattr("pricing.tokenizers._counter", __import__("pricing").tokenizers._counter.__wrapped__)
    assert not installed("llama3")
    with pytest.raises(BackrouteError, match="llama3 is not installed"):
        count_texts("llama3", ["x"])


def test_llama_3_counts_by_its_own_vocabulary() -> None:
    """Llama 3 writes a number in groups of three digits, as cl100k_base does: 12 and 3456 and so 1 + 2 tokens."""
    if not installed("llama3"):
        pytest.skip("llama-models is not installed")
    assert count_texts("llama3", ["12", "3456", "hello world"]).to_pylist() == [1, 2, 2]

"""Exact tokenizers, offline: OpenAI's from vocabularies that ship here, Llama 3's where `llama-models` is installed."""

import binascii
import gzip
import importlib.util
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from pricing.alike import distinct
from pricing.fast_counts import Counts, FastCounter
from problems import BackrouteError, nearest

_VOCABULARIES = Path(__file__).parent / "vocabularies"
PIECE_BYTES = 2**20
TOKENIZERS = ("o200k_base", "cl100k_base", "llama3")

# How each splits a text before merging, as published with it (tiktoken's openai_public.py; llama-models' tokenizer.py).
_SPLIT = {
    "o200k_base": "|".join(
        (
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ),
    "cl100k_base": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
    r"|\s*[\r\n]|\s+(?!\S)|\s",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+",
}


def installed(tokenizer: str) -> bool:
    """Whether this tokenizer can count here; those of OpenAI always can."""
    return tokenizer in TOKENIZERS and _file(tokenizer) is not None


def count_texts(
    tokenizer: str,
    texts: pa.Array | pa.ChunkedArray | Sequence[str | None],
    *,
    strings: Sequence[str | None] | None = None,
    again: bool = False,
) -> pa.Array:
    """Tokens in each text, special tokens spelled out as ordinary text; identical texts are counted once.

    Args:
        tokenizer: one of TOKENIZERS.
        texts: strings; null stays null.
        strings: the texts of a column as strings of Python's, where the caller has them; none is made then.
        again: many of them come again in later calls, as a conversation's history does; then one count serves all.

    Returns:
        int64, one per text.

    Raises:
        BackrouteError: the tokenizer is unknown or not installed.
    """
    column = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array([_clean(text) for text in texts])
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_null(flat.type):
        return flat.cast(pa.int64())
    if pa.types.is_dictionary(flat.type):
        return count_texts(tokenizer, flat.dictionary, again=again).take(flat.indices)
    flat = flat.cast(pa.string())
    first, which = distinct(flat)
    counter = _counter(tokenizer)
    count = counter.lately if again else counter
    if strings is not None:
        counts = count([strings[at] for at in first.tolist()])
    else:
        counts = np.concatenate([count(some) for some in _pieces(flat, first)])
    return pa.array(counts).take(which)


def _pieces(texts: pa.Array, at: Counts) -> Iterator[list[str]]:
    """The texts of these numbers as strings of Python's, some at a time, which do not leave the processor's cache."""
    step = min(PIECE_BYTES * len(texts) // (texts.nbytes + 1), len(at)) or 1
    for begin in range(0, max(len(at), 1), step):
        yield texts.take(pa.array(at[begin : begin + step], pa.int64())).to_pylist()


def _clean(text: str | None) -> str | None:
    """A text without lone surrogates, which no encoding can carry: each becomes U+FFFD, as tiktoken counts it."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def _counter(tokenizer: str) -> FastCounter:
    import tiktoken

    if tokenizer not in TOKENIZERS:
        fix = nearest(tokenizer, TOKENIZERS) or f"use one of {', '.join(TOKENIZERS)}"
        raise BackrouteError("tokenizer", f"unknown tokenizer ({tokenizer!r})", fix=fix)
    file = _file(tokenizer)
    if file is None:
        raise BackrouteError("tokenizer", f"{tokenizer} is not installed", fix="pip install 'backroute[llama]'")
    packed = file.read_bytes()
    held = gzip.decompress(packed) if file.suffix == ".gz" else packed
    said = held.split()  # a token and its rank, again and again
    ranks = dict(zip(map(binascii.a2b_base64, said[::2]), map(int, said[1::2]), strict=True))
    split = _SPLIT[tokenizer]
    reference = tiktoken.Encoding(tokenizer, pat_str=split, mergeable_ranks=ranks, special_tokens={})
    return FastCounter(reference, split, held)


def _file(tokenizer: str) -> Path | None:
    if tokenizer != "llama3":
        return _VOCABULARIES / f"{tokenizer}.tiktoken.gz"
    spec = importlib.util.find_spec("llama_models")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [file for folder in folders or () if (file := Path(folder) / "llama3" / "tokenizer.model").is_file()]
    return found[0] if found else None

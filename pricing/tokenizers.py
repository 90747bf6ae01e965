"""Exact tokenizers, offline: OpenAI's from vocabularies that ship here, Llama 3's where `llama-models` is installed."""

import base64
import gzip
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from problems import BackrouteError, nearest

if TYPE_CHECKING:
    import tiktoken

_VOCABULARIES = Path(__file__).parent / "vocabularies"
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


def count_texts(tokenizer: str, texts: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> pa.Array:
    """Tokens in each text, special tokens spelled out as ordinary text; identical texts are counted once.

    Args:
        tokenizer: one of TOKENIZERS.
        texts: strings; null stays null.

    Returns:
        int64, one per text.

    Raises:
        BackrouteError: the tokenizer is unknown or not installed.
    """
    column = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array([_clean(text) for text in texts])
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_null(flat.type):
        return flat.cast(pa.int64())
    encoded = flat if pa.types.is_dictionary(flat.type) else flat.dictionary_encode()
    encode = _encoding(tokenizer).encode_ordinary
    counts = [None if text is None else len(encode(text)) for text in encoded.dictionary.to_pylist()]
    return pc.take(pa.array(counts, pa.int64()), encoded.indices)


def _clean(text: str | None) -> str | None:
    """A text without lone surrogates, which no encoding can carry: each becomes U+FFFD, as tiktoken counts it."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def _encoding(tokenizer: str) -> "tiktoken.Encoding":
    import tiktoken

    if tokenizer not in TOKENIZERS:
        fix = nearest(tokenizer, TOKENIZERS) or f"use one of {', '.join(TOKENIZERS)}"
        raise BackrouteError("tokenizer", f"unknown tokenizer ({tokenizer!r})", fix=fix)
    file = _file(tokenizer)
    if file is None:
        raise BackrouteError("tokenizer", f"{tokenizer} is not installed", fix="pip install 'backroute[llama]'")
    packed = file.read_bytes()
    lines = (gzip.decompress(packed) if file.suffix == ".gz" else packed).splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    return tiktoken.Encoding(tokenizer, pat_str=_SPLIT[tokenizer], mergeable_ranks=ranks, special_tokens={})


def _file(tokenizer: str) -> Path | None:
    if tokenizer != "llama3":
        return _VOCABULARIES / f"{tokenizer}.tiktoken.gz"
    spec = importlib.util.find_spec("llama_models")
    folders = spec.submodule_search_locations if spec is not None else None
    found = [file for folder in folders or () if (file := Path(folder) / "llama3" / "tokenizer.model").is_file()]
    return found[0] if found else None

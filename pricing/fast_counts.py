"""Fast exact token counts by fastokens, held against tiktoken at load and on a sample of every batch it counts."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import fastokens
    import tiktoken

Counts = np.ndarray[Any, np.dtype[np.int64]]

LOAD_AT = 6  # bytes of text for each of the vocabulary: fastokens loads it in the time in which tiktoken counts these
SAMPLED = 1_009  # every so-manieth text is counted by both; tiktoken takes ten times as long
LONGEST_SAMPLE = 20_000  # characters
HELD = 2**16  # texts whose counts are remembered, 160 bytes each; more would leave the processor's cache
AT_ONCE, CHARACTERS_AT_ONCE = 512, 2**20  # for fastokens, so that what it makes of them stays in the processor's cache
# tiktoken's expressions run out of stack over a million spaces in a row; it is given such a text in pieces.
PIECE = 100_000
LONG_RUN = re.compile(rf"\s{{{PIECE}}}")
# Where tokenizers differ if they do: contractions, digits, cases, spaces, scripts, marks, emoji, special tokens' names.
PROBES = (
    *("", " ", "  \n\n\t x", "Hello world", "don't DON'T I'LL we'Ve", "1234567 12.50 3,000", "camelCaseHTTPServer_x"),
    *("<|endoftext|><|im_start|>user", "naïve café Ünïcödé", "Привет, как дела?", "你好，世界。今天", "こんにちは世界"),
    *("مرحبا بالعالم", "हिन्दी में पाठ", "👩‍👩‍👧‍👦🏳️‍🌈 emoji", "e\u0301\u0323 z\u0335", "\u200b\u2028\ufeff", "a" * 300),
    *("def f(x):\n    return {'a': [x**2]}\r\n", "https://x.org/?q=1&r=%20", "\x00\x07\ufffd", "İstanbul ſtrange K"),
)

log = logging.getLogger("backroute")


class Forecast:
    """How much of what this process is to read it has read, so that a tokenizer can tell what it will be asked for."""

    def __init__(self) -> None:
        self._expected = self._done = 0

    def reads(self, size: int, *, of: int) -> None:
        """Tell that the next `size` bytes are read, of `of` in all."""
        self._done, self._expected = (self._done if of == self._expected else 0) + size, of

    def of(self, counted: int) -> float:
        """What will have been counted at the end, at the rate of what was; that itself where nothing was told."""
        return counted * max(self._expected / self._done, 1.0) if self._done else counted


forecast = Forecast()


class FastCounter:
    """Counts texts with tiktoken until there is much to count, then with fastokens as long as both agree.

    A text counted lately is known by Python's 64-bit hash, which holds no texts in memory; that it meets the count of
    another has a chance below 10^-13.

    Args:
        encoding: the reference.
        pattern: how it splits a text before merging.
        ranks: the vocabulary as a tiktoken file, unpacked.
    """

    def __init__(self, encoding: tiktoken.Encoding, pattern: str, ranks: bytes) -> None:
        self._reference, self._pattern, self._ranks = encoding, pattern, ranks
        self._fast: fastokens.Tokenizer | None = None
        self._tried = False
        self._counted = 0
        self._held: dict[int, int] = {}

    def __call__(self, texts: Sequence[str]) -> Counts:
        """Tokens of each text."""
        return self._count(texts) if len(texts) else np.zeros(0, np.int64)

    def lately(self, texts: Sequence[str]) -> Counts:
        """The same, but what this method counted lately is not counted again; to know it takes a third of counting."""
        if len(self._held) > HELD:
            self.forget()
        held, keys = self._held, list(map(hash, texts))  # held on to, whatever another thread forgets
        new = dict(zip(keys, texts, strict=True))
        for key in new.keys() & held.keys():
            del new[key]
        held.update(zip(new, self(list(new.values())).tolist(), strict=True))
        return np.fromiter(map(held.__getitem__, keys), np.int64, len(texts))

    def forget(self) -> None:
        """Forget what was counted; so a measurement counts again."""
        self._held = {}

    def _count(self, texts: Sequence[str]) -> Counts:
        if not self._tried:
            self._counted += sum(map(len, texts))
            if forecast.of(self._counted) >= LOAD_AT * len(self._ranks) or any(
                len(_pieces(text)) > 1 for text in texts
            ):
                self._load()
        if self._fast is None:
            return self._by_reference(texts)
        counts = _batch(self._fast, texts)
        for at in range(len(texts) // 2 % SAMPLED, len(texts), SAMPLED):
            if len(texts[at]) <= LONGEST_SAMPLE and counts[at] != len(self._reference.encode_ordinary(texts[at])):
                self._refuse("a text of the log")
                return self._by_reference(texts)
        return counts

    def _by_reference(self, texts: Sequence[str]) -> Counts:
        encode = self._reference.encode_ordinary
        counts = (sum(len(encode(piece)) for piece in _pieces(text)) for text in texts)
        return np.fromiter(counts, np.int64, len(texts))

    def _load(self) -> None:
        self._tried = True
        try:
            import fastokens
        except ImportError:  # a platform without a wheel: tiktoken counts alone
            return
        handle, path = tempfile.mkstemp(suffix=".tiktoken")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._ranks)
            self._fast = fastokens.Tokenizer.from_tiktoken(path, pattern=self._pattern, special_tokens={})
        finally:
            Path(path).unlink()
        if _batch(self._fast, PROBES).tolist() != self._by_reference(PROBES).tolist():
            self._refuse("its self-check")

    def _refuse(self, where: str) -> None:
        self._fast = None
        name = self._reference.name
        log.warning("note: fastokens and tiktoken differ on %s (%s); tiktoken counts instead, slower", where, name)


def _pieces(text: str) -> list[str]:
    """A text as tiktoken can take it: whole, or in pieces, which may count a token more where they meet."""
    if len(text) < PIECE or not LONG_RUN.search(text):
        return [text]
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def _batch(fast: fastokens.Tokenizer, texts: Sequence[str]) -> Counts:
    some = texts[::16]
    step = min(CHARACTERS_AT_ONCE * len(some) // (sum(map(len, some)) + 1), AT_ONCE) or 1
    parts = [list(texts[at : at + step]) for at in range(0, len(texts), step)]
    offsets = [np.frombuffer(fast.encode_batch_flat(part)[1], np.uint64) for part in parts]
    return np.concatenate([np.diff(each) for each in offsets]).astype(np.int64)

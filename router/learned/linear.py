"""A linear model over counted terms, summed in whole numbers: a text scores alike alone and among a million.

The file is npz without pickles: loading one runs no code. Its vocabulary holds words and pairs of words, no more.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from problems import BackrouteError
from router.learned.text import terms

Array = np.ndarray[Any, np.dtype[Any]]
Link = Literal["softmax", "sigmoid"]
VERSION = 1
LARGEST_COUNT = 63  # a term counts no more often than this
# Sublinear term frequency, 1 + ln(count), in thousandths: Manning, Raghavan and Schuetze 2008, section 6.4.1.
_FREQUENCY = np.array([0] + [round(1000 * (1 + math.log(n))) for n in range(1, LARGEST_COUNT + 1)], np.int64)
ROUND_TO = 6  # decimals of a score
LARGEST_IDF = 100_000  # e^100 texts; with it and weights of 16 bits, sums hold any text
# Whatever unpacking or reading says of other bytes.
DAMAGED = (
    *(ValueError, KeyError, EOFError, TypeError, OverflowError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class LinearModel:
    """Scores per text, from term weights.

    Args:
        outputs: what is scored, for example the task classes or model names.
        link: "softmax" where the outputs exclude each other, "sigmoid" where each stands alone.
        vocabulary: the terms, in the order of the rows of `weights`.
        idf: int64, inverse document frequencies in thousandths.
        weights: int64 (terms, outputs), in units of `unit`.
        unit: what one step of a weight is worth.
        bias: float64 per output.
        slope, offset: float64 per output; they turn logits into calibrated ones.
        about: what it was trained on and how it scored, as JSON can hold it.
    """

    outputs: tuple[str, ...]
    link: Link
    vocabulary: tuple[str, ...]
    idf: Array
    weights: Array
    unit: float
    bias: Array
    slope: Array
    offset: Array
    about: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {term: row for row, term in enumerate(self.vocabulary)}

    @cached_property
    def digest(self) -> str:
        """A hash of everything that a score depends on."""
        arrays = (self.idf, self.weights, self.bias, self.slope, self.offset)
        said = [VERSION, self.outputs, self.link, self.vocabulary, self.unit, *(each.tolist() for each in arrays)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    @property
    def seconds_a_text(self) -> float:
        """Of one core, for a text's scores: measured by `make bench-routing`, rounded up."""
        return 0.0003

    def counted(self, texts: Sequence[str]) -> tuple[Array, Array, Array]:
        """Every known term of every text: (row of the text, row of the term, value), ordered by text.

        A value is frequency x idf in millionths, whole.
        """
        known, width = self._rows, max(len(self.vocabulary), 1)
        keys: list[int] = []
        for number, text in enumerate(texts):
            start = number * width
            keys.extend(start + row for row in map(known.get, terms(text)) if row is not None)
        found, count = np.unique(np.array(keys, np.int64), return_counts=True)
        row, term = np.divmod(found, width)
        return row, term, _FREQUENCY[np.minimum(count, LARGEST_COUNT)] * self.idf[term]

    def logits(self, texts: Sequence[str]) -> Array:
        """Float64 (texts, outputs) before calibration: bias + weights . value / |value|.

        Sums are over whole numbers, so they do not depend on their order; what follows rounds correctly, element by
        element.
        """
        text, term, value = self.counted(texts)
        sums = np.zeros((len(texts), len(self.outputs)), np.int64)
        squares = np.zeros(len(texts), np.int64)
        if len(text):
            starts = np.flatnonzero(np.diff(text, prepend=-1))
            here = text[starts]
            sums[here] = np.add.reduceat(value[:, None] * self.weights[term], starts, axis=0)
            squares[here] = np.add.reduceat((value // 1000) ** 2, starts)
        norm = np.sqrt(np.maximum(squares, 1).astype(np.float64)) * 1000.0
        return self.bias + sums.astype(np.float64) / norm[:, None] * self.unit

    def scores(self, texts: Sequence[str]) -> Array:
        """Float64 (texts, outputs), probabilities rounded to six decimals."""
        return linked(self.logits(texts) * self.slope + self.offset, self.link)

    def similarity(self, text: str, others: Sequence[str]) -> Array:
        """Cosine of a text with each of some others over the known terms, 0 to 1."""
        row, term, value = self.counted([text, *others])
        here = np.zeros(len(self.vocabulary))
        here[term[row == 0]] = value[row == 0]
        norms = np.sqrt(np.bincount(row, value.astype(np.float64) ** 2, len(others) + 1))
        dots = np.bincount(row, value * here[term], len(others) + 1)
        return np.asarray(dots[1:] / np.maximum(norms[1:] * max(norms[0], 1.0), 1.0))

    def save(self, path: Path) -> None:
        """Write the file.

        Raises:
            BackrouteError: it cannot be written.
        """
        said = {
            "version": VERSION,
            "outputs": self.outputs,
            "link": self.link,
            "unit": self.unit,
            "about": self.about,
        }
        arrays = {"idf": self.idf.astype(np.int32), "weights": self.weights.astype(np.int16)}
        arrays |= {"bias": self.bias, "slope": self.slope, "offset": self.offset}
        arrays |= {"vocabulary": _bytes("\n".join(self.vocabulary)), "said": _bytes(json.dumps(said))}
        try:
            with path.open("wb") as sink:
                np.savez_compressed(sink, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise BackrouteError(str(path), f"cannot be written ({error.strerror})", fix="give another file") from error

    @classmethod
    def load(cls, path: Path) -> LinearModel:
        """Read a file that `save` wrote.

        Raises:
            BackrouteError: no such file, or it is no model of this version.
        """
        try:
            return cls._read(path.read_bytes())
        except OSError as error:
            fix = "`backroute train` writes one"
            raise BackrouteError(str(path), f"no model file can be read ({error.strerror})", fix=fix) from error
        except DAMAGED as error:
            what = f"not a model file of version {VERSION} ({type(error).__name__})"
            raise BackrouteError(str(path), what, fix="train it again with `backroute train`") from error

    @classmethod
    def _read(cls, content: bytes) -> LinearModel:
        with np.load(io.BytesIO(content), allow_pickle=False) as held:
            said = json.loads(held["said"].tobytes())
            if said["version"] != VERSION:
                raise ValueError("version")
            words = held["vocabulary"].tobytes().decode()
            vocabulary = tuple(words.split("\n")) if words else ()
            outputs, link, unit = tuple(said["outputs"]), said["link"], float(said["unit"])
            named = (
                bool(outputs) and all(isinstance(name, str) for name in outputs) and len(set(outputs)) == len(outputs)
            )
            if (
                not named
                or link not in ("softmax", "sigmoid")
                or not 0 < unit < 1e9
                or not isinstance(said["about"], dict)
            ):
                raise ValueError("what it says of itself")
            idf = _array(held["idf"], np.int32, (len(vocabulary),), LARGEST_IDF)
            weights = _array(held["weights"], np.int16, (len(vocabulary), len(outputs)), 2**15)
            bias, slope, offset = (
                _array(held[name], np.float64, (len(outputs),), 1e9) for name in ("bias", "slope", "offset")
            )
            wide = idf.astype(np.int64), weights.astype(np.int64)
            return cls(outputs, link, vocabulary, *wide, unit, bias, slope, offset, said["about"])


def _array(held: Array, kind: type[np.generic], shape: tuple[int, ...], largest: float) -> Array:
    """An array as it was saved.

    Raises:
        ValueError: it is another.
    """
    if held.dtype != kind or held.shape != shape or not (np.abs(held.astype(np.float64)) <= largest).all():
        raise ValueError("an array of another kind, shape or size")
    return held


def linked(logits: Array, link: str) -> Array:
    """Probabilities of logits, to six decimals.

    `math.exp` row by row, since numpy's vectorised one differs in its last digit by position.
    """
    result = np.empty(logits.shape)
    for number, row in enumerate(logits.tolist()):
        if link == "sigmoid":
            result[number] = [round(1 / (1 + math.exp(-max(min(x, 500.0), -500.0))), ROUND_TO) for x in row]
        else:
            top = max(row)
            powers = [math.exp(x - top) for x in row]
            total = math.fsum(powers)
            result[number] = [round(power / total, ROUND_TO) for power in powers]
    return result


def _bytes(text: str) -> Array:
    return np.frombuffer(text.encode(), np.uint8)

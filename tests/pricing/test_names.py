from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import PriceBook
from problems import BackrouteError

NAMES = {
    "gpt-4o": "openai/gpt-4o",
    "GPT-4o": "openai/gpt-4o",
    "openai/gpt-4o": "openai/gpt-4o",
    "gpt-4o-2024-11-20": "openai/gpt-4o",
    "gpt-4o-2024-08-06": "openai/gpt-4o-2024-08-06",
    "gpt-4o-2024-05-13": "openai/gpt-4o-2024-05-13",
    "gpt-4o-mini": "openai/gpt-4o-mini",
    "azure/gpt-4o": "azure/gpt-4o",
    "azure/gpt-35-turbo": "azure/gpt-3.5-turbo",
    "claude-sonnet-4-5-20250929": "anthropic/claude-sonnet-4-5",
    "anthropic/claude-3.5-sonnet": "anthropic/claude-3-5-sonnet",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock/anthropic.claude-3-haiku-20240307-v1:0": "aws/regional.anthropic.claude-3-haiku-20240307-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0": (
        "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    ),
    "groq/llama-3.1-8b-instant": "groq/llama-3.1-8b-instant",
    "llama-3.1-8b-instant": "groq/llama-3.1-8b-instant",
    "mixtral-8x7b-32768": "groq/mixtral-8x7b-32768",
    "groq/openai/gpt-oss-120b": "groq/openai/gpt-oss-120b",
    "openrouter/openai/gpt-4o": "openrouter/openai/gpt-4o",
    "together/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo": "together/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
    "accounts/fireworks/models/gpt-oss-120b": "fireworks/gpt-oss-120b",
    "models/gemini-2.0-flash": "google/gemini-2.0-flash",
    "vertex_ai/gemini-2.5-pro": "google/gemini-2.5-pro",
    "gemini/gemini-1.5-flash-002": "google/gemini-1.5-flash",
    "ft:gpt-4o-mini-2024-07-18:acme:support:AbC123": "openai/ft:gpt-4o-mini",
    "chatgpt-4o-latest": "openai/chatgpt-4o-latest",
    "text-embedding-3-small": "openai/text-embedding-3-small",
}


@pytest.mark.parametrize(("name", "canonical"), NAMES.items())
def test_a_name_as_logs_spell_it_finds_its_model(book: PriceBook, name: str, canonical: str) -> None:
    assert book.resolve(name) == canonical


@pytest.mark.parametrize(
    "name",
    [None, "", " ", "/", "gpt", "claude", "gpt-4o-banana", "claude-3-haiku-banana", "banana/gpt-4o", "openai/",
     "o1banana", "gemini-2.5-pro-banana", "us.anthropic.banana", "openai/claude-3-haiku", "a" * 10_000],
)  # fmt: skip
def test_a_name_that_only_resembles_a_model_finds_nothing(book: PriceBook, name: str | None) -> None:
    assert book.resolve(name) is None


@pytest.mark.parametrize(
    ("name", "provider", "canonical"),
    [
        ("gpt-4o", "openai", "openai/gpt-4o"),
        ("openai/gpt-4o", "OpenAI", "openai/gpt-4o"),
        ("openai/gpt-oss-120b", "groq", "groq/openai/gpt-oss-120b"),
        ("openai/gpt-4o", "openrouter", "openrouter/openai/gpt-4o"),
        ("azure/gpt-4o", "azure_openai", "azure/gpt-4o"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock", "aws/regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("claude-sonnet-4-5@20250929", "vertex_ai", "google/claude-sonnet-4-5"),
        ("gpt-4o", "litellm", "openai/gpt-4o"),
        ("gpt-4o", "nobody", None),
        ("gpt-4o", "groq", None),
    ],
)
def test_a_provider_beside_the_name_decides_whose_bill_it_is(
    book: PriceBook, name: str, provider: str, canonical: str | None
) -> None:
    assert book.resolve(name, provider) == canonical


def test_every_name_in_the_book_finds_itself_whatever_its_case(book: PriceBook) -> None:
    assert [name for name in book.models() if book.resolve(name) != name or book.resolve(name.upper()) != name] == []


@given(st.text(max_size=40), st.one_of(st.none(), st.sampled_from(["openai", "groq", "aws"]), st.text(max_size=10)))
def test_any_text_resolves_to_a_known_name_or_nothing(book: PriceBook, name: str, provider: str | None) -> None:
    found = book.resolve(name, provider)
    assert found is None or book.resolve(found) == found


def test_a_snapshot_is_the_same_model_but_another_snapshot_is_not(book: PriceBook) -> None:
    assert book.same_model("openai/gpt-4o", "openai/gpt-4o-2024-05-13")
    assert book.same_model("openai/gpt-4o-2024-05-13", "openai/gpt-4o")
    assert book.same_model("anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5-20250929")
    assert not book.same_model("openai/gpt-4o-2024-05-13", "openai/gpt-4o-2024-08-06")
    assert not book.same_model("openai/gpt-4o", "openai/gpt-4o-mini")
    assert not book.same_model("openai/gpt-4o", "azure/gpt-4o")


def test_an_unknown_name_raises_with_its_nearest_matches(book: PriceBook) -> None:
    with pytest.raises(BackrouteError, match=r"rules\.yaml: unknown model \('openai/gpt-4p'\).*'openai/gpt-4o'"):
        book.require("openai/gpt-4p", "rules.yaml")


def test_a_private_model_is_found_by_its_names(book_of: Callable[[str], PriceBook]) -> None:
    private = book_of(
        "as_of: 2026-01-01\nmodels:\n  acme/chat-1: {names: [chat-one], prices: [{input_usd_per_mtok: 1}]}\n"
    )
    assert (
        private.resolve("acme/chat-1")
        == private.resolve("ACME/chat-one")
        == private.resolve("chat-one")
        == "acme/chat-1"
    )
    assert private.resolve("chat-1", "acme") == "acme/chat-1"
    assert private.resolve("chat-2", "acme") is None

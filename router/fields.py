"""The words rules are written with: `length() < 200`, `mentions("sql")`, `meta("complex")`, `has_tools()`."""

from __future__ import annotations

from typing import Any

from router.conditions import Compare, Condition, Mentions, Meta, OneOf


class Number:
    """A number of the request, to be compared: `length() < 200`."""

    def __init__(self, column: str) -> None:
        self.column = column

    def __lt__(self, threshold: float) -> Condition:
        return Compare(self.column, "below", threshold)

    def __le__(self, threshold: float) -> Condition:
        return Compare(self.column, "at_most", threshold)

    def __ge__(self, threshold: float) -> Condition:
        return Compare(self.column, "at_least", threshold)

    def __gt__(self, threshold: float) -> Condition:
        return Compare(self.column, "above", threshold)


class Name:
    """A field of the request, to be equal to a value or to one of a list: `user_id() == ["ann", "bo"]`."""

    def __init__(self, column: str) -> None:
        self.column = column

    def __eq__(self, values: object) -> Any:
        return OneOf(self.column, tuple(values) if isinstance(values, list | tuple) else (values,))

    def __ne__(self, values: object) -> Any:
        return ~(self == values)

    __hash__ = None  # type: ignore[assignment]


def length() -> Number:
    """Characters of the routing text, the last user message."""
    return Number("length")


def input_tokens() -> Number:
    """Tokens of all messages, counted with o200k_base and the OpenAI chat overhead."""
    return Number("input_tokens")


def estimated_cost_usd() -> Number:
    """USD of the request on the rule set's last model: its input tokens, and `max_output_tokens` or 300 of output."""
    return Number("estimated_cost_usd")


def latency_budget_ms() -> Number:
    """Milliseconds the caller can wait."""
    return Number("latency_budget_ms")


def n_messages() -> Number:
    """Messages in the conversation, the system prompt included."""
    return Number("n_messages")


def max_output_tokens() -> Number:
    """The cap on output tokens that the caller set."""
    return Number("max_output_tokens")


def mentions(*words: str, whole_word: bool = False) -> Mentions:
    """The routing text holds one of the words, in any case; with `whole_word`, not as part of a longer one."""
    return Mentions(words, whole_word)


def meta(key: str) -> Meta:
    """True where meta holds a true value under the key; compare it with `==` for a certain value."""
    return Meta(key)


def has_tools(wanted: bool = True) -> OneOf:
    """The request offers tools; with False, it says that it does not."""
    return OneOf("has_tools", (wanted,))


def has_images(wanted: bool = True) -> OneOf:
    """The request holds images; with False, it says that it does not."""
    return OneOf("has_images", (wanted,))


def json_mode(wanted: bool = True) -> OneOf:
    """The request asks for JSON; with False, it says that it does not."""
    return OneOf("json_mode", (wanted,))


def user_id() -> Name:
    """Who asked."""
    return Name("user_id")


def model() -> Name:
    """The model in the log's own words, or as the caller asked for it: no alias is resolved."""
    return Name("model")

"""Conditions as data: built with ordinary operators, evaluated over columns, printed and written to YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from router.features import Features

COMPARISONS = {"below": pc.less, "at_most": pc.less_equal, "at_least": pc.greater_equal, "above": pc.greater}
SYMBOLS = {"below": "<", "at_most": "<=", "at_least": ">=", "above": ">"}

Yaml = dict[str, Any]


class Condition(Protocol):
    """Something that is true, false or undecidable of each request, from what is known when it arrives."""

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """One boolean per request; null where the log lacks what the condition needs (its text, say)."""

    def to_yaml(self) -> Yaml:
        """The mapping that stands under `when` in a rules file."""

    def __and__(self, other: Condition) -> Condition: ...
    def __or__(self, other: Condition) -> Condition: ...
    def __invert__(self) -> Condition: ...


class Combinable:
    """`&`, `|` and `~` for every condition."""

    def __and__(self, other: Condition) -> Condition:
        return All((*_flat(self, All), *_flat(other, All)))

    def __or__(self, other: Condition) -> Condition:
        return Any_((*_flat(self, Any_), *_flat(other, Any_)))

    def __invert__(self) -> Condition:
        return Not(self)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth of its own: combine conditions with & | ~, not with and, or, not")


def _flat(condition: Any, kind: type[All] | type[Any_]) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, kind) else (condition,)


@dataclass(frozen=True)
class All(Combinable):
    """True where every part is; false where any part is false, even beside an undecidable one."""

    parts: tuple[Condition, ...]

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        result = self.parts[0].evaluate(features)
        for part in self.parts[1:]:
            result = pc.and_kleene(result, part.evaluate(features))
        return result

    def to_yaml(self) -> Yaml:
        """The parts in one mapping where their keys differ, else under `all`."""
        parts = [part.to_yaml() for part in self.parts]
        keys = [key for part in parts for key in part]
        if len(set(keys)) == len(keys):
            return {key: value for part in parts for key, value in part.items()}
        return {"all": parts}

    def __str__(self) -> str:
        return " & ".join(f"({part})" if isinstance(part, Any_) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Any_(Combinable):  # noqa: N801 - `Any` is typing's
    """True where any part is."""

    parts: tuple[Condition, ...]

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        result = self.parts[0].evaluate(features)
        for part in self.parts[1:]:
            result = pc.or_kleene(result, part.evaluate(features))
        return result

    def to_yaml(self) -> Yaml:
        """The parts under `any`."""
        return {"any": [part.to_yaml() for part in self.parts]}

    def __str__(self) -> str:
        return " | ".join(f"({part})" if isinstance(part, All) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Not(Combinable):
    """True where the part is false; undecidable where the part is."""

    part: Condition

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        return pc.invert(self.part.evaluate(features))

    def to_yaml(self) -> Yaml:
        """The part under `not`."""
        return {"not": self.part.to_yaml()}

    def __str__(self) -> str:
        return f"~{self.part}" if not isinstance(self.part, All | Any_) else f"~({self.part})"


@dataclass(frozen=True)
class Compare(Combinable):
    """A number of the request against a threshold; a request that states no such number does not match."""

    column: str
    comparison: str
    threshold: float

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; undecidable where the number depends on a text that the log does not hold."""
        result = COMPARISONS[self.comparison](features[self.column], pa.scalar(self.threshold))
        return result if self.column in Features.NEED_TEXT else pc.fill_null(result, False)

    def to_yaml(self) -> Yaml:
        """For example `{length: {below: 200}}`."""
        return {self.column: {self.comparison: self.threshold}}

    def __str__(self) -> str:
        return f"{self.column}() {SYMBOLS[self.comparison]} {self.threshold:g}"


@dataclass(frozen=True)
class OneOf(Combinable):
    """A field of the request equal to one of some values; a request without the field does not match."""

    column: str
    values: tuple[Any, ...]

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        column = features[self.column]
        return pc.is_in(column, value_set=pa.array(self.values, column.type), skip_nulls=True)

    def to_yaml(self) -> Yaml:
        """A single value stands alone, several in a list."""
        return {self.column: self.values[0] if len(self.values) == 1 else list(self.values)}

    def __str__(self) -> str:
        if self.values == (True,):
            return f"{self.column}()"
        return f"{self.column}() == {self.values[0] if len(self.values) == 1 else list(self.values)!r}"


@dataclass(frozen=True)
class Mentions(Combinable):
    """The routing text holds one of some words, by RE2's Unicode case folding.

    Without `whole_word`, "class" is found in "classify", as in the seed. With it, a word ends where neither a letter,
    a digit nor an underscore of any script follows.
    """

    words: tuple[str, ...]
    whole_word: bool = False

    @property
    def pattern(self) -> str:
        """The one regular expression for all words."""
        words = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        edge = r"[^\p{L}\p{N}_]"
        return f"(?:^|{edge})(?:{words})(?:{edge}|$)" if self.whole_word else f"(?:{words})"

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; undecidable where the log holds no text."""
        return pc.match_substring_regex(features["prompt"], self.pattern, ignore_case=True)

    def to_yaml(self) -> Yaml:
        """A list of words, or `{any: [...], whole_word: true}`."""
        words = list(self.words)
        return {"mentions": {"any": words, "whole_word": True} if self.whole_word else words}

    def __str__(self) -> str:
        words = ", ".join(repr(word) for word in self.words)
        return f"mentions({words}{', whole_word=True' if self.whole_word else ''})"


@dataclass(frozen=True)
class Meta(Combinable):
    """A key of the request's meta equal to a value, or true in Python's sense for the value `truthy`."""

    key: str
    value: Any = "truthy"

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; a request without meta, or without the key, does not match."""
        return features.meta_matches(self.key, self._matches)

    def _matches(self, meta: Mapping[str, Any]) -> bool:
        if self.value == "truthy":
            return bool(meta.get(self.key))
        held = meta.get(self.key)
        return bool(held == self.value) and isinstance(held, bool) == isinstance(self.value, bool)

    def to_yaml(self) -> Yaml:
        """For example `{meta: {complex: truthy}}`."""
        return {"meta": {self.key: self.value}}

    def __eq__(self, other: object) -> Any:
        # meta("tier") == "gold" makes a condition; two conditions compare as data.
        if isinstance(other, Meta):
            return (self.key, self.value) == (other.key, other.value)
        return Meta(self.key, other)

    def __hash__(self) -> int:
        return hash((self.key, repr(self.value)))

    def __str__(self) -> str:
        return f"meta({self.key!r})" if self.value == "truthy" else f"meta({self.key!r}) == {self.value!r}"

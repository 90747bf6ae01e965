"""Conditions as data: built with ordinary operators, evaluated over columns, printed and written to YAML."""

from __future__ import annotations

import math
import numbers
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from problems import BackrouteError
from router.features import FLAGS, NAMES, NEED_TEXT, Features

COMPARISONS = {"below": pc.less, "at_most": pc.less_equal, "at_least": pc.greater_equal, "above": pc.greater}
SYMBOLS = {"below": "<", "at_most": "<=", "at_least": ">=", "above": ">"}

Yaml = dict[str, Any]


class Asked(NamedTuple):
    """A learned model, as its hash, and what its scores of one text take of one core."""

    digest: str
    seconds_a_text: float


class Condition(ABC):
    """Something that is true, false or undecidable of each request, from what is known when it arrives.

    `&`, `|` and `~` combine conditions; `str()` is the Python that builds the condition again.
    """

    @abstractmethod
    def evaluate(self, features: Features) -> pa.BooleanArray:
        """One boolean per request; null where the log lacks what the condition needs (its text, say)."""

    @abstractmethod
    def to_yaml(self) -> Yaml:
        """The mapping that stands under `when` in a rules file."""

    def asks(self) -> tuple[Asked, ...]:
        """The learned models that it asks: rules change when one of them does, and pay for its scores."""
        return ()

    def __and__(self, other: Condition) -> Condition:
        return All((self, other)) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: Condition) -> Condition:
        return AnyOf((self, other)) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> Condition:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth of its own: combine conditions with & | ~, not with and, or, not")


@dataclass(frozen=True)
class All(Condition):
    """True where every part is; false where any part is false, even beside an undecidable one."""

    parts: tuple[Condition, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(self.parts, All))

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        result = self.parts[0].evaluate(features)
        for part in self.parts[1:]:
            if not result.true_count and not result.null_count:  # false everywhere: no part can change that
                break
            result = pc.and_kleene(result, part.evaluate(features))
        return result

    def asks(self) -> tuple[Asked, ...]:
        """See `Condition.asks`."""
        return tuple(asked for part in self.parts for asked in part.asks())

    def to_yaml(self) -> Yaml:
        """The parts in one mapping where their keys differ, else under `all`."""
        parts = [part.to_yaml() for part in self.parts]
        keys = [key for part in parts for key in part]
        if len(set(keys)) == len(keys):
            return {key: value for part in parts for key, value in part.items()}
        return {"all": parts}

    def __str__(self) -> str:
        return " & ".join(_operand(part) for part in self.parts)


@dataclass(frozen=True)
class AnyOf(Condition):
    """True where any part is; undecidable where none is and one is undecidable."""

    parts: tuple[Condition, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(self.parts, AnyOf))

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        result = self.parts[0].evaluate(features)
        for part in self.parts[1:]:
            if result.true_count == len(result):
                break
            result = pc.or_kleene(result, part.evaluate(features))
        return result

    def asks(self) -> tuple[Asked, ...]:
        """See `Condition.asks`."""
        return tuple(asked for part in self.parts for asked in part.asks())

    def to_yaml(self) -> Yaml:
        """The parts under `any`."""
        return {"any": [part.to_yaml() for part in self.parts]}

    def __str__(self) -> str:
        return " | ".join(_operand(part) for part in self.parts)


@dataclass(frozen=True)
class Not(Condition):
    """True where the part is false; undecidable where the part is."""

    part: Condition

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        return pc.invert(self.part.evaluate(features))

    def asks(self) -> tuple[Asked, ...]:
        """See `Condition.asks`."""
        return self.part.asks()

    def to_yaml(self) -> Yaml:
        """The part under `not`."""
        return {"not": self.part.to_yaml()}

    def __str__(self) -> str:
        return f"~{_operand(self.part)}"


@dataclass(frozen=True)
class Compare(Condition):
    """A number of the request against a threshold; a request that states no such number does not match.

    Raises:
        BackrouteError: the threshold is no number.
    """

    column: str
    comparison: str
    threshold: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", _number(self.threshold, self.column))

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; undecidable where the number depends on a text that the log does not hold."""
        column = features[self.column]
        threshold = _scalar(self.threshold)
        if pa.types.is_floating(threshold.type):
            column = column.cast(pa.float64(), safe=False)
        result = COMPARISONS[self.comparison](column, threshold)
        return result.fill_null(False) if result.null_count and self.column not in NEED_TEXT else result

    def to_yaml(self) -> Yaml:
        """For example `{length: {below: 200}}`."""
        return {self.column: {self.comparison: self.threshold}}

    def __str__(self) -> str:
        said = self.threshold if math.isfinite(self.threshold) else f"float('{self.threshold}')"
        return f"{self.column}() {SYMBOLS[self.comparison]} {said}"


@dataclass(frozen=True)
class OneOf(Condition):
    """A field of the request equal to one of some values; a request without the field does not match.

    Raises:
        BackrouteError: no value, or one that the field cannot hold.
    """

    column: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        kind, said = (bool, "true or false") if self.column in FLAGS else (str, "a text")
        if not self.values or not all(isinstance(value, kind) for value in self.values):
            held = self.values[0] if len(self.values) == 1 else list(self.values)
            raise BackrouteError(
                self.column, f"`{self.column}` is {said}, or a list of such ({held!r})", fix="put texts in quotes"
            )

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`."""
        if self.column in NAMES and (answers := features.answered(self)) is not None:
            return answers
        return pc.is_in(features[self.column], options=_lookup(self.values))

    def to_yaml(self) -> Yaml:
        """A single value stands alone, several in a list."""
        return {self.column: self.values[0] if len(self.values) == 1 else list(self.values)}

    def __str__(self) -> str:
        if self.column in FLAGS:
            return f"{self.column}({', '.join(map(repr, self.values)) if self.values != (True,) else ''})"
        return f"{self.column}() == {self.values[0] if len(self.values) == 1 else list(self.values)!r}"


@dataclass(frozen=True)
class Mentions(Condition):
    """The routing text holds one of some words, by RE2's Unicode case folding.

    Without `whole_word`, "class" is found in "classify", as in the seed. With it, a word ends where neither a letter,
    a digit nor an underscore of any script follows.

    Raises:
        BackrouteError: no words, or one that is no text or empty.
    """

    words: tuple[str, ...]
    whole_word: bool = False

    def __post_init__(self) -> None:
        if not self.words or not all(isinstance(word, str) and word for word in self.words):
            what = f"`mentions` needs a list of words ({list(self.words)!r})"
            raise BackrouteError("mentions", what, fix="for example [refactor, sql]; put numbers, yes and no in quotes")
        if not isinstance(self.whole_word, bool):
            what = f"`whole_word` is no boolean ({self.whole_word!r})"
            raise BackrouteError("mentions", what, fix="write true or false")

    @cached_property
    def pattern(self) -> str:
        """The one regular expression for all words."""
        words = "|".join(re.escape(word) for word in sorted(self.words, key=len, reverse=True))
        edge = r"[^\p{L}\p{N}_]"
        return f"(?:^|{edge})(?:{words})(?:{edge}|$)" if self.whole_word else f"(?:{words})"

    @cached_property
    def _folded_words(self) -> list[bytes]:
        """The words to look for in `Features.folded_text`; none where only the expression will do."""
        simple = not self.whole_word and all(word.isascii() for word in self.words)
        return [word.lower().encode() for word in self.words] if simple else []

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; undecidable where the log holds no text."""
        if (answers := features.answered(self)) is not None:
            return answers
        # Arrow compiles an expression at every call: 30 µs, more than all else that one live request costs.
        if features.rows == 1 and self._folded_words:
            text = features.folded_text
            return _one(None if text is None else any(word in text for word in self._folded_words))
        return features.kept(self, lambda: self.found_in(features["prompt"]))

    def found_in(self, texts: pa.Array) -> pa.BooleanArray:
        """One boolean per text; null where there is none."""
        return pc.match_substring_regex(texts, options=_search(self.pattern))

    def to_yaml(self) -> Yaml:
        """A list of words, or `{any: [...], whole_word: true}`."""
        words = list(self.words)
        return {"mentions": {"any": words, "whole_word": True} if self.whole_word else words}

    def __str__(self) -> str:
        words = ", ".join(repr(word) for word in self.words)
        return f"mentions({words}{', whole_word=True' if self.whole_word else ''})"


@dataclass(frozen=True, eq=False)
class Meta(Condition):
    """A key of the request's meta equal to a value, or true in Python's sense for the value `truthy`.

    Raises:
        BackrouteError: the key is no text, or the value neither a text, a number nor a boolean.
    """

    key: str
    value: str | float | bool = "truthy"

    def __post_init__(self) -> None:
        if not isinstance(self.key, str):
            raise BackrouteError("meta", f"the key is no text ({self.key!r})", fix="put it in quotes")
        if not isinstance(self.value, str | bool):
            held = self.value
            if not isinstance(held, int | float) or not math.isfinite(held):
                what = f"{self.key!r} is compared with neither a text, a number nor a boolean ({held!r})"
                raise BackrouteError("meta", what, fix="put it in quotes, or write `truthy` for any true value")

    def evaluate(self, features: Features) -> pa.BooleanArray:
        """See `Condition.evaluate`; a request without meta, or without the key, does not match."""
        if (answers := features.answered(self)) is not None:
            return answers
        return features.meta_matches(self.key, self._matches)

    def _matches(self, held: Any) -> bool:
        if self.value == "truthy":
            return bool(held)
        return bool(held == self.value) and isinstance(held, bool) == isinstance(self.value, bool)

    def to_yaml(self) -> Yaml:
        """For example `{meta: {complex: truthy}}`."""
        return {"meta": {self.key: self.value}}

    def __eq__(self, other: object) -> Any:
        # meta("tier") == "gold" makes a condition; two conditions compare as data.
        if isinstance(other, Meta):
            same_kind = isinstance(self.value, bool) == isinstance(other.value, bool)
            return same_kind and (self.key, self.value) == (other.key, other.value)
        return False if other is None or isinstance(other, Condition) else Meta(self.key, other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> Any:
        same = self == other
        return ~same if isinstance(same, Condition) else not same

    def __hash__(self) -> int:
        return hash((self.key, self.value))

    def __str__(self) -> str:
        return f"meta({self.key!r})" if self.value == "truthy" else f"meta({self.key!r}) == {self.value!r}"


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions that others are combined of."""
    if isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def _flat(parts: tuple[Condition, ...], kind: type[All] | type[AnyOf]) -> tuple[Condition, ...]:
    return tuple(inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,)))


def _operand(part: Condition) -> str:
    """A part as it stands beside `&`, `|` or `~`, which bind tighter than comparisons."""
    alone = isinstance(part, Not | Mentions) or (isinstance(part, OneOf) and part.column in FLAGS)
    return str(part) if alone or (isinstance(part, Meta) and part.value == "truthy") else f"({part})"


def _number(value: Any, name: str) -> float:
    """The threshold as a plain int or float, so that it can be written to YAML."""
    try:
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value):
            return int(value) if isinstance(value, numbers.Integral) else float(value)
    except OverflowError:
        pass
    what = f"`{name}` is compared with something that is no number ({value!r})"
    raise BackrouteError(name, what, fix=f"write a plain number, for example {{{name}: {{below: 200}}}}")


# What Arrow takes longer to make than to use. They cannot be pickled, so conditions do not hold them.
@lru_cache(maxsize=1024, typed=True)
def _scalar(threshold: float) -> pa.Scalar:
    small = isinstance(threshold, int) and abs(threshold) < 2**31
    return pa.scalar(threshold if small else float(threshold), pa.int32() if small else pa.float64())


@cache
def _one(value: bool | None) -> pa.BooleanArray:
    return pa.array([value], pa.bool_())


@lru_cache(maxsize=1024)
def _search(pattern: str) -> pc.MatchSubstringOptions:
    return pc.MatchSubstringOptions(pattern, ignore_case=True)


@lru_cache(maxsize=1024)
def _lookup(values: tuple[Any, ...]) -> pc.SetLookupOptions:
    return pc.SetLookupOptions(value_set=pa.array(values))

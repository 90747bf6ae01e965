"""Adds one partial result to another: whatever a pass over a log sums can be summed in parts, in any split.

Since all sums are whole numbers, a part can be taken out again, too.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

Sums = TypeVar("Sums")


def merge(held: Sums, more: Sums) -> Sums:
    """The sum of two partial results; both may be changed by it, and only the returned one used afterwards.

    Numbers and arrays are added; dictionaries and counters by key; dataclasses by field, those with a `merge` of their
    own by that.
    """
    into: Any = held
    other: Any = more
    if hasattr(into, "merge"):
        into.merge(other)
    elif is_dataclass(into):
        merge_fields(into, other)
    elif isinstance(into, dict):
        for key, value in other.items():
            into[key] = merge(into[key], value) if key in into else value
    elif isinstance(into, tuple):
        into = tuple(merge(one, two) for one, two in zip(into, other, strict=True))
    else:
        into = into + other
    return into  # type: ignore[no-any-return]


def merge_fields(into: Any, other: Any, *, but: tuple[str, ...] = ()) -> None:
    """Merge every field of a dataclass but those named."""
    for each in fields(into):
        if each.name not in but:
            setattr(into, each.name, merge(getattr(into, each.name), getattr(other, each.name)))


def take_out(held: Sums, gone: Sums) -> Sums:
    """The sum without a part that is in it; the opposite of `merge`, but for what has a `merge` of its own."""
    into: Any = held
    other: Any = gone
    if is_dataclass(into):
        for each in fields(into):
            if not hasattr(value := getattr(into, each.name), "merge"):
                setattr(into, each.name, take_out(value, getattr(other, each.name)))
    elif isinstance(into, dict):
        for key, value in other.items():
            into[key] = take_out(into[key], value)
    elif isinstance(into, tuple):
        into = tuple(take_out(one, two) for one, two in zip(into, other, strict=True))
    else:
        into = into - other
    return into  # type: ignore[no-any-return]

"""One file per log format; this is their only register. The first that recognises a record reads it."""

from collections.abc import Callable
from datetime import tzinfo
from typing import Protocol, cast

from problems import BackrouteError, nearest
from workloads.formats import chat, pairs
from workloads.formats.envelope import Record
from workloads.rows import Row


class Format(Protocol):
    """What a format's module offers."""

    NAME: str
    detect: Callable[[Record], str | None]
    read: Callable[[Record, tzinfo], Row]


FORMATS: dict[str, Format] = {"pairs": cast(Format, pairs), "chat": cast(Format, chat)}


def format_named(name: str) -> Format:
    """A format by the name `--log-format` takes.

    Raises:
        BackrouteError: no such format.
    """
    if name not in FORMATS:
        hint = nearest(name, FORMATS) or f"the formats are {', '.join(FORMATS)}"
        raise BackrouteError("--log-format", f"no log format {name!r}", fix=hint)
    return FORMATS[name]


def recognise(record: Record) -> tuple[Format | None, str]:
    """The format of a record and why; (None, "") when none knows it."""
    for each in FORMATS.values():
        why = each.detect(record)
        if why:
            return each, why
    return None, ""

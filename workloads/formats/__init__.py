"""One file per log format; this is their only register. The first that recognises a record reads it."""

from __future__ import annotations

from datetime import tzinfo
from types import ModuleType
from typing import Protocol, cast

from problems import BackrouteError, nearest
from workloads.formats import (
    anthropic_batch,
    azure_trace,
    bedrock_log,
    burstgpt,
    chat,
    claude_code,
    codex,
    helicone,
    langfuse,
    litellm_spend,
    litellm_standard,
    mooncake,
    openai_batch,
    openrouter,
    otel,
    outcome_table,
    pairs,
    usage_report,
)
from workloads.formats.envelope import Record
from workloads.rows import Row


class Reader(Protocol):
    """What reads the records of one format in one pass over a log.

    Most formats read each record by itself, and their modules are their readers. Where records depend on each other,
    the module has a class `Reader`, made anew for each pass: its `survey(record)`, if any, is called with every record
    of its format in the log before the first is read, and its `next_file()`, if any, before each file.
    """

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row; may raise NotACallError, RowError or UsageError."""


class Format(Protocol):
    """What a format's module offers beside its reader; `REPEATS = True` where equal records are different calls."""

    NAME: str

    def detect(self, record: Record) -> str | None:
        """Why a record is in this format; None when it is not."""


# Those with marks of their own before those that many logs resemble.
MODULES: dict[str, ModuleType] = {
    "litellm-spend": litellm_spend,
    "litellm-standard": litellm_standard,
    "helicone": helicone,
    "openrouter": openrouter,
    "langfuse": langfuse,
    "claude-code": claude_code,
    "codex": codex,
    "bedrock-log": bedrock_log,
    "openai-batch": openai_batch,
    "anthropic-batch": anthropic_batch,
    "azure-trace": azure_trace,
    "burstgpt": burstgpt,
    "mooncake": mooncake,
    "otel": otel,
    "pairs": pairs,
    "chat": chat,
}
FORMATS: dict[str, Format] = {name: cast(Format, module) for name, module in MODULES.items()}
# What looks like a chat log and is none: read only to say so.
NO_LOGS = (cast(Format, outcome_table), cast(Format, usage_report))
RECOGNISED = (*(each for name, each in FORMATS.items() if name != "chat"), *NO_LOGS, FORMATS["chat"])


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
    for each in RECOGNISED:
        why = each.detect(record)
        if why:
            return each, why
    return None, ""


def alone(chosen: Format) -> bool:
    """Whether each record of a format is read by itself, whatever else is in the log."""
    return not hasattr(chosen, "Reader") and not getattr(chosen, "REPEATS", False)


def reader_of(chosen: Format) -> Reader:
    """The reader of a format, for one pass over a log."""
    fresh = getattr(chosen, "Reader", None)
    return cast(Reader, chosen if fresh is None else fresh())

"""A row that could not be read as it stands: set aside with its place, its value and its fix, and counted."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import IO

import msgspec

SHOWN_CHARACTERS = 200
MASK = "***"

# What a key is called, and how the providers' own keys look: a problem is printed and pasted into reports.
_SECRET_NAME = (
    r"api[-_ ]?key|apikey|authorization|password|passwd|secret|credential|cookie|private[-_ ]?key|access[-_ ]?key"
    r"|(?:auth|access|refresh|bearer|session|id|security)[-_ ]?token"
)
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"""((?:{_SECRET_NAME})[\w-]*\\*["']?\s*[:=]\s*\\*["'])[^"'\\]+""",  # a quoted value, JSON in JSON too
        rf"((?:{_SECRET_NAME})[\w-]*\s*[:=]\s*)[^\s\"',;&{{}}\[\]]+",
        r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{12,}",
        r"(\b(?:sk|pk|rk|gsk|xai|hf|r8|pplx|gh[opsu]|github_pat|glpat|lsv2|xox[abp])[-_])[\w-]{8,}",
        r"(\b(?:AIza|AKIA|ASIA))[\w-]{12,}",
        r"(\beyJ)[\w-]{8,}(?:\.[\w-]+)*",
    )
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row of a log.

    Args:
        source: the file, as the user named it.
        line: its line there, from 1; 0 for the file as a whole.
        field: the field at fault, dotted; "" for the line as a whole.
        value: the offending value, cut to 200 characters.
        effect: what became of the row ("row set aside", "kept, without its time").
        fix: what to change.
        kind: a short stable name for counting, e.g. "not_json".
        set_aside: True when the row is not replayed; False for a note on a row that is.
    """

    source: str
    line: int
    field: str
    value: str
    effect: str
    fix: str
    kind: str
    set_aside: bool = True

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        named = f" {self.field}" if self.field else ""
        return f"{place}:{named} {self.kind.replace('_', ' ')} ({self.value}); {self.effect}; {self.fix}"


@dataclass
class ProblemLog:
    """Problems as they are found: every one counted, the first 1,000 kept, all written to `sink` when there is one.

    `sink` receives one JSON object a line: the problem's fields and `original`, the line as it was read.
    """

    sink: IO[str] | None = None
    keep: int = 1_000
    kept: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)  # of them, those whose row is not replayed

    def add(self, problem: Problem, original: bytes | str = "") -> None:
        """Count one problem, and write it with the line it came from."""
        self.counts[problem.kind] += 1
        if problem.set_aside:
            self.aside[problem.kind] += 1
        if len(self.kept) < self.keep:
            self.kept.append(problem)
        if self.sink is not None:
            text = original.decode("utf-8", "backslashreplace") if isinstance(original, bytes) else original
            row = {name: getattr(problem, name) for name in Problem.__slots__} | {"original": text}
            self.sink.write(msgspec.json.encode(row).decode() + "\n")

    def count(self, kind: str) -> None:
        """Count one more of a kind that was told before, without telling it again."""
        self.counts[kind] += 1

    @property
    def set_aside(self) -> int:
        """Rows that are not replayed."""
        return self.aside.total()

    def __len__(self) -> int:
        return sum(self.counts.values())


class HeldProblems(ProblemLog):
    """Problems that wait to be told, in their order: those of lines before theirs may come first."""

    def __init__(self) -> None:
        super().__init__(keep=0)
        self.told: list[tuple[Problem, bytes | str]] = []
        self.again: Counter[str] = Counter()  # counted without being told

    def add(self, problem: Problem, original: bytes | str = "") -> None:
        """See `ProblemLog.add`."""
        self.told.append((problem, original))

    def count(self, kind: str) -> None:
        """See `ProblemLog.count`."""
        self.again[kind] += 1

    def __len__(self) -> int:
        return len(self.told) + self.again.total()

    def tell(self, problems: ProblemLog) -> None:
        """Hand on what is held, and hold it no longer."""
        for problem, original in self.told:
            problems.add(problem, original)
        for kind in self.again.elements():
            problems.count(kind)
        self.told.clear()
        self.again.clear()


def shown(value: object) -> str:
    """A value as a problem quotes it: its JSON or text, cut to 200 characters, with what looks like a key masked."""
    try:
        if isinstance(value, bytes):
            text = value.decode("utf-8", "backslashreplace")
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        text = _described(value)
    cut = text[: 4 * SHOWN_CHARACTERS].encode("utf-8", "backslashreplace").decode()
    cut = masked(cut)
    whole = len(cut) <= SHOWN_CHARACTERS and len(text) <= 4 * SHOWN_CHARACTERS
    return cut if whole else cut[:SHOWN_CHARACTERS] + "…"


def masked(text: str) -> str:
    """A text with what looks like a key masked, whole otherwise."""
    for secret in _SECRETS:
        text = secret.sub(rf"\1{MASK}", text)
    return text


def _described(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # nested too deep, or a number of more digits than Python prints
        return f"a {type(value).__name__}"

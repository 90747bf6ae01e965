"""Which fields of a record no reader of any format looks at, so that a line that has them is read without them."""

from __future__ import annotations

import keyword
import re
from functools import cache
from pathlib import Path

# Names with other characters may be looked for by their beginning or end, as `gen_ai.` and `|total_cost` are.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
MOST = 100  # names of fields that are no columns; a log that has more may well write values as names


def nobody_looks_at(name: str) -> bool:
    """Whether a field of this name changes nothing, whatever it holds: no reader speaks of it, nor of its like."""
    return NAME.fullmatch(name) is not None and not keyword.iskeyword(name) and name not in _looked_at()


@cache
def _looked_at() -> frozenset[str]:
    """Every word that the readers' code quotes; `make docs` writes them, and a test holds them complete."""
    return frozenset(Path(__file__).with_name("looked_at.txt").read_text("utf-8").split())

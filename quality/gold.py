"""Whether an answer is right, where the right answer is known: numbers by value, anything else by its words."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from problems import BackrouteError
from workloads.decoding import NOT_JSON

_NUMBER = r"-?\$?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?"
_FIELD = re.compile(r'"(?:final_)?answer"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(' + _NUMBER + "))", re.IGNORECASE)
_MARKED = re.compile(r"####\s*(.+)|(?:final answer|answer)(?:\s+is)?\s*[:=]\s*(.+)", re.IGNORECASE)
_FRACTION = re.compile(r"\\[dt]?frac\{(-?\d+)\}\{(-?\d+)\}")
_CLOSE = Fraction(1, 1_000_000)


def read_gold(path: Path) -> dict[str, str]:
    """Right answers by request id, from JSON lines of {"request_id": ..., "gold": ...}.

    Raises:
        BackrouteError: no such file, a line that is not one, or two answers for one request.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BackrouteError("--gold", f"cannot be read ({path}: {error.strerror})") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where, fix = f"{path}:{number}", 'give {"request_id": "r1", "gold": "42"} on each line'
        try:
            row: Any = msgspec.json.decode(line)
        except NOT_JSON as error:
            raise BackrouteError(where, f"not JSON ({error})", fix=fix) from error
        name, gold = (row.get("request_id"), row.get("gold")) if isinstance(row, dict) else (None, None)
        if not isinstance(name, str) or isinstance(gold, bool) or not isinstance(gold, str | int | float):
            raise BackrouteError(where, "no request_id or no gold in it", fix=fix)
        if found.setdefault(name, str(gold)) != str(gold):
            raise BackrouteError(where, f"a second answer for request {name!r}", fix="keep one of them")
    if not found:
        raise BackrouteError(str(path), "no right answers in it", fix='one line each: {"request_id": ..., "gold": ...}')
    return found


def is_right(gold: str, answer: str) -> bool:
    """Whether an answer says what `gold` says.

    The answer is looked for in an `answer` field of JSON, after `####` or `answer:`, in the last `\\boxed{}`, then in
    the whole text. Where gold is a number, the last number there counts, by value ("$1,200.00" is 1200).
    """
    wanted, said = _bare(gold), _final(answer)
    value = _value(wanted)
    if value is None:
        return _words(wanted) == _words(said)
    found = _value(_bare(said))
    if found is None:
        numbers = re.findall(_NUMBER, said)
        found = _value(numbers[-1]) if numbers else None
    return found is not None and abs(found - value) <= _CLOSE * max(Fraction(1), abs(value))


def _final(answer: str) -> str:
    fields = _FIELD.findall(answer)
    if fields:
        said = fields[-1][0] or fields[-1][1]
        return _boxed(said.replace("\\\\", "\\")) or said.replace("\\\\", "\\")
    boxed = _boxed(answer)
    if boxed is not None:
        return boxed
    marked = _MARKED.findall(answer)
    return (marked[-1][0] or marked[-1][1]) if marked else answer


def _boxed(text: str) -> str | None:
    """What the last \\boxed{} holds, nested braces and all; None where there is none."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for at in range(start + 6, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[start + 7 : at]
    return None


def _bare(text: str) -> str:
    text = _boxed(text) or text
    return text.strip().strip("#$*` ").rstrip(".").removesuffix("\\%").removesuffix("%").strip()


def _value(text: str) -> Fraction | None:
    text = _FRACTION.sub(r"\1/\2", text).replace(",", "").replace("$", "").replace(" ", "")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _words(text: str) -> str:
    """Case, spacing, dollar signs and LaTeX's spacing left aside."""
    text = re.sub(r"\\(?:left|right|text|mathrm|[,!;: ])|[\s$`*\"']|\\\(|\\\)", "", _bare(text).casefold())
    return text.replace("dfrac", "frac").replace("tfrac", "frac").rstrip(".")

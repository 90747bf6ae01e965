"""Which traced calls wrap another: an SDK and the framework around it record one call twice, one inside the other."""

from __future__ import annotations

import hashlib

MOST_STEPS = 1_000  # deeper than any real trace, so that a circle of parents ends


class Nesting:
    """Parents of all spans of a log, and the calls that hold a call. Some hundred bytes a span, and no texts."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._calls: list[int] = []
        self._wrappers: set[int] | None = None

    def add(self, span: object, parent: object, *, is_call: bool) -> None:
        """Take note of one span, from the first pass over the log."""
        if not isinstance(span, str) or not span:
            return
        key = _key(span)
        if isinstance(parent, str) and parent:
            self._parents[key] = _key(parent)
        if is_call:
            self._calls.append(key)

    def wraps(self, span: object) -> bool:
        """Whether a call stands somewhere below this span."""
        if self._wrappers is None:
            self._wrappers = self._above_calls()
        return isinstance(span, str) and _key(span) in self._wrappers

    def _above_calls(self) -> set[int]:
        found: set[int] = set()
        for call in self._calls:
            above = self._parents.get(call)
            for _ in range(MOST_STEPS):
                if above is None or above in found:
                    break
                found.add(above)
                above = self._parents.get(above)
        return found


def _key(span: str) -> int:
    return int.from_bytes(hashlib.blake2b(span.encode("utf-8", "replace"), digest_size=8).digest())

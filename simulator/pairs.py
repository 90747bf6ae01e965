"""Pairs of models that requests move between, and how unsure each pair's tokens are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spread:
    """How unsure a pair of models' token totals are: standard deviations of the log of each side's total."""

    input: float = 0.0
    output: float = 0.0
    reasoning: float = 0.0


@dataclass
class Pairs:
    """Every (logged model, chosen model, task) met so far, its code and its spread. Code 0 is "the same model".

    Args:
        spreads: by code.
        seeds: by code, a hash of the two models' names: their tasks draw one common error, in whatever order met.
        notes: by code, what the prediction rests on.
        names: by code; sums run in their order, since codes depend on how the log was split into batches.
    """

    spreads: list[Spread] = field(default_factory=lambda: [Spread()])
    seeds: list[int] = field(default_factory=lambda: [0])
    notes: list[str] = field(default_factory=lambda: [""])
    names: list[str] = field(default_factory=lambda: [""])
    _codes: dict[tuple[str | None, str, int, str], int] = field(default_factory=dict)

    def code(self, source: str | None, target: str, task: int, note: str, spread: Spread) -> int:
        """The code of a pair on a task; the widest spread it was met with is kept."""
        key = (source, target, task, note)
        code = self._codes.setdefault(key, len(self.spreads))
        if code == len(self.spreads):
            self.spreads.append(spread)
            self.seeds.append(int.from_bytes(hashlib.blake2b(f"{source} > {target}".encode(), digest_size=6).digest()))
            self.notes.append(note)
            self.names.append(str(key))
        held = self.spreads[code]
        self.spreads[code] = Spread(
            max(held.input, spread.input), max(held.output, spread.output), max(held.reasoning, spread.reasoning)
        )
        return code

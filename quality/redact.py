"""What must not leave the house is masked before a prompt is sent, by pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence

from problems import BackrouteError, nearest

NAMED = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "card": r"\b\d(?:[ -]?\d){12,18}\b",
    "phone": r"(?<![\w.])\+?\d(?:[ ().-]{0,2}\d){8,14}(?![\w.])",
    "key": r"\b(?:sk|pk|rk|gsk|xai|hf|gh[opsu]|github_pat|glpat|xox[abp])[-_][\w-]{8,}|\b(?:AIza|AKIA|ASIA)[\w-]{12,}",
}


class Redactor:
    """Masks every match of some patterns: names in NAMED, or regular expressions of the user's own.

    Raises:
        BackrouteError: a pattern that is no regular expression.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self._patterns = []
        for number, pattern in enumerate(patterns, 1):
            name = pattern if pattern in NAMED else f"pattern {number}"
            try:
                self._patterns.append((name, re.compile(NAMED.get(pattern, pattern))))
            except re.error as error:
                hint = nearest(pattern, NAMED) or f"{', '.join(NAMED)} are known by name"
                what = f"not a regular expression ({pattern!r}: {error})"
                raise BackrouteError("--redact", what, effect="nothing was sent", fix=hint) from error

    def __call__(self, text: str) -> str:
        """The text with each match as, for example, "[email]"."""
        for name, pattern in self._patterns:
            text = pattern.sub(f"[{name}]", text)
        return text

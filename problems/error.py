"""The one base exception: a user's mistake, said as where, what (value), effect and fix."""

import difflib
from collections.abc import Iterable


class BackrouteError(Exception):
    """A mistake that stops the work and that its reader can mend; never shown with a traceback.

    Args:
        where: the file, line, option or rule that is wrong.
        what: what is wrong there, with the offending value in brackets.
        effect: what could not be done because of it; may be empty where it is obvious.
        fix: what to change.

    `exit_code` is the command line's: 2 usage or configuration, 3 data incomplete beyond what was allowed.
    """

    exit_code = 2

    def __init__(self, where: str, what: str, *, effect: str = "", fix: str = "") -> None:
        self.where, self.what, self.effect, self.fix = where, what, effect, fix
        said = "; ".join(part for part in (f"{where}: {what}", effect, fix) if part)
        super().__init__(said if said.endswith((".", "?")) else said + ".")


def nearest(name: str, known: Iterable[str]) -> str:
    """Up to three known names like this one, as the closing words of a sentence; empty when none is near."""
    matches = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""

"""The one base exception: a user's mistake, said as where, what (value), effect and fix."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


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


class SeveralError(BackrouteError):
    """Several mistakes of one file, a line each."""

    def __init__(self, where: str, found: Sequence[BackrouteError]) -> None:
        self.found = found
        super().__init__(where, f"{len(found)} mistakes\n" + "\n".join(f"- {_within(where, error)}" for error in found))
        self.fix = " ".join(error.fix for error in found)  # each stands in its own line


def _within(where: str, error: BackrouteError) -> str:
    return str(error).removeprefix(where).removeprefix(": ")


class Mistakes:
    """Gathers what is wrong in one file: who mends it would rather know everything at once.

    Args:
        where: the file, or the place in it.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self.found: list[BackrouteError] = []

    def of(self, make: Callable[[], T]) -> T | None:
        """What `make` gives; null where it raised, which is one more mistake, or several."""
        try:
            return make()
        except SeveralError as error:
            self.found += error.found
        except BackrouteError as error:
            self.found.append(error)
        return None

    def settle(self) -> None:
        """Raise what was found.

        Raises:
            BackrouteError: the one mistake, or SeveralError.
        """
        if self.found:
            raise self.found[0] if len(self.found) == 1 else SeveralError(self._where, self.found)


def nearest(name: str, known: Iterable[str]) -> str:
    """Up to three known names like this one, as the closing words of a sentence; empty when none is near."""
    matches = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""

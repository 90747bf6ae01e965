"""The log that a verb was given: files as they are, a profile, or either with sessions or counts amended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from problems import BackrouteError

if TYPE_CHECKING:
    from pricing import PriceBook
    from workloads import Log


def open_log(
    paths: Sequence[Path],
    *,
    log_format: str | None,
    timezone: str,
    start: str | None = None,
    mapping: Path | None = None,
    book: PriceBook,
    infer_sessions: bool = False,
    recount: bool = False,
) -> Log:
    """The log behind a verb's arguments; with `recount` it is read once to find what to recount.

    Raises:
        BackrouteError: a file that is not there, a profile beside other files, or sessions to infer from a profile.
    """
    from simulator.profile import ProfileLog, is_profile
    from simulator.recount import Recounted
    from workloads import read_log
    from workloads.sessions import InferredSessions

    profiles = [path for path in paths if is_profile(path)]
    if profiles and len(paths) > 1:
        raise BackrouteError(str(profiles[0]), "a profile is read alone", fix="profile all the files as one log")
    if profiles and infer_sessions:
        what = "a profile has no messages to infer sessions from"
        raise BackrouteError("--infer-sessions", what, fix="give it to `backroute profile` instead")
    log: Log = (
        ProfileLog(profiles[0])
        if profiles
        else read_log(
            [str(path) for path in paths], log_format=log_format, timezone=timezone, start=start, mapping=mapping
        )
    )
    if infer_sessions:
        log = InferredSessions(log)
    return Recounted(log, book) if recount else log


def say_amended(log: Log) -> None:
    """Say on stderr, after a reading, what was inferred and recounted."""
    from simulator.recount import Recounted
    from workloads.amended import Amended
    from workloads.sessions import InferredSessions

    while isinstance(log, Amended):
        if isinstance(log, Recounted):
            counts = " and ".join(f"{count:,} {side} counts" for side, count in log.rows.items() if count)
            said = f"{counts} were recounted from their texts" if counts else "no count had to be recounted"
            click.echo(f"note: {said}", err=True)
        elif isinstance(log, InferredSessions):
            linker = log.linker
            click.echo(
                f"note: {linker.started:,} sessions were inferred from their messages, not logged; "
                f"{linker.linked:,} have several calls ({linker.continued:,} calls continue an earlier one)",
                err=True,
            )
        log = log.amends

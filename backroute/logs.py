"""The log that a verb was given: files as they are, a profile, or either with sessions or counts amended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backroute.options import LOG, LOG_FORMAT, MAPPING, START, TIMEZONE
from problems import BackrouteError

if TYPE_CHECKING:
    from pricing import PriceBook
    from problems import ProblemLog
    from workloads import Log


@dataclass(frozen=True)
class GivenLog:
    """The files that a verb was given, and how they are to be read.

    Args:
        paths: files, URIs, or "-" for standard input.
        timezone: what times without a zone mean.
        log_format: a format's name, where recognising a record goes wrong.
        start: when a trace whose clock starts at 0 began.
        mapping: a YAML file that says which column is which field.
        infer_sessions: link calls whose messages continue each other.
        recount: count texts again where the logged counts cannot be true.
        no_cache: keep nothing of the log beside it, and remove what was kept.
    """

    paths: tuple[str, ...]
    timezone: str = "UTC"
    log_format: str | None = None
    start: str | None = None
    mapping: Path | None = None
    infer_sessions: bool = False
    recount: bool = False
    no_cache: bool = False

    def open(self, book: PriceBook) -> Log:
        """The log itself; to recount, it is read once to find what.

        Raises:
            BackrouteError: a file that is not there, a profile beside other files, or sessions to infer from a profile.
        """
        from simulator.bill.recount import Recounted
        from workloads.sessions import InferredSessions

        log = self._plain()
        if self.infer_sessions:
            log = InferredSessions(log)
        return Recounted(log, book) if self.recount else log

    def _plain(self) -> Log:
        from simulator.profile import ProfileLog, is_profile
        from workloads import read_log

        profile = next((Path(path) for path in self.paths if is_profile(Path(path))), None)
        if profile is None:
            return read_log(
                list(self.paths),
                log_format=self.log_format,
                timezone=self.timezone,
                start=self.start,
                mapping=self.mapping,
                cache=not self.no_cache,
            )
        if len(self.paths) > 1:
            raise BackrouteError(str(profile), "a profile is read alone", fix="profile all the files as one log")
        if self.infer_sessions:
            what = "a profile has no messages to infer sessions from"
            raise BackrouteError("--infer-sessions", what, fix="give it to `backroute profile` instead")
        return ProfileLog(profile)


def log_options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and options of every verb that reads a log; the verb gets them as one `GivenLog`, `log`.

    Stands above all other options of a log, so that it gathers those too.
    """
    return _log_options(command, LOG)


def optional_log_options(command: Callable[..., None]) -> Callable[..., None]:
    """As `log_options`, for a verb that a log may be left out of: then it has no paths."""
    return _log_options(command, click.argument("log", nargs=-1, type=click.Path(allow_dash=True)))


def _log_options(command: Callable[..., None], argument: Callable[..., Any]) -> Callable[..., None]:
    @wraps(command)
    def gathered(*arguments: Any, log: tuple[str, ...], **options: Any) -> None:
        reading = {each.name: options.pop(each.name) for each in fields(GivenLog) if each.name in options}
        command(*arguments, log=GivenLog(log, **reading), **options)

    for option in (MAPPING, START, LOG_FORMAT, TIMEZONE, argument):
        gathered = option(gathered)
    return gathered


def say_set_aside(found: ProblemLog, where: str = "`backroute inspect` says why") -> None:
    """Say on stderr, after a reading, what of the log is missing."""
    from reports.words import counted

    rows = found.set_aside - found.aside["broken_file"]
    if rows:
        kinds = [(kind, count) for kind, count in found.aside.most_common() if kind != "broken_file"]
        said = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds[:4])
        click.echo(f"note: {counted(rows, 'row')} set aside ({said}): {where}", err=True)
    if broken := found.aside["broken_file"]:
        files = "a file of the log breaks off" if broken == 1 else f"{broken:,} files of the log break off"
        click.echo(f"note: {files}, and what follows there is missing", err=True)


def say_amended(log: Log) -> None:
    """Say on stderr, after a reading, what was inferred and recounted."""
    from simulator.bill.recount import Recounted
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

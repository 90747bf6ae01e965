"""The log files behind a path: the file itself, all of a folder, or all that a pattern matches."""

from __future__ import annotations

import glob
import stat
from pathlib import Path, PurePath, PurePosixPath

from problems import BackrouteError
from workloads.remote import Uri, is_uri, listed

LOGS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".log")
PACKED = (".gz", ".zst")


def log_files(source: str | Path) -> tuple[list[str | Path | Uri], list[Path | Uri]]:
    """One path or URI, or those of a folder and the folders in it (by the names logs have), or of a pattern, sorted.

    Returns:
        The files to read, and a folder's other files.

    Raises:
        BackrouteError: a folder without logs, or a pattern that matches nothing.
    """
    path, name = Path(source), str(source)
    if not name:
        raise BackrouteError("the log", "an empty path", fix="give a file, a folder or a pattern")
    if is_uri(name):
        return _remote(name)
    if stat.S_ISDIR(_mode(path)):
        files = [each for each in sorted(path.rglob("*")) if each.is_file() and not _is_hidden(each.relative_to(path))]
        found = [each for each in files if _is_log(each)]
        if not found:
            raise BackrouteError(name, "no log in this folder", fix=f"files named {', '.join(LOGS)} are read")
        return [*found], [each for each in files if not _is_log(each)]
    if glob.has_magic(name) and not _mode(path):
        matched = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        matches = [match for match in matched if Path(match).is_file()]
        if not matches:
            raise BackrouteError(name, "no file matches this pattern", fix="check the path; quote it in a shell")
        return [*matches], []
    return [source], []


def _remote(name: str) -> tuple[list[str | Path | Uri], list[Path | Uri]]:
    files, of_folder = listed(name)
    if not of_folder:
        return [*files], []
    found = [each for each in files if _is_log(PurePosixPath(str(each)))]
    if not found:
        raise BackrouteError(str(files[0]), "no log beside it", fix=f"files named {', '.join(LOGS)} are read")
    return [*found], [each for each in files if each not in found]


def _mode(path: Path) -> int:
    """A path's kind, as `stat` has it; 0 where there is none, or none can be: opening it says why."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_log(path: PurePath) -> bool:
    name = path.name.lower()
    for packed in PACKED:
        name = name.removesuffix(packed)
    return name.endswith(LOGS)

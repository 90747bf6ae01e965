"""What was read of a log, kept in a folder beside it, and found again by its files, how it was read, and by what code.

    .backroute/NAME-RANDOM/manifest.json     written last: a folder without it is being written, or was left so
    .backroute/NAME-RANDOM/000012.columns.8f14e45fceea167a.arrow     see `workloads.checked`

NAME stands for the log's paths and options. No file is changed once it is there, and none is trusted before its bytes
were checked, so any number of processes may read, build and remove: what is gone or damaged is read from the log again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from workloads.log import Log

FOLDER = ".backroute"
MANIFEST = "manifest.json"
IGNORE = ".gitignore"
SMALLEST = 8 * 2**20  # bytes; a smaller log is read again in a second or two
MOST_BYTES = 10 * 2**30  # of all that a folder keeps; the least recently used goes first
# A file that changed this short a time before its reading ended may change again without its time telling: some file
# systems count in steps of two seconds.
SETTLED_S = 2.0
LEFT_S = 600.0  # a folder without manifest in which nothing was written for so long was left by a process that died

log = logging.getLogger("backroute")


@dataclass(frozen=True)
class Reading:
    """One reading on disk.

    Args:
        folder: holds its files.
        about: what its manifest says, all of it the caller's.
    """

    folder: Path
    about: dict[str, Any]


class Store:
    """The readings kept of one log.

    Args:
        source: the log; see `store_of`.
        files: the files that hold it.
        version: of all code that what is kept depends on; readings by another are removed.
    """

    def __init__(self, source: Log, files: list[Path], version: str) -> None:
        self._log, self._files, self._version = source, files, version
        # A link's own name, too: what ends in .csv is read as a table.
        said = msgspec.json.encode([[[str(file.resolve()), file.name] for file in files], source.reading()])
        self._name = blake2b(said, digest_size=8).hexdigest()
        self._stamp = self._stamped()
        self.folder = files[0].resolve().parent / FOLDER

    def _stamped(self) -> str | None:
        """The files' sizes and times; None where one is gone."""
        try:
            return msgspec.json.encode([self._version, self._log.stamp()]).decode()
        except TypeError:
            return None

    def find(self) -> Reading | None:
        """The newest complete reading of the log as it is now; those of other contents or versions are removed."""
        found: list[tuple[float, Reading]] = []
        for folder in self._all():
            manifest = folder / MANIFEST
            try:
                held, used = _manifest(manifest), manifest.stat().st_mtime
            except OSError:
                continue
            if held is None:
                log.warning(
                    "note: what was kept of the log is damaged or gone, and the log is read again (%s)", manifest
                )
            if held is None or held["stamp"] != self._stamp:
                _remove(folder)
            else:
                found.append((used, Reading(folder, held["about"])))
        if not found:
            return None
        _, newest = max(found, key=lambda each: each[0])
        for used, other in found:
            if other.folder != newest.folder and time.time() - used > LEFT_S:  # two processes read the log at once
                _remove(other.folder)
        _touch(newest.folder / MANIFEST)
        for each in newest.folder.glob("*.tmp"):  # begun by a process that died
            if time.time() - _written(each) > LEFT_S:
                each.unlink(missing_ok=True)
        return newest

    def begin(self) -> Path | None:
        """A folder for a reading of the log; None, and why is said, where none can be written."""
        size = sum(file.stat().st_size for file in self._files)
        try:
            self._clear_leftovers()
            new = not self.folder.is_dir()
            self.folder.mkdir(exist_ok=True)
            if shutil.disk_usage(self.folder).free < 2 * size:
                log.warning("note: nothing of the log is kept for the next replay: no room in %s", self.folder)
                return None
            if not (ignore := self.folder / IGNORE).exists():
                ignore.write_text("*\n", "utf-8")
            begun = Path(tempfile.mkdtemp(prefix=f"{self._name}-", dir=self.folder))
            _share_like(begun, self._files[0])
        except OSError as error:
            said = error.strerror or str(error)
            log.warning("note: nothing of the log is kept for the next replay: %s: %s", self.folder, said)
            return None
        if new:
            log.warning("note: what is read of the log is kept in %s; --no-cache keeps nothing", self.folder)
        return begun

    def commit(self, folder: Path, about: dict[str, Any]) -> Reading | None:
        """Make a reading complete; None, and it is not kept, where the log has changed meanwhile or it is too large."""
        if not self._settled() or _size(folder) > MOST_BYTES:
            return None
        try:
            body = msgspec.json.encode({"stamp": self._stamp, "about": about})
            whole = f"{zlib.crc32(body):08x}\n".encode() + body
            beginning = folder / f"{MANIFEST}.tmp"
            beginning.write_bytes(whole)
            beginning.replace(folder / MANIFEST)
        except OSError:
            return None
        for other in self._all():
            if other != folder and (held := _manifest(other / MANIFEST)) and held["stamp"] != self._stamp:
                _remove(other)
        self._evict(folder)
        return Reading(folder, about)

    def remove(self) -> None:
        """Remove every reading of the log."""
        for folder in self._all():
            _remove(folder)

    def leave(self) -> None:
        """Remove every reading of the log, and the folder where it holds no other log's."""
        self.remove()
        with suppress(OSError):
            if [each.name for each in self.folder.iterdir()] in ([], [IGNORE]):
                (self.folder / IGNORE).unlink(missing_ok=True)
                self.folder.rmdir()

    def _all(self) -> list[Path]:
        """Folders of this log's readings, but not those that another user could have put there."""
        try:
            found = [each for each in self.folder.iterdir() if each.name.startswith(f"{self._name}-")]
            if hasattr(os, "geteuid"):
                trusted = {os.geteuid(), self._files[0].stat().st_uid}
                found = [each for each in found if each.stat().st_uid in trusted]
        except OSError:
            return []
        return found

    def _settled(self) -> bool:
        if self._stamp is None or self._stamped() != self._stamp:
            return False
        return time.time() - max(file.stat().st_mtime for file in self._files) > SETTLED_S

    def _clear_leftovers(self) -> None:
        if not self.folder.is_dir():
            return
        for each in self.folder.iterdir():
            if each.is_dir() and not (each / MANIFEST).exists() and time.time() - _written(each) > LEFT_S:
                _remove(each)

    def _evict(self, newest: Path) -> None:
        others = [each.parent for each in self.folder.glob(f"*/{MANIFEST}") if each.parent != newest]
        sizes = {each: _size(each) for each in (newest, *others)}
        for each in sorted(others, key=lambda folder: _written(folder / MANIFEST)):
            if sum(sizes.values()) <= MOST_BYTES:
                return
            _remove(each)
            del sizes[each]


def store_of(source: Log, version: str) -> Store | None:
    """Where readings of a log are kept; None for one that is small, is no lasting file, or of which none are wanted."""
    files = source.files()
    if not files:
        return None
    try:
        size = sum(file.stat().st_size for file in files)
    except OSError:
        return None
    store = Store(source, files, version)
    if not source.cache:
        store.leave()
        return None
    return store if size >= SMALLEST else None


def discard(folder: Path) -> None:
    """Remove a reading that is damaged or was not finished."""
    _remove(folder)


def _manifest(path: Path) -> dict[str, Any] | None:
    """What a manifest says; None where it is damaged or not there."""
    try:
        check, _, body = path.read_bytes().partition(b"\n")
        if check.decode() != f"{zlib.crc32(body):08x}":
            return None
        held: dict[str, Any] = json.loads(body)
    except (OSError, ValueError):
        return None
    return held


def _share_like(folder: Path, file: Path) -> None:
    """Let those read a folder who can read a file, and nobody else."""
    like, mine = file.stat(), folder.stat()
    mode = 0o700
    for read, enter in ((0o040, 0o050), (0o004, 0o005)):
        if like.st_mode & read and (read == 0o004 or like.st_gid == mine.st_gid):
            mode |= enter
    folder.chmod(mode)


def _remove(folder: Path) -> None:
    with suppress(OSError):  # the manifest first: what is half removed is no reading any more
        (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _touch(path: Path) -> None:
    with suppress(OSError):  # another's, or read-only: then it counts as used when it was made
        os.utime(path)


def _written(path: Path) -> float:
    """When a file, or the newest in a folder, was written."""
    try:
        times: list[float] = [each.stat().st_mtime for each in (path, *(path.iterdir() if path.is_dir() else ()))]
    except OSError:
        return time.time()
    return max(times)


def _size(folder: Path) -> int:
    try:
        return sum(each.stat().st_size for each in folder.iterdir())
    except OSError:
        return 0

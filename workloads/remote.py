"""Files that are named by a URI, such as s3://bucket/key: whatever pyarrow's filesystems reach."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow.fs import FileSelector, FileSystem, FileType

from problems import BackrouteError

# s3://bucket/key?region=eu-central-1: a scheme, who holds it, the key as it is (not percent-encoded), and options.
URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<authority>[^/?]*)/?(?P<key>[^?]*)(?P<options>\?.*)?", re.DOTALL)
SECRET = re.compile(r"(?<=://)[^/@?]*@|\?.*", re.DOTALL)  # a key before the bucket, and options, which may hold one
BUFFER = 2**20
# What the filesystems' errors say, and what to do about it.
FIXES = (
    ("NO_SUCH_BUCKET|bucket does not exist", "check the bucket's name and region (AWS_DEFAULT_REGION)"),
    ("NO_SUCH_KEY|RESOURCE_NOT_FOUND|does not exist|not found", "check bucket and key; `aws s3 ls` shows them"),
    (
        "ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|credentials|HTTP (response code )?40[13]|FORBIDDEN",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, of who may read it",
    ),
    ("NETWORK|resolve|connect|timed? ?out", "check the network, and AWS_ENDPOINT_URL where it is not Amazon's"),
)


class Stat(NamedTuple):
    """What `Path.stat` tells of a file, as far as it is known of others."""

    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True)
class Uri:
    """A file on a filesystem of pyarrow's, used as a `Path` is: `open` reads any part of it, `stat` tells its size.

    Raises OSError as a file does. Credentials come from the environment, as the AWS tools have them.
    """

    text: str

    def open(self, mode: str = "rb", buffering: int = BUFFER) -> io.BufferedReader:
        """The file's bytes, to be read from any place; only "rb"."""
        assert mode == "rb"
        return io.BufferedReader(self.arrow(), buffering)

    def arrow(self) -> Any:
        """The file as pyarrow's own readers take it."""
        system, path = _place(self.text)
        with _as_os_error():
            return system.open_input_file(path)

    def stat(self) -> Stat:
        """Size and time of the last change, 0 where none is known."""
        system, path = _place(self.text)
        with _as_os_error():
            found = system.get_file_info(path)
        if found.type != FileType.File:
            raise FileNotFoundError("no such file")
        return Stat(found.size, found.mtime_ns or 0)

    def __str__(self) -> str:
        """The URI without its options and secrets."""
        return SECRET.sub("", self.text)


Place = Path | Uri


def buffered(place: Place) -> io.BufferedReader:
    """A file's bytes, which can be peeked at."""
    return place.open() if isinstance(place, Uri) else io.BufferedReader(io.FileIO(place), BUFFER)


def is_uri(name: str) -> bool:
    """Whether a name is a URI and no path; a drive's letter is none."""
    return URI.fullmatch(name) is not None


def listed(text: str) -> tuple[list[Uri], bool]:
    """The file a URI names, those its pattern matches (`*`, `**`, `[ab]`), or all below a folder or prefix; sorted.

    Returns:
        The files, and whether they are all of a folder's, logs or not.

    Raises:
        BackrouteError: nothing is there, or it cannot be reached.
    """
    name, given = str(Uri(text)), URI.fullmatch(text)
    assert given is not None
    folder = given["key"].rstrip("/")
    pattern = folder.split("/")
    wild = next((at for at, part in enumerate(pattern) if "*" in part or "[" in part), None)
    if wild is not None:
        folder = "/".join(pattern[:wild])
    try:
        system, root = _system(given["scheme"], given["authority"], given["options"] or "")
        path = _joined(root, folder)
        with _as_os_error():
            if wild is None and system.get_file_info(path).type == FileType.File:
                return [Uri(text)], False
            found = system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    except OSError as error:
        raise unreachable(name, error) from error
    keys = sorted(each.path[len(root) :].lstrip("/") for each in found if each.type == FileType.File)
    # As in a folder of this machine, nothing hidden is a log: what is kept beside one may have been copied along.
    below = pattern if wild is not None else [*pattern, "**"] if folder else ["**"]
    keys = [key for key in keys if _fits(key.split("/"), below)]
    if not keys:
        what = "no file matches this pattern" if wild is not None else "no such file, and none below it"
        raise BackrouteError(name, what, fix=FIXES[1][1])
    head = text[: given.start("key")]
    return [Uri(head + key + (given["options"] or "")) for key in keys], wild is None


def _fits(path: list[str], pattern: list[str]) -> bool:
    """Whether a path's parts fit a pattern's: ** is any number of them, and what is hidden has to be named so."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return _fits(path, pattern[1:]) or (bool(path) and path[0][:1] != "." and _fits(path[1:], pattern))
    shown = bool(path) and (path[0][:1] != "." or pattern[0][:1] == ".")
    return shown and fnmatchcase(path[0], pattern[0]) and _fits(path[1:], pattern[1:])


def unreachable(name: str, error: OSError) -> BackrouteError:
    """What a filesystem's error means for who named the file."""
    said = str(error.strerror or error).splitlines()[0]
    fix = next((fix for words, fix in FIXES if re.search(words, said, re.IGNORECASE)), "check the URI")
    return BackrouteError(name, f"cannot be read ({said[:300]})", fix=fix)


def _place(text: str) -> tuple[FileSystem, str]:
    given = URI.fullmatch(text)
    assert given is not None
    system, root = _system(given["scheme"], given["authority"], given["options"] or "")
    return system, _joined(root, given["key"])


def _joined(root: str, key: str) -> str:
    return f"{root.rstrip('/')}/{key}" if key else root


@lru_cache
def _system(scheme: str, authority: str, options: str) -> tuple[FileSystem, str]:
    """A filesystem and its root: one for each bucket, since finding a bucket's region takes a call."""
    uri = f"{scheme}://{authority}/{options}"
    try:
        return FileSystem.from_uri(uri)  # type: ignore[no-any-return]
    except (pa.ArrowException, ValueError) as error:
        fix = "for example s3://bucket/june/*.jsonl, gs://bucket/june.jsonl or a path"
        raise BackrouteError(SECRET.sub("", uri), f"no URI that can be read ({error})", fix=fix) from error


@contextmanager
def _as_os_error() -> Iterator[None]:
    """What goes wrong on the way to a file is an OSError, whatever pyarrow makes of it."""
    try:
        yield
    except pa.ArrowException as error:
        raise OSError(str(error)) from error

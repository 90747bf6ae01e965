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
from textwrap import shorten
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow.fs import FileSelector, FileSystem, FileType

from problems import BackrouteError

# s3://bucket/key?region=eu-central-1: a scheme, who holds it, the key as it is (not percent-encoded), and options.
URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<authority>[^/?]*)/?(?P<key>[^?]*)(?P<options>\?.*)?", re.DOTALL)
SECRET = re.compile(r"(?<=://)[^/@?]*@|\?.*", re.DOTALL)  # a key before the bucket, and options, which may hold one
BUFFER = 2**20
# Google's client tries again for 15 minutes of its own accord; a log on a network that is down is told sooner.
GOOGLE = "gs", "gcs"
RETRY_SECONDS = 10
LONGEST_SAID = 240  # of an error that the filesystems make pages of


class Keeper(NamedTuple):
    """Who keeps buckets: how to list what is there, whose key opens it, and how it is reached."""

    lists: str
    key: str
    reach: str


KEEPERS = {
    "s3": Keeper(
        "check bucket and key, and its region (AWS_DEFAULT_REGION); `aws s3 ls` shows them",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, of who may read it",
        "check the network, and AWS_ENDPOINT_URL where it is not Amazon's",
    ),
    **dict.fromkeys(
        GOOGLE,
        Keeper(
            "check bucket and key; `gcloud storage ls` shows them",
            "set GOOGLE_APPLICATION_CREDENTIALS to the key file of who may read it, or write gs://anonymous@bucket/...",
            "check the network, and that GOOGLE_APPLICATION_CREDENTIALS is set; a public one is gs://anonymous@bucket/...",
        ),
    ),
    **dict.fromkeys(
        ("abfs", "abfss"),
        Keeper(
            "check account, container and path; `az storage blob list` shows them",
            "log in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET of a reader",
            "check the network and the account's name",
        ),
    ),
}
OTHERS = Keeper("check the URI", "check who may read it", "check the network and the URI")
# What the filesystems' errors say; the first that fits tells which advice helps.
SIGNS = (
    ("lists", "NO_SUCH_BUCKET|NO_SUCH_KEY|RESOURCE_NOT_FOUND|does not exist|not found"),
    ("reach", "UNAVAILABLE"),  # Google's word, whose longer text also speaks of credentials
    ("key", "ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|credential|HTTP (response code )?40[13]|FORBIDDEN"),
    ("reach", "NETWORK|resolve|connect|timed? ?out"),
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
        raise BackrouteError(name, what, fix=_keeper(name).lists)
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
    sign = next((sign for sign, words in SIGNS if re.search(words, said, re.IGNORECASE)), None)
    fix = getattr(_keeper(name), sign) if sign else "check the URI"
    return BackrouteError(name, f"cannot be read ({shorten(said, LONGEST_SAID, placeholder=' ...')})", fix=fix)


def _keeper(name: str) -> Keeper:
    return KEEPERS.get(name.partition("://")[0], OTHERS)


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
    patience = ""
    if scheme in GOOGLE and "retry_limit_seconds=" not in options:
        patience = f"{'&' if options else '?'}retry_limit_seconds={RETRY_SECONDS}"
    try:
        return FileSystem.from_uri(uri + patience)  # type: ignore[no-any-return]
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

"""Batch jobs keep requests and results in different files, in different orders: they are joined on `custom_id`."""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from collections import defaultdict
from typing import Any

import msgspec

from workloads.formats.envelope import Record
from workloads.formats.not_a_call import NotACallError


class Join:
    """The requests and results of all files of a log, as a first pass over them finds them.

    Requests wait in a temporary file; in memory stand some hundred bytes for each, as for any row. Jobs number their
    requests anew, so one `custom_id` may come again: the first result then takes the first request, and so on.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="backroute-")  # noqa: SIM115 - lives as long as the join
        weakref.finalize(self, self._file.close)
        self._places: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
        self._results: defaultdict[bytes, int] = defaultdict(int)
        self._taken: defaultdict[bytes, int] = defaultdict(int)
        self._passed: defaultdict[bytes, int] = defaultdict(int)

    def hold(self, custom_id: object, request: Any) -> None:
        """Keep a request for its result."""
        line = msgspec.json.encode(request)
        self._places[_key(custom_id)].append((self._file.seek(0, 2), len(line)))
        self._file.write(line)

    def answered(self, custom_id: object) -> None:
        """Take note that there is a result."""
        self._results[_key(custom_id)] += 1

    def request_of(self, custom_id: object) -> Any:
        """The request of the result at hand; null where the log does not hold it."""
        key = _key(custom_id)
        places = self._places.get(key)
        if not places:
            return None
        at, size = places[min(self._taken[key], len(places) - 1)]
        self._taken[key] += 1
        self._file.seek(at)
        return msgspec.json.decode(self._file.read(size))

    def unanswered(self, custom_id: object) -> None:
        """Nothing, for a request that no result of the log belongs to.

        Raises:
            NotACallError: it has a result, and the call is read there.
        """
        key = _key(custom_id)
        self._passed[key] += 1
        if self._passed[key] <= self._results[key]:
            raise NotACallError("request of a batch result", "the request of a batch result, which is read with it")


def is_id(record: Record) -> bool:
    """Whether a record names what it is joined on."""
    return isinstance(record.get("custom_id"), str | int)


def _key(custom_id: object) -> bytes:
    return hashlib.blake2b(str(custom_id).encode("utf-8", "replace"), digest_size=12).digest()

"""Server-sent events out of a live stream's bytes, strictly: what cannot be read is an error and not passed over."""

from __future__ import annotations

from typing import Any

import msgspec

from workloads.sse import DONE, Event


class Events:
    """Takes a stream's bytes as they come and gives the events that they complete.

    The framing is html.spec.whatwg.org, "Server-sent events". Lines are cut as bytes, at line feeds alone: JSON may
    hold the other line separators of Unicode.
    """

    def __init__(self) -> None:
        self._line = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end within this chunk.

        Raises:
            ValueError: one of them is no JSON object.
        """
        *lines, self._line = (self._line + chunk).split(b"\n")
        found = []
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data).strip(), []
                found += [_decoded(data)] if data else []
        return found

    def rest(self) -> list[Event]:
        """A last event whose blank line never came, if it is whole."""
        try:
            return self.feed(b"\n\n")
        except ValueError:
            return []


def _decoded(data: bytes) -> Event:
    if data == b"[DONE]":
        return DONE
    try:
        event: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(event, dict):
        raise ValueError("not an object")
    return event

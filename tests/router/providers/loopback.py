"""A provider on loopback that answers what it is told, byte by byte, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One scripted response.

    `pause_s` is waited before each chunk; `cut` closes the connection without ending the body, `mute` without a word.
    """

    body: bytes | Sequence[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    cut: bool = False
    mute: bool = False

    @classmethod
    def json(cls, body: Any, **more: Any) -> Reply:
        return cls(json.dumps(body).encode(), **more)

    @classmethod
    def events(cls, *events: Any, **more: Any) -> Reply:
        """A stream: an object becomes its `data:` line, a text is one as it stands."""
        chunks = [f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n".encode() for e in events]
        return cls(chunks, content_type="text/event-stream", **more)


@dataclass
class Asked:
    """One request as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Loopback:
    """Answers with its replies in turn, the last of them again and again; a function makes a reply from the body."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self._replies: list[Reply | Callable[[dict[str, Any]], Reply]] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # the default of 5 resets connections that come in a burst

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that gave up is no news here

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def replies(self, *replies: Reply | Callable[[dict[str, Any]], Reply]) -> None:
        self.asked.clear()
        self._replies = list(replies)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.asked.append(Asked(handler.path, headers, body))
            held = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        reply = held if isinstance(held, Reply) else held(body)
        if reply.mute:
            handler.close_connection = True
            handler.connection.shutdown(2)
            return
        handler.send_response(reply.status)
        handler.send_header("content-type", reply.content_type)
        handler.send_header("transfer-encoding", "chunked")
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        for chunk in [reply.body] if isinstance(reply.body, bytes) else reply.body:
            time.sleep(reply.pause_s)
            handler.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            handler.wfile.flush()
        if reply.cut:
            handler.close_connection = True
            handler.connection.shutdown(2)
        else:
            handler.wfile.write(b"0\r\n\r\n")

"""A server on loopback that speaks as much of S3 as reading takes: objects, parts of them, listings, and refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

KEY = "reader"  # the only access key that may read


class S3Server(ThreadingHTTPServer):
    """Buckets of objects in memory, and what was asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.ranges: list[tuple[str, int, int]] = []  # key, first and last byte of each part that was read
        self.cut: dict[str, int] = {}  # keys that cannot be read beyond a byte

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Server

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
            return self._error(403, "InvalidAccessKeyId")
        if bucket not in self.server.buckets:
            return self._error(404, "NoSuchBucket")
        objects = self.server.buckets[bucket]
        if not key:
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return self._list(objects, asked) if "list-type" in asked else self._send(200, b"")
        if key not in objects:
            return self._error(404, "NoSuchKey")
        return self._object(key, objects[key])

    def _object(self, key: str, held: bytes) -> None:
        asked = self.headers.get("Range")
        if asked is None:
            return self._send(200, held)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(held) - 1), len(held) - 1)
        if end >= self.server.cut.get(key, len(held)):
            return self._error(403, "AccessDenied")
        self.server.ranges.append((key, start, end))
        return self._send(206, held[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{len(held)}"})

    def _list(self, objects: dict[str, bytes], asked: dict[str, str]) -> None:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        said, folders = "", set[str]()
        for key in sorted(objects):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                continue
            changed = "<LastModified>2026-06-01T00:00:00.000Z</LastModified>"
            said += f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key])}</Size>{changed}</Contents>"
        said += "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders))
        count = said.count("<Key>") + len(folders)
        body = (
            f"<ListBucketResult><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>{said}</ListBucketResult>"
        )
        self._send(200, body.encode())

    def _error(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Last-Modified": formatdate(0, usegmt=True), "ETag": '"1"'} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A running server."""
    server = S3Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

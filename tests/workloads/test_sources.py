import gzip
import io
import os
import subprocess
import sys
import threading
import tracemalloc
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from problems import BackrouteError, ProblemLog
from workloads import read_log
from workloads.sources import FileSource, numbered_lines, open_source
from workloads.unpacked import Unpacked

ROW = b'{"prompt": "%d"}\n'
LINES = b"".join(ROW % number for number in range(2_000))


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKERS = pytest.mark.parametrize("pack", [bytes, gzip.compress, zst], ids=["plain", "gzip", "zstd"])
PACKED = pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gzip", "zstd"])


def lines(data: bytes, path: Path) -> tuple[list[tuple[int, bytes]], list[tuple[int, str]]]:
    """The numbered lines of a file with these bytes, and the places and kinds of its problems."""
    path.write_bytes(data)
    problems = ProblemLog()
    found = list(numbered_lines(FileSource(path, path.name), problems))
    return found, [(problem.line, problem.kind) for problem in problems.kept]


@PACKERS
def test_a_file_is_unpacked_by_what_it_holds_and_not_by_its_name(pack: type[bytes], tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.gz", "a.zst"):
        found, problems = lines(pack(LINES), tmp_path / name)
        assert len(found) == 2_000
        assert found[0] == (1, b'{"prompt": "0"}')
        assert found[-1] == (2_000, b'{"prompt": "1999"}')
        assert not problems


@PACKED
def test_packed_files_joined_into_one_are_read_to_the_end(pack: type[bytes], tmp_path: Path) -> None:
    joined = pack(b"a\nb") + pack(b"c\n") + b"\x00" * 3_000 + pack(b"") + pack(b"d\n") + b"\x00" * 1_500
    assert lines(joined, tmp_path / "a") == ([(1, b"a"), (2, b"bc"), (3, b"d")], [])


@PACKED
def test_a_file_cut_short_gives_every_whole_line_and_says_so(pack: type[bytes], tmp_path: Path) -> None:
    whole = "".join(f'{{"prompt": "{zlib.crc32(n.to_bytes(3))}"}}\n' for n in range(30_000)).encode()
    packed = pack(whole)
    for keep, at_least in ((0.3, 0.05), (0.6, 0.3), (0.999, 0.8)):
        found, problems = lines(packed[: int(len(packed) * keep)], tmp_path / "a")
        text = b"".join(line + b"\n" for _, line in found)
        assert whole.startswith(text[:-1])  # the last may be half a line, which becomes a problem of its own
        assert len(text) >= at_least * len(whole)
        assert problems == [(len(found) + 1, "broken_file")]


@PACKED
def test_damage_in_the_middle_keeps_the_lines_before_it(pack: type[bytes], tmp_path: Path) -> None:
    first, second = pack(LINES), pack(b"more\n")
    found, problems = lines(first + second[:6] + b"\xff" * 40 + second[6:], tmp_path / "a")
    assert len(found) == 2_000
    assert problems == [(2_001, "broken_file")]


def test_bytes_after_a_packed_file_are_a_problem(tmp_path: Path) -> None:
    found, problems = lines(gzip.compress(LINES) + b"trailing", tmp_path / "a")
    assert (len(found), problems) == (2_000, [(2_001, "broken_file")])


@PACKED
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_line_ends_of_any_system_and_blank_lines_count_but_give_nothing(
    pack: type[bytes], ends: bytes, tmp_path: Path
) -> None:
    data = ends.join([b"a", b"", b"   ", b"b", b"\t", b"c"])
    assert lines(pack(data), tmp_path / "a") == ([(1, b"a"), (4, b"b"), (6, b"c")], [])


@PACKERS
def test_a_byte_order_mark_is_no_part_of_the_first_line(pack: type[bytes], tmp_path: Path) -> None:
    assert lines(pack(b"\xef\xbb\xbf{}\n{}"), tmp_path / "a") == ([(1, b"{}"), (2, b"{}")], [])
    assert lines(pack(b"\xef\xbb\xbf\n{}"), tmp_path / "a")[0] == [(2, b"{}")]


@PACKERS
@pytest.mark.parametrize(
    "data",
    [
        '{"prompt": "Hi"}\n'.encode("utf-16"),
        '{"prompt": "Hi"}\n'.encode("utf-16-le"),
        '{"prompt": "Hi"}\n'.encode("utf-16-be"),
        b"PK\x03\x04rest",
        b"%PDF-1.7\n",
        b"SQLite format 3\x00",
        b"\x80\x04\x95\x00",
        bytes(range(256)) * 20,
    ],
)
def test_a_file_without_lines_is_one_problem(pack: type[bytes], data: bytes, tmp_path: Path) -> None:
    assert lines(pack(data), tmp_path / "a") == ([], [(0, "not_text")])


def test_zeros_that_a_crash_left_cost_no_other_line(tmp_path: Path) -> None:
    data = b'{"prompt": "a"}\n{"prompt"' + b"\x00" * 3_000 + b'\n{"prompt": "b"}\n'
    found, problems = lines(data, tmp_path / "a")
    assert ([number for number, _ in found], problems) == ([1, 2, 3], [])


@PACKERS
def test_an_empty_file_is_noted(pack: type[bytes], tmp_path: Path) -> None:
    assert lines(pack(b""), tmp_path / "a") == ([], [(0, "empty_file")])


@PACKERS
def test_a_line_too_long_is_set_aside_and_the_next_is_read(
    pack: type[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.sources.LONGEST_LINE", 100)
    data = b"a\n" + b"x" * 98 + b"\n" + b"x" * 99 + b"\n" + b"x" * 100 + b"\n" + b"y" * 5_000 + b"\nb\n" + b"z" * 101
    found, problems = lines(pack(data), tmp_path / "a")
    assert [(number, len(line)) for number, line in found] == [(1, 1), (2, 98), (3, 99), (6, 1)]
    assert problems == [(4, "line_too_long"), (5, "line_too_long"), (7, "line_too_long")]


@PACKED
def test_memory_stays_bounded_however_long_a_line_unpacks_to(pack: type[bytes], tmp_path: Path) -> None:
    """256 MiB of one letter on one line, in under 100 kB of zstd, is read within the 32 MiB of the longest line."""
    path = tmp_path / "a"
    path.write_bytes(pack(b"x" * 256 * 2**20) if pack is zst else gzip.compress(b"x" * 96 * 2**20, 1))
    problems = ProblemLog()
    tracemalloc.start()
    try:
        assert not list(numbered_lines(FileSource(path, "a"), problems))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert problems.counts == {"line_too_long": 1}
    assert peak < 150 * 2**20


@given(st.binary(max_size=3_000), st.integers(1, 700), st.booleans())
def test_unpacking_gives_back_what_was_packed_in_pieces_of_any_size(data: bytes, size: int, gz: bool) -> None:
    from workloads.sources import UNPACKERS

    packed = (gzip.compress(data[:100]) + gzip.compress(data[100:])) if gz else zst(data[:100]) + zst(data[100:])
    stream = Unpacked(io.BytesIO(packed), UNPACKERS[0 if gz else 1][1])
    got = b""
    while piece := stream.read(size):
        got += piece
    assert got == data
    assert stream.fault == ""
    assert stream.readable()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.jsonl", "nowhere.jsonl: no such file"),
        ("a\x00b", "cannot be opened"),
        ("x" * 5_000, "cannot be opened"),
        ('{"prompt": "' + "x" * 5_000, "cannot be opened"),
        ("", "an empty path"),
    ],
)
def test_a_path_that_cannot_be_read_is_an_error_at_once(source: str, said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        read_log(source)


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(BackrouteError, match="cannot be opened"):
        read_log(path)


def test_a_file_that_vanished_after_it_was_named_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    log = read_log(path)
    path.unlink()
    assert not list(log.batches())
    assert log.problems.counts == {"broken_file": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="names there are text")
def test_a_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path / "a") + b"\xff.jsonl"))
    path.write_bytes(b"{}\n")
    log = read_log(path)
    assert str(log.problems.kept[0]).encode()


@PACKERS
def test_standard_input_is_read_as_often_as_asked(
    pack: type[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(pack(LINES))
    with (tmp_path / "in").open() as held:
        monkeypatch.setattr("sys.stdin", held)
        log = read_log("-")
    assert log.name == "standard input"
    for _ in range(2):
        assert sum(requests.num_rows for requests, _ in log.batches()) == 2_000


@pytest.mark.parametrize("stdin", [None, io.StringIO("{}")])
def test_standard_input_that_is_not_connected_is_an_error(
    stdin: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(BackrouteError, match="nothing is connected to it"):
        read_log("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_as_often_as_asked(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeding = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(LINES),))
    feeding.start()
    source = open_source(pipe)
    feeding.join()
    assert source.name == str(pipe)
    for _ in range(2):
        assert len(list(numbered_lines(source, ProblemLog()))) == 2_000


def test_what_was_kept_of_standard_input_is_gone_when_the_work_ends(tmp_path: Path) -> None:
    code = "from workloads import read_log; print(len(read_log('-').requests()))"
    told = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], input=LINES, capture_output=True, env=told, check=True)
    assert done.stdout.strip() == b"2000"
    assert not list(tmp_path.glob("backroute-*"))


def test_records_are_read_without_pandas() -> None:
    code = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
from workloads import read_log
print(sum(requests.num_rows for requests, _ in read_log([{"prompt": "Hi"}]).batches()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"

"""A file cut into blocks gives each of its lines once."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import ProblemLog
from workloads import blocks, read_log
from workloads.blocks import Block, blocks_of, read_block
from workloads.sources import FileSource, stripped

lines = st.lists(st.sampled_from([b"", b" ", b"{}", b"{}\r", b'{"prompt": "longer than a block"}']), min_size=1)


@given(lines, st.integers(1, 50), st.booleans())
def test_blocks_of_any_size_give_the_lines_of_the_whole_file(said: list[bytes], size: int, ended: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(b"\n".join([b'{"prompt": "first"}', *said]) + b"\n" * ended)
        blocks = blocks_of(FileSource(path, "log"), size) or []
        found = [line for block in blocks if isinstance(block, Block) for line in block.lines()]
        whole = path.read_bytes().removesuffix(b"\n").split(b"\n")
    assert found == stripped(whole, begins=True)


USUAL = [json.dumps({"prompt": f"p{n}", "model": "gpt-4o", "timestamp": "2026-06-01T00:00:00Z"}) for n in range(60)]


@pytest.mark.parametrize(
    "before",
    [
        [],
        ["", "", ""],
        ["{no JSON"],
        ['{"request": {"model": "gpt-4o", "messages": []}, "response": {}}'],
    ],
)
def test_blocks_read_apart_say_what_the_log_was_recognised_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    monkeypatch.setattr(blocks.blocks_of, "__defaults__", (1_000,))
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join([*before, *USUAL]) + "\n", "utf-8")
    whole, apart, taken = read_log(path), read_log(path), 0
    for _ in whole.batches():
        pass
    gathering = apart.gathering(ProblemLog())
    for block in apart.blocks() or ():
        found = read_block(block)
        if found is not None and gathering.take(block, found[2]):
            taken += 1
        else:
            gathering.read(block)
    gathering.end()
    assert taken > 3
    assert (apart.formats, apart.recognised, apart.digest) == (whole.formats, whole.recognised, whole.digest)
    assert whole.recognised["chat JSONL"].startswith(f"{path}:{len(before) + 1}: ")

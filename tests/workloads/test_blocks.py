"""A file cut into blocks gives each of its lines once."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from workloads.blocks import Block, blocks_of
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

"""A production hour whose block reuse is published: Mooncake, FAST'25."""

from pathlib import Path

import numpy as np
import pytest

from simulator.state.prefixes import Nodes
from simulator.state.prompt_cache import alive
from workloads import read_log

TRACE = Path(__file__).resolve().parents[4] / "shared" / "data" / "traces" / "mooncake_conversation.jsonl.gz"


@pytest.mark.skipif(not TRACE.exists(), reason="needs the shared data beside the project")
def test_block_reuse_with_unlimited_memory_is_the_published_one() -> None:
    parts, rows = [], 0
    for requests, outcomes in read_log(TRACE, start="2024-06-01T00:00Z").batches():
        parts.append(Nodes.of(requests, outcomes["input_uncached"].to_numpy() * 1000, rows))
        rows += requests.num_rows
    nodes = Nodes.joined(parts)
    seen = alive(nodes.hash, nodes.row, np.arange(rows), np.full(rows, 2**62))
    assert (rows, len(seen)) == (12_031, 288_500)
    assert round(100 * float(seen.mean()), 1) == 36.6

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _no_figure_is_left_open() -> Iterator[None]:
    """Every test starts without figures, and fails if it leaves one that pyplot still holds."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield
    left = plt.get_fignums()
    plt.close("all")
    assert left == []


@pytest.fixture(scope="session")
def schema() -> Any:
    """The schema every summary follows."""
    path = Path(__file__).resolve().parents[2] / "simulator" / "summary.schema.json"
    return json.loads(path.read_text(encoding="utf-8"))

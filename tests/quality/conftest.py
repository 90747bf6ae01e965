from pathlib import Path

import pytest

from pricing import PriceBook
from tests.quality.stand_ins import replayed


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.load()


@pytest.fixture(scope="session")
def replay_of(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return replayed(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def folder(replay_of: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A log and a fresh copy of its replay's folder."""
    log, out = replay_of
    for name in ("decisions.parquet", "summary.json", "rules.yaml"):
        (tmp_path / name).write_bytes((out / name).read_bytes())
    return log, tmp_path

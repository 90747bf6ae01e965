from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulator.stored.kept.logs import lines, settled
from workloads import Log, store


@pytest.fixture(autouse=True)
def _keep_small_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SMALLEST", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return settled(tmp_path / "logs" / "log.jsonl", lines())


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no log may be read."""

    def no_more() -> None:
        monkeypatch.setattr(Log, "batches", lambda *_, **__: pytest.fail("read again"))
        monkeypatch.setattr(Log, "gathering", lambda *_, **__: pytest.fail("read again"))

    return no_more

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pricing import BUCKETS, AsOf, PriceBook, charge
from pricing.overlay import load_overlay

SHARED_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.load()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared recordings are not beside this checkout")
    return SHARED_DATA


@pytest.fixture
def book_of(tmp_path: Path) -> Callable[[str], PriceBook]:
    """A book that holds nothing but one price file."""

    def load(text: str) -> PriceBook:
        path = tmp_path / "prices.yaml"
        path.write_text(text, encoding="utf-8")
        return PriceBook([], [load_overlay(path, named="prices.yaml")])

    return load


class Charged:
    """Charges one request and gives its total in picodollars."""

    def __call__(
        self, book: PriceBook, model: str | None, at: object = "latest", arrived: object = None,
        tier: str | None = None, **tokens: float | None,
    ) -> int | None:  # fmt: skip
        usage = pa.table({b: pa.array([thousandths(tokens.get(b, 0))], pa.int64()) for b in BUCKETS})
        times = None if arrived is None else pa.array([arrived], pa.timestamp("us", tz="UTC"))
        tiers = None if tier is None else pa.array([tier])
        policy = AsOf.parse(at)  # type: ignore[arg-type]
        result = charge(book, pa.array([model], pa.string()), usage, at=policy, arrived_at=times, tier=tiers)
        total: int | None = result.total[0].as_py()
        return total


def thousandths(tokens: float | None) -> int | None:
    return None if tokens is None else round(tokens * 1000)


@pytest.fixture(scope="session")
def charged() -> Charged:
    return Charged()

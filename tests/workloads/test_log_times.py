import contextlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads import read_log
from workloads.formats import times
from workloads.formats.times import read_time
from workloads.rows import Row, RowError

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def arrived(value: Any, **options: Any) -> datetime | None:
    log = read_log([{"prompt": "Hi", "timestamp": value}], **options)
    [(requests, _)] = log.batches()
    when: datetime | None = requests["arrived_at"].to_pylist()[0]
    return when


@pytest.mark.parametrize(
    "value",
    [
        "2026-06-01T12:00:00Z",
        "2026-06-01T12:00:00+00:00",
        "2026-06-01T14:00:00+02:00",
        "2026-06-01T17:30:00+0530",
        "2026-06-01 05:00:00-07:00",
        "2026-06-01 12:00:00 UTC",
        "2026-06-01 12:00:00 GMT",
        "2026-06-01 12:00:00 +0000",
        " 2026-06-01T12:00:00.000Z ",
        "20260601T120000Z",
        1_780_315_200,
        1_780_315_200.0,
        "1780315200",
        "1780315200.0",
        1_780_315_200_000,
        "1780315200000",
        1_780_315_200_000_000,
        1_780_315_200_000_000_000,
    ],
)
def test_one_noon_in_many_spellings(value: Any) -> None:
    assert arrived(value) == NOON


@pytest.mark.parametrize(
    ("value", "microsecond"),
    [
        ("2026-06-01T12:00:00.1234567Z", 123_456),
        ("2026-06-01T12:00:00.123456789+00:00", 123_456),
        ("2026-06-01T12:00:00,5Z", 500_000),
        (1_780_315_200.123456, 123_456),
        (1_780_315_200_123, 123_000),
        (1_780_315_200_123_456_789, 123_456),
    ],
)
def test_fractions_are_kept_to_the_microsecond(value: Any, microsecond: int) -> None:
    assert arrived(value) == NOON.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-01-15T12:00:00", "2026-01-15T11:00:00+00:00"),  # winter, one hour ahead
        ("2026-07-15T12:00:00", "2026-07-15T10:00:00+00:00"),  # summer, two
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00+00:00"),  # comes twice that night: the first is meant
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00+00:00"),  # comes not at all: as if the clock had not been moved
        ("2026-06-01", "2026-05-31T22:00:00+00:00"),
    ],
)
def test_times_without_a_zone_are_in_the_zone_that_was_named(local: str, utc: str) -> None:
    when = arrived(local, timezone="Europe/Berlin")
    assert when is not None
    assert when.isoformat() == utc


def test_a_zone_that_is_stated_is_not_overridden() -> None:
    assert arrived("2026-06-01T12:00:00Z", timezone="Asia/Tokyo") == NOON
    assert arrived(1_780_315_200, timezone="Asia/Tokyo") == NOON


def test_a_missing_zone_is_noted_once_a_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        lines = [f'{{"prompt": "{path.stem}{day}", "ts": "2026-06-0{day}"}}\n' for day in range(1, 4)]
        path.write_text("".join(lines))
    log = read_log(paths, timezone="Europe/Berlin")
    assert [(problem.source, problem.line, problem.kind) for problem in log.problems.kept] == [
        (str(path), 1, "no_time_zone") for path in paths
    ]
    assert log.problems.set_aside == 0
    assert log.problems.kept[0].effect == "times without a zone were read as Europe/Berlin"


@pytest.mark.parametrize("value", [None, ""])
def test_no_time_is_null(value: Any) -> None:
    assert arrived(value) is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("yesterday", "bad_time"),
        ("2026-13-01", "bad_time"),
        ("01/06/2026", "bad_time"),
        (True, "bad_time"),
        ([2026], "bad_time"),
        ({"$date": 1}, "bad_time"),
        (10**20, "bad_time"),
        (10**400, "bad_time"),
        ("nan", "bad_time"),
        ("0001-01-01T00:00:00+14:00", "bad_time"),
        ("9999-12-31T23:59:59-14:00", "bad_time"),
        ("2014-12-31T23:59:59Z", "absurd_time"),
        ("2100-01-01T00:00:00Z", "absurd_time"),
        (0, "absurd_time"),
        (-1, "absurd_time"),
        (1_420_070_399, "absurd_time"),
        ("20240", "bad_time"),
    ],
)
def test_a_time_that_cannot_be_meant_sets_the_row_aside(value: Any, kind: str) -> None:
    log = read_log([{"prompt": "Hi", "ts": value}, {"prompt": "Ho"}])
    assert sum(requests.num_rows for requests, _ in log.batches()) == 1
    [problem] = log.problems.kept
    assert (problem.line, problem.field, problem.kind, problem.set_aside) == (1, "ts", kind, True)


def test_the_first_and_last_instant_are_in() -> None:
    assert arrived("2015-01-01T00:00:00Z") is not None
    assert arrived(1_420_070_400) == datetime(2015, 1, 1, tzinfo=UTC)
    assert arrived("2099-12-31T23:59:59.999999Z") is not None


@given(st.datetimes(datetime(2015, 1, 2), datetime(2099, 12, 30), timezones=st.timezones()))
def test_iso_times_come_back_exactly(when: datetime) -> None:
    micros = read_time("ts", when.isoformat(), UTC, Row())
    assert micros is not None
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros) == when.astimezone(UTC)


@given(st.integers(1_420_070_400, 4_102_444_799))
def test_every_unit_of_epoch_time_means_the_same_instant(second: int) -> None:
    for factor in (1, 1_000, 1_000_000, 1_000_000_000):
        assert read_time("ts", second * factor, UTC, Row()) == second * 1_000_000
        assert read_time("ts", str(second * factor), UTC, Row()) == second * 1_000_000


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.integers())))
def test_any_other_value_is_a_time_or_a_problem(value: Any) -> None:
    when = None
    with contextlib.suppress(RowError):
        when = read_time("ts", value, UTC, Row())
    assert when is None or 1_420_070_400_000_000 <= when < 4_102_444_800_000_000


pieces = st.sampled_from(["-", " ", ":00", ".1234567", "Z", "+02:00", " +02:00", " UTC", "GMT", "T10", "W23", "\u3000"])


@given(st.sampled_from(["", "2026-06-01", "2026-06-01T10:00:00", "2026-06-01 10:00:00"]), st.lists(pieces, max_size=3))
def test_a_time_as_most_logs_write_it_is_read_as_every_time_is(begin: str, rest: list[str]) -> None:
    def said() -> object:
        try:
            return read_time("timestamp", begin + "".join(rest), UTC, Row())
        except RowError as error:
            return error.kind

    found = said()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "ISO", re.compile("(?!)"))
        assert found == said()

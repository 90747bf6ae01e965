from pathlib import Path

import pytest

from problems import BackrouteError
from quality.journal import Journal, Outcome, Sent

HEADER = {"margin": 0.05, "scoring": "gold"}


def test_answers_outlive_the_run(tmp_path: Path) -> None:
    path = tmp_path / "verify.jsonl"
    journal = Journal(path, HEADER)
    journal.sent(Sent("1:routed", 70, "openai/gpt-4o", "now"))
    journal.ended(Outcome("1:routed", 40, text="é\n", usage={"output_text": 3}))
    journal.close()
    with Journal(path, HEADER) as again:
        assert again.outcomes == {"1:routed": Outcome("1:routed", 40, text="é\n", usage={"output_text": 3})}
        assert (again.spent, again.lost) == (40, set())


def test_a_call_in_flight_when_the_run_was_killed_counts_at_its_most_and_is_lost(tmp_path: Path) -> None:
    """40 for the answer, 70 set aside for the one in flight: 110."""
    path = tmp_path / "verify.jsonl"
    journal = Journal(path, HEADER)
    for call in ("1:routed", "2:routed"):
        journal.sent(Sent(call, 70, "openai/gpt-4o", "now"))
    journal.ended(Outcome("1:routed", 40, text="a"))
    journal.close()
    with Journal(path, HEADER) as again:
        assert (again.spent, again.lost) == (110, {"2:routed"})


def test_a_call_that_failed_may_be_made_again_and_what_it_may_have_cost_is_spent(tmp_path: Path) -> None:
    path = tmp_path / "verify.jsonl"
    journal = Journal(path, HEADER)
    journal.sent(Sent("1:routed", 70, "openai/gpt-4o", "now"))
    journal.ended(Outcome("1:routed", 70, fault="timeout"))
    journal.close()
    with Journal(path, HEADER) as again:
        assert (again.spent, again.lost, again.outcomes) == (70, set(), {})


@pytest.mark.parametrize("cut", range(1, 56, 7))
def test_a_line_that_a_crash_cut_is_dropped_and_the_file_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "verify.jsonl"
    journal = Journal(path, HEADER)
    journal.sent(Sent("1:routed", 70, "openai/gpt-4o", "now"))
    journal.ended(Outcome("1:routed", 40, text="a"))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, HEADER) as again:
        assert (again.spent, again.lost) == (70, {"1:routed"})
        again.ended(Outcome("2:routed", 5, text="b"))
    with Journal(path, HEADER) as last:
        assert last.spent == 75


def test_the_margin_stays_what_it_was_when_the_first_answer_came(tmp_path: Path) -> None:
    path = tmp_path / "verify.jsonl"
    Journal(path, HEADER).close()
    with pytest.raises(BackrouteError, match=r"another margin \(0.05, now 0.1\)"):
        Journal(path, {**HEADER, "margin": 0.1})
    Journal(path, HEADER).close()


def test_two_runs_on_one_folder_are_kept_apart(tmp_path: Path) -> None:
    first = Journal(tmp_path / "verify.jsonl", HEADER)
    with pytest.raises(BackrouteError, match="another run"):
        Journal(tmp_path / "verify.jsonl", HEADER)
    first.close()


def test_a_file_that_is_no_journal_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "verify.jsonl"
    path.write_text("{}\nhello\n")
    with pytest.raises(BackrouteError, match=":1: not a line of a journal"):
        Journal(path, HEADER)
    assert path.read_text() == "{}\nhello\n"
    with pytest.raises(BackrouteError, match="cannot be written"):
        Journal(tmp_path / "none" / "verify.jsonl", HEADER)


@pytest.mark.parametrize(
    "line",
    [
        b'{"ended": {"call": "1:routed"}}',
        b'{"ended": {"call": "1:routed", "usd_pico": -5}}',
        b'{"ended": {"call": "1:routed", "usd_pico": 9000000000000000000000}}',
        b'{"ended": {"call": "1:routed", "usd_pico": 5, "usage": {"output_text": 1e300}}}',
        b'{"sent": {"call": "1:routed", "held_pico": "much", "model": "m", "at": "now"}}',
        b'{"sent": "1:\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_was_altered_is_named_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "verify.jsonl"
    Journal(path, HEADER).close()
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(BackrouteError, match=r"verify\.jsonl:2: not a line of a journal"):
        Journal(path, HEADER)

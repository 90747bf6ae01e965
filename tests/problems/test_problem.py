import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import Problem, ProblemLog
from problems.problem import shown

KEY = "sk-proj-abcDEF0123456789abcDEF0123456789"
LONG = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        {"api_key": LONG},
        {"model": "gpt-4o", "headers": {"Authorization": f"Bearer {LONG}"}},
        {"headers": [["authorization", f"Bearer {LONG}"]]},
        {"headers": json.dumps({"x-api-key": LONG})},
        {"OPENAI_API_KEY": LONG},
        {"config": {"client_secret": LONG, "aws_secret_access_key": LONG}},
        {"access_token": LONG},
        {"cookie": f"session={LONG}"},
        f"curl -H 'x-api-key: {LONG}' https://api.example.com",
        f"https://api.example.com/v1?api_key={LONG}&model=a",
        f'{{"api_key": "{LONG}'.encode(),
        [f"gsk_{LONG}", f"AIzaSy{LONG}", f"AKIA{LONG.upper()}", f"eyJ{LONG}.{LONG}.{LONG}"],
    ],
)
def test_what_looks_like_a_key_is_never_quoted(value: Any) -> None:
    quoted = shown(value)
    assert "***" in quoted
    for secret in (KEY, LONG, LONG.upper()):
        assert secret not in quoted
        assert secret[12:24] not in quoted


@pytest.mark.parametrize(
    "value",
    [
        {"prompt_tokens": 12345678, "max_tokens": -1, "total_tokens": 99},
        {"content": "How do I keep a secret? Basic ideas, please."},
        "2024-13-01T00:00:00Z",
        "anthropic/claude-sonnet-4-5-20250929",
        {"key": "value", "author": "x"},
    ],
)
def test_other_values_are_quoted_as_they_are(value: Any) -> None:
    assert "***" not in shown(value)


def test_a_long_value_is_cut_to_200_characters_and_says_so() -> None:
    assert shown("x" * 200) == "x" * 200
    assert shown("x" * 201) == "x" * 200 + "…"
    assert shown("x" * 10_000) == "x" * 200 + "…"


def test_bytes_are_quoted_as_text() -> None:
    assert shown(b'{"a": \xff') == '{"a": \\xff'


def test_a_key_does_not_show_when_the_cut_falls_into_it() -> None:
    assert LONG[:8] not in shown({"pad": "p" * 170, "api_key": LONG})


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize("value", [[10**5_000], "\ud800", float("nan"), {1: object}, Unprintable(), b"\x00"])
def test_anything_can_be_quoted(value: Any) -> None:
    shown(value).encode()


@given(st.recursive(st.none() | st.floats() | st.text() | st.binary(), lambda inner: st.lists(inner), max_leaves=8))
def test_a_quotation_is_short_and_can_be_written(value: Any) -> None:
    quoted = shown(value)
    assert len(quoted) <= 201
    quoted.encode()


def test_every_problem_is_counted_and_written_and_the_first_ones_kept() -> None:
    sink = io.StringIO()
    log = ProblemLog(sink, keep=2)
    for line in range(1, 4):
        log.add(Problem("a.jsonl", line, "cost", "-1", "row set aside", "give USD", "bad_cost"), b'{"cost": -1}\xff')
    log.add(Problem("a.jsonl", 4, "time", "x", "kept", "say", "note", set_aside=False))
    assert (len(log), log.set_aside, log.counts["bad_cost"], len(log.kept)) == (4, 3, 3, 2)
    written = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert written[0]["original"] == '{"cost": -1}\\xff'
    assert [row["line"] for row in written] == [1, 2, 3, 4]


def test_a_problem_reads_as_place_field_value_effect_and_fix() -> None:
    problem = Problem("june.jsonl", 88, "cost", "-1", "row set aside", "give USD of 0 or more", "bad_cost")
    assert str(problem) == "june.jsonl:88: cost bad cost (-1); row set aside; give USD of 0 or more"
    whole = Problem("june.jsonl", 0, "", "UTF-16 text", "file set aside", "save it as UTF-8", "not_text")
    assert str(whole) == "june.jsonl: not text (UTF-16 text); file set aside; save it as UTF-8"

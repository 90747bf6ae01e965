import json
from pathlib import Path

import pandas as pd
import pytest

from problems import BackrouteError
from quality.gold import is_right, read_gold

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "outcomes"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("# 18", '{"reasoning": "9 x 2", "answer": "18"}'),
        ("18", "so she makes 9 * $2 = $18.00 every day."),
        ("1200", '{"answer": 1,200}'),
        ("1/2", "the answer is: 0.5"),
        ("\\frac{3}{4}", "Thus $\\boxed{\\dfrac{3}{4}}$."),
        ("\\boxed{7}", "it is 7"),
        ("Paris", '"answer": "paris"'),
        ("-3", "#### -3"),
        ("45", "45%"),
        ("x^2 + 1", "\\boxed{x^2+1}"),
    ],
)
def test_the_right_answer_is_found_however_it_is_written(gold: str, answer: str) -> None:
    assert is_right(gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "19"), ("18", ""), ("18", "no idea"), ("18", '{"answer": "180"}'), ("Paris", "London"), ("2", "1/0"),
        ("18", "first 18, then corrected: 20"),
    ],
)  # fmt: skip
def test_anything_else_is_wrong(gold: str, answer: str) -> None:
    assert not is_right(gold, answer)


def test_gold_is_read_by_request(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text('{"request_id": "a", "gold": 18}\n\n{"request_id": "b", "gold": "Paris"}\n')
    assert read_gold(path) == {"a": "18", "b": "Paris"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no right answers"), ("{", ":1: not JSON"), ('{"request_id": "a"}', "no request_id or no gold"),
        ('{"request_id": "a", "gold": 1}\n{"request_id": "a", "gold": 2}', ":2: a second answer for request 'a'"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_gold_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(content)
    with pytest.raises(BackrouteError, match=said):
        read_gold(path)
    with pytest.raises(BackrouteError, match="cannot be read"):
        read_gold(tmp_path / "none.jsonl")


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared outcomes")
def test_it_agrees_with_the_recorded_marks_of_fourteen_thousand_answers() -> None:
    """ZeroEval's own parser marked them; ours differs on under 1% (times of day, answers that never end)."""
    questions = [json.loads(line) for line in _lines("zeroeval_questions.jsonl.gz")]
    gold = {(row["task"], str(row["id"])): str(row["gold"]) for row in questions}
    for name in ("gsm", "math-l5"):
        rows = [json.loads(line) for line in _lines(f"zeroeval_outputs_{name}.jsonl.gz")]
        marked = [row for row in rows if row["correct"] is not None]
        agree = [is_right(gold[row["task"], str(row["id"])], row["output"]) == row["correct"] for row in marked]
        assert len(agree) > 4_000
        assert pd.Series(agree).mean() > 0.99


def _lines(name: str) -> list[str]:
    import gzip

    with gzip.open(DATA / name, "rt") as file:
        return file.readlines()

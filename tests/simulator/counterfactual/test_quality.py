import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from problems import BackrouteError
from simulator.counterfactual.quality import Expected, Outcomes, Scored, expected_quality
from simulator.counterfactual.quality_fit import collect, spreads

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "outcomes"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public outcomes are not beside this checkout")
PUBLIC = Outcomes.load()
GPT_4O, MINI, LLAMA = "openai/gpt-4o", "openai/gpt-4o-mini", "groq/llama-3.1-8b-instant"


def made_up(*shares: tuple[float, float], floor: float = 0.0) -> Outcomes:
    """Tasks of one class with 10,000 answers of gpt-4o and of gpt-4o-mini each, right this often."""
    models = ("gpt-4o-2024-05-13", "gpt-4o-mini-2024-07-18")
    results = {
        f"task {i}": {model: (10_000, round(10_000 * share)) for model, share in zip(models, pair, strict=True)}
        for i, pair in enumerate(shares)
    }
    return Outcomes("today", (), dict.fromkeys(results, "code"), results, floor, 0.0, 0.0)


def expected(outcomes: Outcomes, target: str = MINI, label: str | None = "code", **seen: Scored | None) -> Expected:
    return expected_quality(outcomes, GPT_4O, target, label, seen.get("of_baseline"), seen.get("of_routed"))


def test_without_any_spread_a_pair_keeps_its_public_difference() -> None:
    """80% and 60% right: log odds of 1.386 and 0.405, so a difference of -0.981 and of 20 points."""
    found = expected(made_up((0.8, 0.6)))
    assert found.baseline == pytest.approx(0.8, abs=0.002)
    assert found.routed == pytest.approx(0.6, abs=0.002)
    assert found.difference == pytest.approx(-0.2, abs=0.002)
    assert found.keeps(0.05) is False
    assert found.keeps(0.25) is True


def test_the_logs_own_scores_place_the_difficulty() -> None:
    """-0.981 log odds from 95% right (2.944): 1.964, which is 87.7%."""
    found = expected(made_up((0.8, 0.6)), of_baseline=Scored(100_000, 0.95))
    assert found.basis == "log and public outcomes"
    assert found.routed == pytest.approx(0.877, abs=0.003)


def test_scores_of_both_models_need_no_public_outcomes() -> None:
    """0.85 - 0.90 of 2,000 scored answers each: a standard error of sqrt((.9 x .1 + .85 x .15) / 2000) = 0.0104."""
    both = {"of_baseline": Scored(2_000, 0.9), "of_routed": Scored(2_000, 0.85)}
    found = expected(PUBLIC, target="someone/else", label=None, **both)
    assert (found.basis, found.tasks) == ("log", ())
    assert found.difference == pytest.approx(-0.05, abs=0.002)
    assert found.low == pytest.approx(-0.05 - 1.645 * 0.0104, abs=0.003)
    assert found.high == pytest.approx(-0.05 + 1.645 * 0.0104, abs=0.003)


@pytest.mark.parametrize(
    ("target", "label"), [("someone/else", "reasoning"), (LLAMA, "chat"), (LLAMA, "analytics"), (LLAMA, None)]
)
def test_a_pair_or_class_that_no_table_holds_is_unknown_and_never_guessed(target: str, label: str | None) -> None:
    found = expected(PUBLIC, target=target, label=label)
    assert found == Expected(None, None, None, None, None, "unknown")
    assert found.keeps(0.5) is None
    known = expected(PUBLIC, target=target, label=label, of_baseline=Scored(40, 0.75))
    assert (known.baseline, known.routed, known.keeps(0.5)) == (0.75, None, None)


def test_a_few_scores_are_not_relied_on() -> None:
    assert expected(PUBLIC, target="someone/else", of_baseline=Scored(29, 1.0)).baseline is None


def test_few_tasks_widen_the_interval() -> None:
    """Student's t over the normal: 1.775 for one task, with a factor sqrt(2) for its own draw; 1 and sqrt(6 / 5) for
    five: the widths are 2.29 to 1."""
    one, five = (expected(made_up(*([(0.6, 0.5)] * k), floor=0.1)) for k in (1, 5))
    width = [found.high - found.low for found in (one, five) if found.high is not None and found.low is not None]
    assert width[0] / width[1] == pytest.approx(2.29, rel=0.03)


def test_the_weaker_model_is_expected_to_be_worse_on_reasoning() -> None:
    """ZeroEval: 95.4% and 84.0% right on GSM8K, 54.8% and 22.2% on hard maths."""
    found = expected(PUBLIC, target=LLAMA, label="reasoning")
    assert found.difference is not None
    assert found.difference < -0.1
    assert found.tasks == ("gsm", "math-l5")


def test_spreads_are_zero_where_every_pair_keeps_its_difference() -> None:
    """Log odds of 0, 1 and 2 on one task, -1, 0 and 1 on the other, so each model moves by 1 / sqrt(2) of an sd."""
    counts = [{f"m{i}": (10**9, round(10**9 / (1 + np.exp(-(i - at))))) for i in range(3)} for at in (0, 1)]
    floor, per_logit, difficulty = spreads(*counts)
    assert floor == pytest.approx(0, abs=1e-3)
    assert per_logit == pytest.approx(0, abs=1e-3)
    assert difficulty == pytest.approx(1 / np.sqrt(2), abs=1e-3)


def test_the_packaged_table_names_sources_rows_and_day() -> None:
    assert PUBLIC.fitted_on
    assert {str(source["name"]) for source in PUBLIC.sources} == {"ZeroEval", "RouteLLM", "aider polyglot"}
    assert all(source["rows"] > 0 for source in PUBLIC.sources)


@needs_data
def test_the_packaged_table_is_what_the_script_collects() -> None:
    packaged = json.loads(files("simulator.counterfactual").joinpath("quality.json").read_text("utf-8"))
    assert json.loads(json.dumps(collect(DATA, packaged["fitted_on"]))) == packaged
    assert packaged["results"]["gsm"]["Meta-Llama-3.1-8B-Instruct"] == [1319, 1108]  # 84.0%, as published
    assert packaged["results"]["math-l5"]["Meta-Llama-3.1-8B-Instruct"] == [721, 160]  # 22.2%


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="zeroeval_outcomes"):
        collect(tmp_path, "today")

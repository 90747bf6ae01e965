from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from problems import BackrouteError
from simulator.counterfactual import Parameters, predict_output
from simulator.counterfactual.fit import fit
from simulator.counterfactual.group import observe
from simulator.counterfactual.kernel import Points, Scales, covariance
from simulator.counterfactual.names import family_of
from simulator.counterfactual.outcomes import capped, read_outcomes, within_tasks

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "outcomes"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public outcomes are not beside this checkout")


def made_up(models: dict[str, tuple[float, float]], levels: dict[str, float], n: int = 60) -> pd.DataFrame:
    """A table in which log tokens = level + shift of the model + slope x (level - 5.7) + difficulty + noise."""
    draw, rows = np.random.default_rng(0), []
    for task, level in levels.items():
        difficulty = draw.normal(0, 0.4, n)
        for model, (shift, slope) in models.items():
            logs = level + shift + slope * (level - 5.7) + difficulty * (1 + slope) + draw.normal(0, 0.2, n)
            rows += [(task, str(i), model, "AlpacaEval", round(np.exp(v)), 50) for i, v in enumerate(logs)]
    return pd.DataFrame(rows, columns=["task", "id", "model", "source", "tokens", "prompt_tokens"])


MODELS = {f"model-{i}": (shift, 0.0) for i, shift in enumerate(np.linspace(-0.4, 0.4, 8))}
LEVELS = {"one": 5.0, "two": 5.6, "three": 6.2}


def test_a_pair_that_keeps_its_ratio_everywhere_is_learned() -> None:
    """model-7 over model-0 is exp(0.4 + 0.4) = 2.23 on every task, so on a new one too."""
    params = fit(made_up(MODELS, LEVELS), "today", {}, Scales())
    fresh = made_up(MODELS, {"four": 5.4}, n=400)
    source, target = (fresh.loc[fresh["model"] == name, "tokens"].to_numpy(float) for name in ("model-0", "model-7"))
    told = predict_output(params, "model-0", "model-7", None, source, np.full(400, 50.0), None)
    assert told.expected.sum() == pytest.approx(target.sum(), rel=0.15)
    assert abs(np.log(target.sum() / told.expected.sum())) < 1.64 * told.group_log_sd


def test_levels_and_slopes_within_tasks_are_read_from_the_table() -> None:
    params = fit(made_up(MODELS | {"flat": (0.0, -0.5), "steep": (0.0, 0.5)}, LEVELS), "today", {}, Scales())
    cells = params.cells
    level = [cells.level[cells.task == code].mean() for code in range(3)]
    assert dict(zip([t.name for t in params.tasks], np.argsort(level), strict=True)).keys() == LEVELS.keys()
    assert params.within["flat"].spread < 0.85 < 1.1 < params.within["steep"].spread


def test_the_fit_is_deterministic() -> None:
    table = made_up(MODELS, LEVELS)
    assert (
        fit(table, "d", {}, Scales()).as_json()
        == fit(table.sample(frac=1, random_state=1), "d", {}, Scales()).as_json()
    )


def test_the_kernel_gives_a_covariance() -> None:
    draw = np.random.default_rng(0)
    points = Points(
        draw.integers(0, 5, 40),
        draw.integers(0, 2, 40),
        draw.integers(0, 4, 40),
        draw.normal(5.7, 1, 40),
        draw.normal(4, 1, 40),
    )
    prior = covariance(Scales(), points, points, (4.0, 7.0))
    assert np.allclose(prior, prior.T)


def test_cut_answers_are_counted_and_kept_out_of_the_means() -> None:
    table = made_up(MODELS, {"one": 5.0}, n=30)
    table.loc[table.index[:3], "tokens"] = 4096
    counts = capped(table)
    assert int(counts["cut"].sum()) == 3
    params = fit(table, "today", {}, Scales())
    assert params.cells.log_mean.max() < np.log(1000)
    assert params.runaway.models["model-0"] > 2 * params.runaway.models["model-7"]


def test_a_lengthening_factor_is_what_within_tasks_measures() -> None:
    within, _ = within_tasks(made_up({"a": (0, 0), "b": (0, 0), "c": (0, 0), "d": (0, 1.0)}, {"one": 5.7}, n=400))
    assert within["d"].spread / within["a"].spread == pytest.approx(2**0.5, rel=0.1)  # 2, halved on the log scale


def test_a_censored_group_is_read_near_its_true_level() -> None:
    """Lognormal(5.7, 0.6) has log mean 5.7 + 0.18 = 5.88; cut at 400 it shows about 5.6, and is read back."""
    true = np.exp(np.random.default_rng(0).normal(5.7, 0.6, 4000))
    shown = np.minimum(true, 400.0)
    group = observe(shown, np.full(4000, 50.0), np.full(4000, 400.0))
    assert abs(group.level - 5.88) < 0.6 * abs(np.log(shown.mean()) - 5.88)


def test_a_missing_folder_is_said_and_not_traced(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="no such file"):
        read_outcomes(tmp_path)


def test_the_packaged_parameters_name_their_sources_rows_and_date() -> None:
    params = Parameters.load()
    assert {source["name"] for source in params.sources} == {"ZeroEval", "AlpacaEval"}
    assert all(source["rows"] > 10_000 and source["licence"] for source in params.sources)
    assert params.fitted_on >= "2026-11-01"
    behind = params.support("openai/gpt-4o", "anthropic/claude-3-haiku-20240307")
    assert behind.tasks == ("gsm", "math-l5")
    assert behind.independent == 2


@pytest.mark.parametrize(
    ("name", "model", "family"),
    [
        ("groq/llama-3.1-8b-instant", "Meta-Llama-3.1-8B-Instruct", "llama-3"),
        ("openai/gpt-4o", "gpt-4o-2024-05-13", "gpt-4o"),
        ("openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18", "gpt-4o"),
        ("anthropic/claude-3-5-haiku-20241022", "claude-3-5-haiku-20241022", "claude"),
        ("anthropic/claude-sonnet-4-5", None, "claude"),
        ("groq/llama-3.3-70b-versatile", None, "llama-3"),
        ("openai/gpt-4.1", None, "gpt-4o"),
        ("openai/o3-mini", None, "openai-reasoning"),
        ("openai/gpt-5", None, None),
    ],
)
def test_names_lead_to_what_was_measured(name: str, model: str | None, family: str | None) -> None:
    known = Parameters.load().known(name)
    assert (known.model, known.family) == (model, family)


def test_every_pattern_names_a_model_of_the_data() -> None:
    from simulator.counterfactual.names import _table

    params = Parameters.load()
    models, families = _table()
    assert {model for _, model in models} <= set(params.models)
    assert {family for _, family in families} == {f for m in params.models if (f := family_of(m))}


@pytest.mark.slow
@needs_data
def test_the_packaged_measurements_are_those_of_the_public_outcomes() -> None:
    frame = read_outcomes(DATA)
    packaged = Parameters.load()
    refitted = fit(frame, packaged.fitted_on, dict(packaged.reasoning), packaged.scales)
    assert refitted.models == packaged.models
    assert refitted.within == packaged.within
    assert np.array_equal(refitted.cells.rows, packaged.cells.rows)
    assert np.allclose(refitted.cells.level, packaged.cells.level, atol=0.02)


@needs_data
def test_hard_maths_left_out_is_better_predicted_than_copied() -> None:
    """llama-3.1-8b to claude-3-haiku on level-5 maths: copying is 290% too high, the six models' worst cell."""
    frame = read_outcomes(DATA)
    params = fit(frame[frame["task"] != "math-l5"], "today", {}, Parameters.load().scales)
    table = frame[frame["task"] == "math-l5"].pivot(index="id", columns="model", values="tokens").astype(float)
    source, target = table["Meta-Llama-3.1-8B-Instruct"].to_numpy(), table["claude-3-haiku-20240307"].to_numpy()
    cap = np.full(len(source), 4096.0)
    told = predict_output(
        params, "groq/llama-3.1-8b-instant", "anthropic/claude-3-haiku", None, source, np.full(len(source), 159.0), cap
    )
    assert source.sum() / target.sum() - 1 > 2.8
    assert abs(told.expected.sum() / target.sum() - 1) < 0.8

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from problems import BackrouteError
from router import LLMRouter, RoutingRule, best_value, dump_rules, parse_rules, weak_suffices
from router.learned.linear import LinearModel
from router.learned.quality import pair_output
from router.learned.train import brier, judged, suffices, train_quality
from router.scored import WeakSuffices
from tests.conformance.check_router import check_router
from tests.router.samples import batch

MINI, FULL, SMALL = "openai/gpt-4o-mini", "openai/gpt-4o", "groq/llama-3.1-8b-instant"
EASY, HARD = "greet person number {}", "prove theorem number {}"
ROWS = [(EASY if n % 2 else HARD).format(n) for n in range(200)]


def truths() -> dict[str, np.ndarray]:
    """The small model manages what is easy, the full one everything, gpt-4o-mini all but every tenth hard one."""
    easy = np.arange(200) % 2 == 1
    mini = (easy | (np.arange(200) % 20 != 0)).astype(float)
    scores = {SMALL: easy.astype(float), MINI: mini, FULL: np.ones(200)}
    return scores | {pair_output(SMALL, FULL): suffices(scores[SMALL], scores[FULL])}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("quality") / "own.npz"
    train_quality(ROWS, truths(), [f"s{n // 4}" for n in range(200)]).save(path)
    return str(path)


def test_a_weaker_model_suffices_where_it_scores_no_less() -> None:
    weak, strong = np.array([1.0, 0.0, 0.5, np.nan, 1.0]), np.array([1.0, 1.0, 0.5, 1.0, np.nan])
    assert suffices(weak, strong).tolist()[:3] == [1.0, 0.0, 1.0]
    assert np.isnan(suffices(weak, strong)[3:]).all()


def test_the_brier_score_is_the_mean_squared_distance() -> None:
    """((0.8 - 1)^2 + (0.4 - 0)^2) / 2 = (0.04 + 0.16) / 2 = 0.1."""
    assert brier(np.array([0.8, 0.4, 0.3]), np.array([1.0, 0.0, np.nan])) == pytest.approx(0.1)


def test_the_reliability_curve_says_what_was_said_and_what_was() -> None:
    """0.72 and 0.78 fall in one tenth: said 0.75, and one of the two was right."""
    told = judged(np.array([0.72, 0.78, 0.1]), np.array([1.0, 0.0, 0.0]))
    assert told["reliability"] == [{"said": 0.1, "was": 0.0, "texts": 1}, {"said": 0.75, "was": 0.5, "texts": 2}]


def test_training_learns_where_the_weak_model_suffices(trained: str) -> None:
    router = LLMRouter(
        [
            RoutingRule("weak", weak_suffices(SMALL, FULL, model=trained) >= 0.7, "groq", "llama-3.1-8b-instant"),
            RoutingRule("strong", None, "openai", "gpt-4o"),
        ]
    )
    assert router.route("greet person number 7").name == "weak"
    assert router.route("prove theorem number 8").name == "strong"
    assert parse_rules(dump_rules(router)).rules == router.rules
    about = LinearModel.load(Path(trained)).about["left_out"]
    assert about[SMALL]["brier"] < 0.01 < about[SMALL]["brier_of_the_mean"]


def test_learned_probabilities_are_calibrated_on_groups_left_out() -> None:
    """An outcome that is a toss of a coin for half of the texts: those get about 0.5, not 0 or 1."""
    coin = np.random.default_rng(3).random(400) < 0.5
    easy = np.arange(400) % 2 == 1
    texts = [(EASY if easy[n] else HARD).format(n) for n in range(400)]
    model = train_quality(texts, {FULL: np.where(easy, 1.0, coin)}, [f"s{n // 4}" for n in range(400)])
    for bin in model.about["left_out"][FULL]["reliability"]:
        assert abs(bin["said"] - bin["was"]) < 3 * 0.5 / np.sqrt(bin["texts"])
    hard = [text for text, plain in zip(texts, easy, strict=True) if not plain]
    assert float(model.scores(hard).mean()) == pytest.approx(float(coin[~easy].mean()), abs=0.1)


def test_value_is_quality_less_what_the_cost_is_worth(trained: str) -> None:
    """Without a price of quality the best model wins; with a high one the cheapest; between them, by the text."""
    models = [FULL, MINI, SMALL]
    free, dear, between = (best_value(models, trained, quality_per_usd=price) for price in (0, 1e6, 300))
    for text in ("greet person number 7", "prove theorem number 8"):
        assert free.route(text).target in {FULL, MINI}
        assert dear.route(text).target == SMALL
    assert between.route("greet person number 7").target == SMALL
    assert between.route("prove theorem number 8").target == MINI


def learned(kind: str, trained: str) -> LLMRouter:
    if kind == "value":
        return best_value([FULL, MINI, SMALL], trained, quality_per_usd=300)
    test = weak_suffices(SMALL, FULL, model=trained) > 0.5
    return LLMRouter([RoutingRule("a", test, "x", "y"), RoutingRule("b", None, "openai", "gpt-4o")])


@pytest.mark.parametrize("kind", ["pair", "value"])
def test_learned_routers_keep_to_the_rules_of_the_house(kind: str, trained: str) -> None:
    texts = [None, "", "greet", "prove theorem number 8", "x" * 5000, "😀\0", "greet person number 3"]
    requests = batch(*({"request_id": str(n), "prompt": text} for n, text in enumerate(texts)))
    check_router(lambda: learned(kind, trained), requests)


@pytest.mark.parametrize("kind", ["pair", "value"])
def test_a_saved_router_decides_identically_in_a_new_process(kind: str, trained: str, tmp_path: Path) -> None:
    router = learned(kind, trained)
    (tmp_path / "rules.yaml").write_text(dump_rules(router), "utf-8")
    texts = ["greet person number 3", "prove theorem number 8", "hi", "", "prove it " * 40]
    code = (
        "import sys; from router import load_rules; router = load_rules(sys.argv[1]);"
        "print(router.digest(), *[router.route(text).name for text in sys.argv[2:]], sep=chr(10))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "rules.yaml"), *texts]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [router.route(text).name for text in texts]
    assert done.stdout.splitlines() == [router.digest(), *said]
    assert len(set(said)) > 1


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{{weak_suffices: {{weak: a/b, strong: c/d, at_least: 0.7, model: {0}}}}}", "not trained for a/b for c/d"),
        ("{{weak_suffices: {{weak: a/b, strong: c/d, at_least: 7, model: {0}}}}}", "0 to 1"),
        ("{{best_value: {{pick: a/b, of: [a/b], quality_per_usd: 1, model: {0}}}}}", "scores no 'a/b'"),
        ("{{best_value: {{pick: a/b, of: [openai/gpt-4o], quality_per_usd: 1, model: {0}}}}}", "not among"),
        ("{{best_value: {{pick: a/b, of: [openai/gpt-4o, a/b], quality_per_usd: -1, model: {0}}}}}", "from 0 up"),
        ("{{best_value: {{pick: a/b}}}}", "needs of, quality_per_usd, model"),
        ("{{best_value: {{pick: a/b, offs: []}}}}", "did you mean 'of'"),
        ("{{task: {{code: {{at_least: 0.5}}, model: {0}}}}}", "scores no tasks"),
    ],
)
def test_mistakes_are_named(when: str, said: str, trained: str) -> None:
    text = (
        f"rules:\n- {{name: a, when: {when.format(trained)}, use: openai/gpt-4o}}\n- {{name: b, use: openai/gpt-4o}}\n"
    )
    with pytest.raises(BackrouteError) as error:
        parse_rules(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("scores", "groups", "said"),
    [
        (np.full(40, 2.0), [str(n) for n in range(40)], "0 .worst. to 1"),
        (np.ones(5), list("abcde"), "only 5 outcomes"),
        (np.ones(40), ["one"] * 40, "one group"),
    ],
)
def test_too_little_to_learn_from_is_an_error(scores: np.ndarray, groups: list[str], said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        train_quality(["text"] * len(scores), {FULL: scores}, groups)


def test_a_task_model_is_no_quality_model(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="backroute train"):
        WeakSuffices(SMALL, FULL, "at_least", 0.5, str(tmp_path / "none.npz"))

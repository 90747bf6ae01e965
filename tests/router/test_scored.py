import subprocess
import sys
from pathlib import Path

import pytest

from problems import BackrouteError
from router import Features, LLMRouter, RoutingRule, dump_rules, length, parse_rules, task
from router.learned.linear import LinearModel
from router.scored import TaskScore
from router.semantic.tasks import task_model
from router.semantic.train import train_tasks
from tests.router.samples import DEFAULT, batch, holds
from tests.router.semantic.test_tasks import LABELLED

CODE = "Write a Python function that sorts a list of tuples"


def test_a_text_is_of_a_task_where_its_score_reaches_the_threshold() -> None:
    assert holds(task("code") >= 0.6, {"prompt": CODE}, {"prompt": "hello!"}, {"prompt": None}) == [True, False, None]


def test_thresholds_are_met_exactly() -> None:
    score = float(task_model().scores([CODE])[0, task_model().outputs.index("code")])
    number = task("code")
    tests = [number >= score, number > score, number <= score, number < score]
    assert [holds(test, {"prompt": CODE}) for test in tests] == [[True], [False], [True], [False]]


def test_a_batch_is_scored_once_whatever_the_conditions_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = LinearModel.scores
    monkeypatch.setattr(LinearModel, "scores", lambda self, texts: calls.append(len(texts)) or real(self, texts))
    features = Features.of_batch(batch({"prompt": CODE}, {"prompt": None}, {"prompt": "hi"}), DEFAULT)
    for threshold in (0.1, 0.5, 0.9):
        ((task("code") >= threshold) | (task("chat") < threshold)).evaluate(features)
    assert calls == [2]


@pytest.mark.parametrize(
    "when",
    ["{task: {code: {at_least: 0.6}}}", "{task: {code: {at_least: 0.6, below: 0.9}, chat: {at_most: 0.2}}}"],
)
def test_scores_round_trip_through_yaml(when: str) -> None:
    text = f"rules:\n- {{name: a, when: {when}, use: openai/gpt-4o}}\n- {{name: b, use: openai/gpt-4o-mini}}\n"
    router = parse_rules(text)
    again = parse_rules(dump_rules(router))
    assert again.rules == router.rules
    assert again.digest() == router.digest()


def test_a_condition_prints_the_python_that_makes_it() -> None:
    condition = (task("code") >= 0.6) & (length() < 200)
    assert str(condition) == "(task('code') >= 0.6) & (length() < 200)"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{task: {codes: {at_least: 0.6}}}", "code"),
        ("{task: {code: 0.6}}", "needs a comparison"),
        ("{task: {code: {atleast: 0.6}}}", "at_least"),
        ("{task: {code: {at_least: 60}}}", "0 to 1"),
        ("{task: code}", "for example {code: {at_least: 0.6}}"),
        ("{task: {code: {at_least: 0.6}, model: none.npz}}", "backroute train"),
        ("{weak_suffices: {weak: a/b, strong: c/d}}", "a comparison"),
        ("{weak_suffices: {weak: a/b, strong: c/d, at_least: 0.7}}", "backroute train"),
        ("{weak_suffices: 0.7}", "for example"),
    ],
)
def test_mistakes_are_named_with_their_fix(when: str, said: str) -> None:
    text = f"rules:\n- {{name: a, when: {when}, use: openai/gpt-4o}}\n- {{name: b, use: openai/gpt-4o-mini}}\n"
    with pytest.raises(BackrouteError) as error:
        parse_rules(text)
    assert said in str(error.value)
    assert "rule 'a'" in str(error.value)


def test_the_digest_changes_with_the_model_file(tmp_path: Path) -> None:
    digests = []
    for number, rows in enumerate((LABELLED, LABELLED[2:])):
        path = tmp_path / str(number) / "own.npz"
        path.parent.mkdir()
        train_tasks(*map(list, zip(*rows, strict=True))).save(path)
        condition = TaskScore("work", "at_least", 0.5, str(path))
        digests.append(condition.asks())
    assert digests[0] != digests[1]


def test_a_saved_router_decides_identically_in_a_new_process(tmp_path: Path) -> None:
    rules = [
        RoutingRule("code", task("code") >= 0.5, "openai", "gpt-4o"),
        RoutingRule("figures", ~(task("chat") > 0.3) & (task("analytics") > 0.3), "openai", "gpt-4o-mini"),
        RoutingRule("rest", None, "groq", "llama-3.1-8b-instant"),
    ]
    router = LLMRouter(rules)
    (tmp_path / "rules.yaml").write_text(dump_rules(router), "utf-8")
    texts = [CODE, "which month had the highest revenue?", "hi", "", "prove it " * 40]
    code = (
        "import sys; from router import load_rules; router = load_rules(sys.argv[1]);"
        "print(router.digest(), *[router.route(text).name for text in sys.argv[2:]])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "rules.yaml"), *texts]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [router.digest(), *(router.route(text).name for text in texts)]

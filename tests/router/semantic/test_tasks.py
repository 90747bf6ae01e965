import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.task_data import PROMPTS, read_prompts
from problems import BackrouteError
from router import task
from router.learned.linear import LinearModel
from router.semantic.tasks import task_model, utterances
from router.semantic.train import macro_f1, surest_half, train_tasks

CLASSES = ("analytics", "chat", "code", "reasoning")


def test_the_bundled_model_knows_the_four_classes_and_no_text_longer_than_two_words() -> None:
    model = task_model()
    assert isinstance(model, LinearModel)
    assert model.outputs == CLASSES
    for term in model.vocabulary:
        assert term.startswith("<") or len(term.split(" ")) <= 2, term
        assert len(term) <= 24


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Please write a TypeScript function that debounces another function", "code"),
        ("our refunds doubled in April, which product line in this export is behind it?", "analytics"),
        ("If a shirt costs $12 and Ann buys 3, how much change does she get from $50?", "reasoning"),
        ("good evening! could you suggest a nice restaurant", "chat"),
    ],
)
def test_plain_requests_of_each_class_are_recognised(text: str, wanted: str) -> None:
    model = task_model()
    assert model.outputs[int(model.scores([text])[0].argmax())] == wanted


def test_scores_of_the_classes_add_up_to_one() -> None:
    totals = task_model().scores([text for text, _ in utterances()]).sum(axis=1)
    assert np.abs(totals - 1).max() < 1e-5


def test_our_utterances_are_of_every_class_and_never_said_twice() -> None:
    held = utterances()
    assert {label for _, label in held} == set(CLASSES)
    assert len({text for text, _ in held}) == len(held)


@pytest.mark.skipif(not PROMPTS.exists(), reason="the shared data is not beside the checkout")
def test_our_utterances_share_no_seven_words_in_a_row_with_the_labelled_prompts() -> None:
    """Nor is a shorter one the whole of one: what is measured on those sources was not written from them."""

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[at : at + 7]) for at in range(max(1, len(words) - 6))}

    theirs = set().union(*(runs(each.text) for held in read_prompts().values() for each in held))
    assert [text for text, _ in utterances() if runs(text) & theirs] == []


def test_macro_f1_counts_every_class_the_same() -> None:
    """Class 0: 2 hits of 2 true, 3 told: 4/5. Class 1: 0 of 1: 0. The mean is 0.4."""
    assert macro_f1(np.array([0, 0, 1]), np.array([0, 0, 0])) == pytest.approx(0.4)


def test_the_surest_half_are_the_rows_with_the_highest_top_score() -> None:
    told = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    assert surest_half(told).tolist() == [1, 2]


LABELLED = [(f"fix the bug in module {n}", "work", f"s{n % 5}") for n in range(20)] + [
    (f"see you at {n} for lunch", "play", f"s{n % 5}") for n in range(20)
]


def test_training_on_labels_of_ones_own_gives_a_model_of_those_labels(tmp_path: Path) -> None:
    model = train_tasks(*map(list, zip(*LABELLED, strict=True)))
    assert model.outputs == ("play", "work")
    assert model.about["left_out_macro_f1"] == 1.0
    model.save(tmp_path / "own.npz")
    condition = task("work", model=str(tmp_path / "own.npz")) >= 0.6
    assert condition.to_yaml() == {"task": {"work": {"at_least": 0.6}, "model": str(tmp_path / "own.npz")}}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row for row in LABELLED if row[1] == "work"], "every one of 20 texts"),
        ([*LABELLED[:20], ("one of a kind", "rare", "s1")], "only 1 examples of 'rare'"),
        ([(text, label, "s0") for text, label, _ in LABELLED], "one group"),
    ],
)
def test_too_little_to_learn_from_is_an_error_with_a_way_out(rows: list[tuple[str, str, str]], said: str) -> None:
    with pytest.raises(BackrouteError, match=said):
        train_tasks(*map(list, zip(*rows, strict=True)))


def test_routing_by_task_loads_neither_scipy_nor_pandas() -> None:
    code = (
        "import sys; from router.semantic.tasks import task_model; task_model().scores(['hi']);"
        "print([n for n in ('scipy', 'pandas', 'sklearn', 'onnxruntime') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

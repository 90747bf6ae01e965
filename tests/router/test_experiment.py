"""Experiments: who gets which arm, for ever, in any language; shadows that only watch; ramps that never take back."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import BackrouteError
from router import Arm, Experiment, LLMRouter, RoutingRule, load_experiment
from router.metrics import Metrics
from tests.router.fakes import Fake

ROOT = Path(__file__).resolve().parents[2]
HELLO = [{"role": "user", "content": "Hello"}]
OLD = LLMRouter([RoutingRule("all", None, "openai", "gpt-4o")], name="old")
NEW = LLMRouter([RoutingRule("small", None, "openai", "gpt-4o-mini")], name="new")
UNITS = ["s1", "s2", "s3", "", "é", "日本"]

# The algorithm of docs/experiments.md, in another language.
IN_JAVASCRIPT = """
const crypto = require("crypto");
const [name, arms, units] = JSON.parse(process.argv[1]);
console.log(JSON.stringify(units.map(unit => {
  let best = null, most = -1;
  for (const [arm, weight] of arms) {
    const hex = crypto.createHash("sha256").update([name, arm, unit].join("\\0"), "utf8").digest("hex");
    const u = (parseInt(hex.slice(0, 13), 16) + 0.5) / 2 ** 52;
    const score = weight / -Math.log(u);
    if (weight > 0 && score > most) { most = score; best = arm; }
  }
  return best;
})));
"""


def experiment(candidate: float = 50, **more: object) -> Experiment:
    return Experiment("cheap-chat", [Arm("control", OLD, 100 - candidate), Arm("candidate", NEW, candidate)], **more)  # type: ignore[arg-type]


def test_the_documented_vectors_hold() -> None:
    """The table of docs/experiments.md, for weights 50 and 50."""
    assert [experiment().assign(unit).name for unit in UNITS] == [
        "control", "candidate", "control", "control", "control", "candidate",
    ]  # fmt: skip
    page = (ROOT / "docs" / "experiments.md").read_text("utf-8")
    for unit in ("s1", "s2", "s3", "é", "日本"):
        assert f"| `{unit}` | {experiment().assign(unit).name} |" in page


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, to run the documented algorithm in JavaScript")
def test_another_language_assigns_alike() -> None:
    units = [*UNITS, *(f"session-{number}" for number in range(2_000))]
    arms = [["control", 70], ["a", 20], ["b", 10]]
    said = subprocess.run(
        ["node", "-e", IN_JAVASCRIPT, json.dumps(["x", arms, units])], capture_output=True, check=True, text=True
    )
    mine = Experiment("x", [Arm(str(name), OLD, float(str(weight))) for name, weight in arms])
    assert json.loads(said.stdout) == [mine.assign(unit).name for unit in units]


def test_another_process_assigns_alike() -> None:
    program = (
        "from router import *\nr = LLMRouter()\n"
        "e = Experiment('cheap-chat', [Arm('control', r, 50), Arm('candidate', r, 50)])\n"
        "print(''.join(e.assign(f's{n}').name[1] for n in range(300)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, cwd=ROOT)
    assert said.stdout.strip() == "".join(experiment().assign(f"s{n}").name[1] for n in range(300))


def test_shares_are_the_weights() -> None:
    """Of 20,000 sessions at 10%, 2,000 are expected with a standard deviation of 42."""
    arms = Counter(experiment(10).assign(f"s{n}").name for n in range(20_000))
    assert 1_830 < arms["candidate"] < 2_170


@given(st.text(), st.lists(st.floats(0.5, 99.5), min_size=2, max_size=6))
def test_a_unit_once_exposed_stays_exposed_as_the_weight_grows(unit: str, weights: list[float]) -> None:
    arms = [experiment(weight).assign(unit).name for weight in sorted(weights)]
    assert arms == sorted(arms, key=["control", "candidate"].index)


@given(st.text(), st.floats(0.1, 10), st.floats(1, 10))
def test_raising_one_of_several_arms_moves_units_into_it_only(unit: str, weight: float, factor: float) -> None:
    def assigned(of_b: float) -> str:
        arms = [Arm("control", OLD, 1), Arm("a", OLD, 2), Arm("b", OLD, of_b)]
        return Experiment("x", arms).assign(unit).name

    before, after = assigned(weight), assigned(weight * factor)
    assert after in (before, "b")


def test_the_exposure_is_in_the_decision_log(tmp_path: Path) -> None:
    openai, log = Fake("openai"), tmp_path / "d.jsonl"
    running = experiment(providers={"openai": openai}, decision_log=log)
    for session in ("s1", "s2", None):
        running.complete(HELLO, session_id=session)
    decisions = [json.loads(line)["decision"] for line in log.read_text().splitlines()]
    assert [each["arm"] for each in decisions] == ["control", "candidate", None]
    assert [each["share"] for each in decisions] == [0.5, 0.5, None]
    assert {each["experiment"] for each in decisions} == {"cheap-chat"}
    assert [each["rules_digest"] for each in decisions] == [OLD.digest(), NEW.digest(), OLD.digest()]
    assert [each["model"] for each in openai.asked] == ["gpt-4o", "gpt-4o-mini", "gpt-4o"]


def test_a_shadow_is_logged_and_never_acts_even_when_it_fails(tmp_path: Path) -> None:
    def fails(text: str, meta: dict[str, object]) -> bool:
        raise ValueError(text, meta)

    broken = LLMRouter([RoutingRule("x", fails, "openai", "o1"), RoutingRule("y", None, "openai", "o1")])
    openai, log = Fake("openai"), tmp_path / "d.jsonl"
    arms = [Arm("control", OLD, 1), Arm("watched", NEW, 0), Arm("broken", broken, 0)]
    running = Experiment("x", arms, providers={"openai": openai}, decision_log=log)
    for number in range(20):
        running.complete(HELLO, session_id=f"s{number}")
    assert {each["model"] for each in openai.asked} == {"gpt-4o"}
    decision = json.loads(log.read_text().splitlines()[0])["decision"]
    assert (decision["arm"], decision["share"]) == ("control", 1.0)
    assert decision["shadow"] == [
        {"arm": "watched", "rule": "small", "model": "openai/gpt-4o-mini", "error": None},
        {"arm": "broken", "rule": None, "model": None, "error": "BackrouteError"},
    ]


def test_a_control_that_became_a_shadow_serves_nobody_not_even_requests_without_a_unit() -> None:
    running = Experiment("done", [Arm("control", OLD, 0), Arm("candidate", NEW, 100)])
    chosen = running.decide({"prompt": "hi", "session_id": None})
    assert (chosen.arm, chosen.rules_digest) == (None, NEW.digest())
    assert [shadow.arm for shadow in chosen.shadow] == ["control"]


def test_a_file_names_arms_rules_and_weights(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("rules: [{name: all, use: openai/gpt-4o}]")
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "experiment: cheap-chat\nunit: user_id\narms:\n"
        "  - {name: control, rules: old.yaml, weight: 99}\n  - {name: candidate, rules: current, weight: 1}\n"
    )
    read = load_experiment(file)
    assert (read.name, read.unit, read.shares) == ("cheap-chat", "user_id", {"control": 0.99, "candidate": 0.01})
    assert read.horizon is None
    file.write_text(file.read_text() + "horizon: 3200\n")
    assert load_experiment(file).decide({"prompt": "hi", "user_id": "ann"}).horizon == 3_200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("experiment: x\narms: []", "no arms"),
        ("experiment: x\nunit: sesion_id\narms: [{name: a, rules: current, weight: 1}]", "session_id"),
        ("experiment: x\narms: [{name: a, rules: current}]", "no weight"),
        ("experiment: x\narms: [{name: a, rules: current, weight: 0}]", "not all 0"),
        ("experiment: x\narms: [{name: a, rules: starter, weight: -1}]", "0 or more"),
        ("experiment: x\nhorizon: soon\narms: [{name: a, rules: current, weight: 1}]", "not a horizon"),
        ("experiment: x\nhorizon: 0\narms: [{name: a, rules: current, weight: 1}]", "not a horizon"),
        ("experimnt: x", "experiment"),
        ("arms: [{name: a, rules: current, weight: 1}]", "no name"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(BackrouteError, match=said):
        load_experiment(tmp_path / "e.yaml")


def test_metrics_count_calls_spend_and_fallbacks() -> None:
    """100 in, 40 of them cached, 20 out, on gpt-4o: 60 x $2.5 + 40 x $1.25 + 20 x $10 a million = $0.0004."""
    prometheus = pytest.importorskip("prometheus_client")
    registry = prometheus.CollectorRegistry()
    running = experiment(providers={"openai": Fake("openai")}, metrics=Metrics(registry))
    for _ in range(3):
        running.complete(HELLO, session_id="s1")
    labels = {"rule": "all", "model": "openai/gpt-4o", "arm": "control"}
    assert registry.get_sample_value("backroute_requests_total", labels | {"status": "ok"}) == 3
    assert registry.get_sample_value("backroute_spend_usd_total", labels) == pytest.approx(0.0012)

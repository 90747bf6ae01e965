import json
from pathlib import Path
from typing import Any

import jsonschema

import simulator
from pricing import PriceBook
from router import AlwaysUse
from simulator import Assumptions, Scenario, replay
from tests.simulator.conftest import Replayed, call
from workloads import read_log

SCHEMA = json.loads((Path(simulator.__file__).parent / "summary.schema.json").read_text())
MINI = AlwaysUse("openai/gpt-4o-mini")


def nameless(number: int, **fields: Any) -> dict[str, Any]:
    return {name: value for name, value in call(number, **fields).items() if name != "model"}


def test_calls_that_name_no_model_say_how_far_the_expected_counts_are_from_their_own(replayed: Replayed) -> None:
    """Four of the five: input counts as gpt-4o's whoever they are for, answers as the decisions have them."""
    rows = [nameless(n) for n in range(4)] + [call(4)]
    _, after = replayed(rows, MINI, assumptions=Assumptions())
    jsonschema.validate(after.summary, SCHEMA)
    said, held = after.summary["unnamed"], after.requests().set_index("request_id").loc[[f"r{n}" for n in range(4)]]
    assert said["requests"] == 4
    assert said["logged"] == {"input_tokens": 4000, "output_tokens": 400}
    for arm in ("baseline", "routed"):
        assert said[arm] == {"input_tokens": 4000, "output_tokens": round(held[f"{arm}_output_text"].sum())}
        assert said[arm]["output_tokens"] > 400


def test_answers_that_are_copied_are_as_long_as_logged(replayed: Replayed) -> None:
    said = replayed([nameless(0)], MINI)[1].summary["unnamed"]
    assert said["logged"] == said["baseline"] == said["routed"]


def test_a_log_that_names_its_models_says_nothing_of_it(replayed: Replayed) -> None:
    assert "unnamed" not in replayed([call(0), call(1, model="house-model-7")])[1].summary


def test_changed_rules_on_a_log_in_memory_say_the_same_as_a_new_replay(book: PriceBook) -> None:
    rows = [nameless(n) for n in range(9)]
    log, base = read_log(rows), Scenario.always("openai/gpt-4o", book)
    for model in ("openai/gpt-4o-mini", "groq/llama-3.1-8b-instant", "openai/gpt-4o-mini"):
        after = Scenario(model, AlwaysUse(model), book)
        assert (
            replay(log, base, after)[1].summary["unnamed"] == replay(read_log(rows), base, after)[1].summary["unnamed"]
        )

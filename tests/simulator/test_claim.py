"""Claims as people write them: every mistake is named, and no text breaks the reader."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import BackrouteError
from simulator.claim import Claim, load_claim, parse_claim
from tests.simulator.claims import GPT_4O, MINI, SMALL


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "claim: Expected `object`, got `null` (None)"),
        ("a: [", "claim:1: is not YAML"),
        ("when: 2024-99-99", "claim: is not YAML (month must be"),
        (SMALL + "basline: 3", "unknown key ('basline'); did you mean 'baseline'?"),
        (SMALL.replace("slice: all", "slcie: all"), "routed[0]: unknown key ('slcie'); did you mean 'slice'?"),
        (SMALL + "token_ratio: {inptu: [1, 1]}", "token_ratio: unknown key ('inptu'); did you mean 'input'?"),
        (SMALL + "prices: {openai/gpt-4o: {inptu: 1, output: 2}}", "unknown key ('inptu'); did you mean 'input'?"),
        (SMALL.replace("usd: 100}", "usd: $100}"), "routed[0].usd: Invalid decimal string ('$100')"),
        (SMALL.replace("usd: 100}", "usd: true}"), "routed[0].usd: Expected `decimal`, got `bool` (True)"),
        (SMALL.replace("usd: 100}", "usd: -1}"), "routed[0]: usd is out of range (-1)"),
        (SMALL.replace("usd: 100}", "usd: .nan}"), "routed[0]: usd is out of range (NaN)"),
        (SMALL.replace("usd: 1000}", "usd: .inf}"), "baseline: usd is out of range (Infinity)"),
        (SMALL.replace("usd: 1000}", "usd: 0}"), "baseline.usd is zero (0)"),
        (SMALL.replace(", usd: 100}", "}"), "missing required field `usd`"),
        (SMALL.replace("name: small", "name: ''"), "name: Expected `str` of length >= 1 ('')"),
        (SMALL.replace("{slice: all, model: openai/gpt-4o-mini, usd: 100}", ""), "routed: Expected `array` of length"),
        (SMALL + "token_ratio: [1, 2]", "token_ratio: Expected `object`, got `array` ([1, 2])"),
        (SMALL + "token_ratio: {output: [2, 1]}", "token_ratio: output is no range ([2, 1])"),
        (SMALL + "token_ratio: {output: [0, 1]}", "token_ratio: output is no range ([0, 1])"),
        (SMALL + "claimed_saving_pct: 101", "claimed_saving_pct is out of range (101)"),
        (SMALL + "tolerance_pct: -1", "tolerance_pct is out of range (-1)"),
        (SMALL + "prices: lst", "prices: Invalid enum value 'lst'"),
        (SMALL.replace("usd: 100}", "usd: 100, share_pct: 90}"), "share_pct does not add up to 100 (90)"),
        (SMALL.replace("usd: 100}", "usd: 1}, {slice: all, model: x, usd: 1}"), "two slices have one name (all)"),
    ],
)
def test_a_bad_claim_is_an_error_that_names_the_key_and_the_value(text: str, said: str) -> None:
    with pytest.raises(BackrouteError) as raised:
        parse_claim(text)
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abnu:-[]{}&*!|>#\n '\"\t0129.\x00%@", max_size=40))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    with pytest.raises(BackrouteError):
        parse_claim(text)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["name", "baseline", "routed", "token_ratio", "prices", "tolerance_pct"]), st.data())
def test_no_value_of_any_key_breaks_the_reader(key: str, data: st.DataObject) -> None:
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["list", "all", "", "1"])
    keys = st.sampled_from(["model", "usd", "slice", "input", "output", GPT_4O, "x.y[0]"]) | st.integers()
    value = data.draw(st.recursive(leaf, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=6))
    claim = {"name": "n", "source": "s", "baseline": {"model": GPT_4O, "usd": 9}} | {
        "routed": [{"slice": "all", "model": MINI, "usd": 1}]
    }
    try:
        parsed = parse_claim(json.dumps(claim | {key: value}))
    except BackrouteError:
        return
    assert isinstance(parsed, Claim)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match="no such file"):
        load_claim(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(BackrouteError, match="cannot be read"):
        load_claim(tmp_path / "binary.yaml")

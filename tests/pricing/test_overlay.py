import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pricing.overlay import load_overlay
from problems import BackrouteError

MODEL = "models:\n  acme/a:\n    prices:\n      - {%s}\n"
WRONG = {
    "models: [": "not valid YAML",
    "- 1": "not a mapping",
    "modles: {}": "unknown key ('modles'); did you mean 'models'",
    "models: {gpt: {}}": "not a model name ('gpt'); write it as provider/model",
    "as_of: 2026-13-01": "not valid YAML",
    "as_of: yesterday": "not a day ('yesterday')",
    MODEL % "input_usd_per_ktok: 1": "unknown key ('input_usd_per_ktok'); did you mean 'input_usd_per_mtok'",
    MODEL % "input_usd_per_mtok: cheap": "not a price ('cheap')",
    MODEL % "input_usd_per_mtok: -1": "not a price (-1)",
    MODEL % "input_usd_per_mtok: .nan": "not a price (nan)",
    MODEL % "input_usd_per_mtok: .inf": "not a price (inf)",
    MODEL % "input_usd_per_mtok: true": "not a price (True)",
    MODEL % "input_usd_per_mtok: null": "not a price (None)",
    MODEL % "input_usd_per_mtok: 1e30": "not a price",
    MODEL % "input_usd_per_mtok: {above: []}": "base: not a price (None)",
    MODEL % "input_usd_per_mtok: {base: 1, above: [{input_tokens: x, usd_per_mtok: 1}]}": "not a token count ('x')",
    MODEL % "effective_from: 2026-01-01": "no price in this entry",
    MODEL % "effective_from: 2026-02-01, until: 2026-01-01, input_usd_per_mtok: 1": "is not after effective_from",
    MODEL % "utc_window: {from: 990, to: '10:00'}, input_usd_per_mtok: 1": "from is not a time of day (990)",
    MODEL % "utc_window: {from: '25:00', to: '10:00'}, input_usd_per_mtok: 1": "from is not a time of day ('25:00')",
    "models: {acme/a: {capabilities: {tools: maybe}}}": "capabilities.tools: not a bool ('maybe')",
    "models: {acme/a: {capabilities: {toolz: true}}}": "did you mean 'tools'",
    "models: {acme/a: {names: x}}": "names: not a list",
    "service_tiers: [{provider: openai, tier: batch, multiplier: 0.5}]": "service_tiers[0]: no source",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_a_wrong_price_file_is_told_with_its_place_and_its_fix(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(BackrouteError) as raised:
        load_overlay(path)
    assert str(raised.value).startswith(str(path))
    assert said in str(raised.value)


def test_a_missing_price_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackrouteError, match=r"absent\.yaml: cannot read the price file"):
        load_overlay(tmp_path / "absent.yaml")


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)), lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.sampled_from(["as_of", "models", "service_tiers", "prices", "names", "acme/a", "tier",
                                     "input_usd_per_mtok", "base", "above", "utc_window"]), inner, max_size=4),
), max_leaves=12))  # fmt: skip
def test_no_content_of_a_price_file_brings_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    path = tmp_path_factory.mktemp("overlay") / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    with contextlib.suppress(BackrouteError):
        load_overlay(path)

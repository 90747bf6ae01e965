from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing import PriceBook
from problems import BackrouteError
from simulator.audit import AuditResult, Volume, audit, list_prices
from simulator.claim import CASE, Claim, Line, ModelPrices, load_claim, parse_claim
from tests.simulator.claims import GPT_4O, LIST, LLAMA, MINI, SMALL, SONNET, prices

FREE = {**LIST, "local/free": prices("0", "0")}


def found(text: str, book: dict[str, ModelPrices] = LIST) -> AuditResult:
    return audit(parse_claim(text), book)


def explained(result: AuditResult) -> dict[tuple[str, str | None], float]:
    return {(each.kind, each.slice): float(each.value) for each in result.explanations}


def costs(claim: Claim, volume: Volume, book: dict[str, ModelPrices]) -> tuple[Decimal, Decimal]:
    was, now = book[claim.before(volume.line)], book[volume.line.model]
    return (
        (volume.before[0] * was.input + volume.before[1] * was.output) / 10**6,
        (volume.routed[0] * now.input + volume.routed[1] * now.output) / 10**6,
    )


def test_the_published_case_is_impossible_and_its_lines_must_have_cost_three_times_the_claim() -> None:
    """Simple: $12 / $0.05 = 240M input = $600 on gpt-4o, or $12 / $0.08 = 150M output = $1,500.

    Analytics: $45 x 2.50/0.15 = $45 x 10/0.60 = $750. Code: $67 x 10/15 = $44.67 to $67 x 2.50/3 = $55.83.
    Together 600 + 750 + 44.67 = $1,394.67 to $2,305.83; without code over $1,350, three times $450.
    With half a dollar off each: 11.5 x 50 + 44.5 x 50/3 + 66.5 / 1.5 = 575 + 741.67 + 44.33 = $1,361.
    The lines save 1 - 124/1,394.67 = 91.11% to 1 - 124/2,305.83 = 94.62%.
    """
    result = audit(load_claim(CASE), LIST)
    assert not result.possible
    assert result.volumes == ()
    assert [slice_.before_usd for slice_ in result.slices] == [
        (Decimal("600.000000"), Decimal("1500.000000")),
        (Decimal("750.000000"), Decimal("750.000000")),
        (Decimal("44.666667"), Decimal("55.833333")),
    ]
    assert result.before_usd == (Decimal("1394.666667"), Decimal("2305.833333"))
    assert result.rounded_usd[0] == Decimal("1361.000000")
    assert result.saving_pct == (Decimal("91.11"), Decimal("94.62"))
    assert result.claim.routed_usd == 124


def test_what_would_save_the_published_case_is_a_third_of_the_price_or_three_times_the_tokens() -> None:
    """Without the percent: $450.50 / $1,361 = 0.331. The 72% holds the routed sum above 27.5% of the total before,
    which costs a little more: 0.3297, and 1/0.3297 = 3.033. Caching all input at half price still leaves
    0.5 x (575 + 741.67) + 44.33 > $450, so it is no explanation, and no single line or total is either.
    """
    assert explained(audit(load_claim(CASE), LIST)) == {
        ("baseline_price", None): pytest.approx(0.3297, abs=1e-4),
        ("routed_price", None): pytest.approx(3.033, abs=1e-3),
        ("tokens", None): pytest.approx(3.033, abs=1e-3),
        ("output_tokens", None): pytest.approx(4.951, abs=1e-3),
    }


@pytest.mark.parametrize(("off", "possible"), [(0.999, True), (1.001, False)])
def test_an_explanation_is_the_point_where_the_claim_becomes_possible(off: float, possible: bool) -> None:
    values = explained(audit(load_claim(CASE), LIST))
    text = CASE.read_text()
    price = values["baseline_price", None] * off
    cheaper = f"{{openai/gpt-4o: {{input: {2.5 * price}, output: {10 * price}}}}}"
    assert found(text.replace("prices: list", f"prices: {cheaper}")).possible is possible
    dearer = {name: ModelPrices(p.input, p.output) for name, p in LIST.items()}
    for name in (LLAMA, MINI, SONNET):
        factor = Decimal(values["routed_price", None] / off)
        dearer[name] = ModelPrices(LIST[name].input * factor, LIST[name].output * factor)
    assert found(text, dearer).possible is possible
    tokens, output = values["tokens", None] / off, values["output_tokens", None] / off
    assert found(f"{text}token_ratio: {{input: [1, {tokens}], output: [1, {tokens}]}}").possible is possible
    assert found(f"{text}token_ratio: {{output: [1, {output}]}}").possible is possible


def test_a_cached_share_is_an_explanation_where_it_closes_the_gap() -> None:
    """$99.50 on mini is at least $1,658.33 on gpt-4o; with a share s of input read at half price, all of it input,
    1,658.33 x (1 - s/2) = 1,000.50 gives s = 79.34%.
    """
    values = explained(found(SMALL))
    assert values["baseline_cached", None] == pytest.approx(79.34, abs=0.01)
    assert ("routed_cached", None) not in values
    uncached = {**LIST, GPT_4O: prices("2.50", "10.00")}
    assert ("baseline_cached", None) not in explained(found(SMALL, uncached))


def test_a_claim_that_saves_too_much_is_explained_by_a_cache_on_the_routed_side() -> None:
    """$100 on mini is $1,666.67 before; $2,500 needs 1,666.67 x 1.5: tokens the other way, or mini input at half price.

    With a share s cached, $100.50 buys 1/(1 - s/2) as much: 1,675/(1 - s/2) = 2,499.50 gives s = 65.97%.
    """
    values = explained(found(SMALL.replace("1000", "2500")))
    assert values["routed_cached", None] == pytest.approx(65.97, abs=0.01)
    assert values["tokens", None] == pytest.approx(1675 / 2499.5, abs=1e-4)
    assert values["baseline_price", None] == pytest.approx(2499.5 / 1675, abs=1e-4)
    assert values["line_usd", "all"] == pytest.approx(2499.5 * 0.06, abs=1e-4)
    assert values["baseline_usd", None] == pytest.approx(1675, abs=1e-4)


def test_a_percent_that_does_not_follow_from_the_claims_own_totals_is_impossible() -> None:
    """$1,666.67 to $100 is 94%; 80% cannot be, whatever the rounding of the two amounts."""
    fair = SMALL.replace("1000", "1667")
    assert found(fair + "claimed_saving_pct: 94").possible
    result = found(fair + "claimed_saving_pct: 80")
    assert not result.possible
    assert explained(result) == {("saving_pct", None): 94.0}


def test_a_percent_is_taken_to_its_last_decimal() -> None:
    """100 of 1,667 is a saving of 94.001%, and half a dollar of rounding moves it by 0.03 points."""
    fair = SMALL.replace("1000", "1667")
    assert found(fair + "claimed_saving_pct: 94.4").possible is False
    assert found(fair + "claimed_saving_pct: 94.0").possible


def test_token_ratios_widen_what_a_slice_may_have_cost() -> None:
    """$100 on mini at twice the output: half the tokens at $10 is 100/0.60/2 x 10 = $833.33; all input is $1,666.67."""
    half, whole = Decimal("833.333333"), Decimal("1666.666667")
    assert found(SMALL + "token_ratio: {output: [1, 2]}").before_usd == (half, whole)
    own = SMALL.replace("usd: 100}", "usd: 100, token_ratio: {input: [2, 2], output: [2, 2]}}")
    assert found(own + "token_ratio: {output: [3, 3]}").slices[0].before_usd == (
        Decimal("833.333333"),
        Decimal("833.333333"),
    )


def test_a_slice_may_have_run_on_another_model_before() -> None:
    """$100 on mini that ran on Sonnet: $100 x 3/0.15 = $2,000 to $100 x 15/0.60 = $2,500."""
    result = found(SMALL.replace("usd: 100}", f"usd: 100, from_model: {SONNET}}}"))
    assert result.before_usd == (Decimal("2000.000000"), Decimal("2500.000000"))


def test_a_line_on_a_free_model_bounds_nothing_unless_it_costs_something() -> None:
    text = SMALL.replace(MINI, "local/free")
    costly = found(text, FREE)
    assert costly.slices[0].before_usd == (None, None)
    assert costly.before_usd == costly.rounded_usd == costly.saving_pct == (None, None)
    assert explained(costly) == {("line_usd", "all"): 0.0}
    free = found(text.replace("usd: 100}", "usd: 0}"), FREE)
    assert free.possible
    assert free.slices[0].before_usd == (Decimal(0), None)
    assert free.saving_pct == (None, Decimal(100))


def test_own_prices_go_before_list_prices_and_only_for_models_the_claim_uses() -> None:
    assert found(SMALL + "prices: {openai/gpt-4o: {input: 1.5, output: 6}}").possible
    with pytest.raises(BackrouteError, match=r"does not use \(openai/gpt-4\); did you mean 'openai/gpt-4o'"):
        parse_claim(SMALL + "prices: {openai/gpt-4: {input: 1.5, output: 6}}")


def test_a_model_without_a_price_is_an_error_with_its_nearest() -> None:
    with pytest.raises(BackrouteError, match=r"no price for a model \(openai/gpt-4o-mini\); did you mean"):
        found(SMALL, {GPT_4O: LIST[GPT_4O]})


COUNTS = st.integers(0, 10**9)
MODELS = st.sampled_from([GPT_4O, MINI, SONNET, LLAMA])
TRAFFIC = st.lists(st.tuples(MODELS, COUNTS, COUNTS), min_size=1, max_size=5)


def claimed(traffic: list[tuple[str, int, int]], *, places: int, tolerance_pct: str | None) -> str:
    """A claim of what this traffic costs on gpt-4o and routed, its figures rounded to so many decimals."""

    def usd(model: str, inputs: int, outputs: int) -> Decimal:
        return (inputs * LIST[model].input + outputs * LIST[model].output) / 10**6

    before = sum((usd(GPT_4O, inputs, outputs) for _, inputs, outputs in traffic), Decimal(0))
    after = sum((usd(*slice_) for slice_ in traffic), Decimal(0))
    lines = [
        f"  - {{slice: s{i}, model: {slice_[0]}, usd: {round(usd(*slice_), places)}}}"
        for i, slice_ in enumerate(traffic)
    ]
    percent = f"claimed_saving_pct: {round(100 - 100 * after / before)}"
    tolerance = "" if tolerance_pct is None else f"tolerance_pct: {tolerance_pct}"
    head = f"name: n\nsource: s\nbaseline: {{model: {GPT_4O}, usd: {round(before, places)}}}\nrouted:\n"
    return head + "\n".join([*lines, percent, tolerance])


@settings(max_examples=60, deadline=None)
@given(TRAFFIC, st.booleans())
def test_a_claim_built_from_real_volumes_at_list_prices_is_possible(
    traffic: list[tuple[str, int, int]], exact: bool
) -> None:
    if sum(inputs + outputs for _, inputs, outputs in traffic) < 10**7:
        return  # so small that its total rounds to $0, which is no claim
    text = claimed(traffic, places=9 if exact else 0, tolerance_pct="0" if exact else None)
    result = found(text)
    assert result.possible
    # The solver itself is exact to about one part in a million.
    off = Decimal("0.01") if exact else Decimal("0.51")
    spent = [costs(result.claim, volume, LIST) for volume in result.volumes]
    assert abs(sum(before for before, _ in spent) - result.claim.baseline.usd) <= off
    assert all(abs(spent[i][1] - line.usd) <= off for i, line in enumerate(result.claim.routed))


@settings(max_examples=10, deadline=None)
@given(TRAFFIC, st.data())
def test_one_line_scaled_far_up_is_impossible_and_is_named(
    traffic: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    claim = parse_claim(claimed([*traffic, (MINI, 10**8, 10**7)], places=2, tolerance_pct="0.1"))
    i = data.draw(st.integers(0, len(claim.routed) - 1))
    # Sonnet is the dearest against gpt-4o: a line above 1.5 times the whole total before can come from no traffic.
    usd = 2 * claim.baseline.usd
    line = claim.routed[i]
    routed = [
        Line(each.slice, each.model, usd if each is line else each.usd, each.share_pct, each.from_model)
        for each in claim.routed
    ]
    scaled = Claim("n", "s", claim.baseline, tuple(routed), None, claim.tolerance_pct)
    result = audit(scaled, LIST)
    assert not result.possible
    named = explained(result)
    assert {slice_ for kind, slice_ in named if kind == "line_usd"} == {line.slice}
    assert named["line_usd", line.slice] < usd


@settings(max_examples=40, deadline=None)
@given(MODELS, st.decimals(Decimal("0.01"), Decimal(10**6), places=2))
def test_a_slice_range_is_the_line_times_the_smaller_and_the_larger_price_ratio(model: str, usd: Decimal) -> None:
    ratios = [LIST[GPT_4O].input / LIST[model].input, LIST[GPT_4O].output / LIST[model].output]
    before = usd * sum(ratios) / 2
    text = SMALL.replace(MINI, model).replace("usd: 1000}", f"usd: {before:.6f}}}")
    result = found(text.replace("usd: 100}", f"usd: {usd}}}"))
    assert result.possible
    low, high = result.slices[0].before_usd
    assert float(low or 0) == pytest.approx(float(usd * min(ratios)), rel=1e-6, abs=1e-6)
    assert float(high or 0) == pytest.approx(float(usd * max(ratios)), rel=1e-6, abs=1e-6)


def test_the_price_book_gives_the_list_prices_of_the_case() -> None:
    """List prices: gpt-4o 2.50/10, gpt-4o-mini 0.15/0.60, Sonnet 4.5 3/15 below 200k tokens, Llama 3.1 8B 0.05/0.08."""
    claim = load_claim(CASE)
    priced = list_prices(PriceBook.load(), claim)
    assert all((priced[name].input, priced[name].output) == (p.input, p.output) for name, p in LIST.items())
    assert all(price.source for price in priced.values())
    assert not audit(claim, priced).possible


def test_the_book_is_not_asked_for_what_the_claim_prices_itself() -> None:
    text = SMALL.replace(MINI, "in-house/tiny") + "prices: {in-house/tiny: {input: 0.1, output: 0.2}}"
    assert list(list_prices(PriceBook.load(), parse_claim(text))) == [GPT_4O]

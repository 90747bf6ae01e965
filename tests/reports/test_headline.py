from decimal import Decimal

from reports import sections
from reports.headline import headline, interval
from reports.summary import amount, as_compared
from tests.reports.samples import as_logged, good, loss, nothing, one_day, savings


def test_a_saving_says_what_was_spent_what_it_would_have_been_and_how_sure_that_is() -> None:
    """4,812.33 - 1,771.02 = 3,041.31 USD; 3,041.31 / 4,812.33 = 63.198%."""
    said = headline(good())
    assert said.verdict == "Routing would have saved 63.2%"
    assert [figure.money for figure in said.figures] == [Decimal("4812.33"), Decimal("1771.02")]
    assert (said.saving.label, said.saving.money) == ("Saving", Decimal("3041.31"))
    assert said.figures[0].money == said.figures[1].money + said.saving.money  # type: ignore[operator]
    assert said.interval == "90% interval: 58.0% to 67.2% less"
    assert said.coverage == "98.7% of 812,430 requests, 99.96% of the logged spend"
    assert said.hypothetical == ""


def test_the_three_assumptions_that_carry_most_come_first_with_their_share() -> None:
    rests_on = headline(good()).rests_on
    assert len(rests_on) == 3
    assert rests_on[0].endswith("(58.3% of the saving rests on it)")


def test_the_rule_that_raises_the_bill_is_named_with_what_it_adds() -> None:
    """code: 700.00 before, 805.00 routed, on 40,622 requests."""
    assert headline(good()).raises == "code → anthropic/claude-sonnet-4-5 adds $105.00 on 40,622 requests"
    assert headline(one_day()).raises == ""


def test_a_rule_that_raises_the_bill_by_lost_caches_says_so_with_the_money() -> None:
    """code adds 105.00 USD; half of it, all of it, or more may be cache that switching models lost."""
    compared = good()["compared"]

    def said(lost: str, before: float = 66.2, routed: float = 48.0) -> str:
        held = {"cache_usd": f"-{lost}", "before_read_pct": before, "routed_read_pct": routed}
        rows = [row | (held if row["rule"] == "code" else {}) for row in compared["by_rule"]]
        return headline(good() | {"compared": compared | {"by_rule": rows}}).raises.partition("40,622 requests")[2]

    why = "prompt cache lost where conversations switch models: 48.0% of the input is read from it, 66.2% before"
    assert said("52") == ""
    assert said("60") == f", $60.00 of it {why}"
    assert said("105") == f", all of it {why}"
    assert said("200") == f", less than the $200.00 of {why}"
    assert said("105", routed=66.2) == ", as prompt caches save it $105.00 less"


def test_spend_that_rests_on_counts_in_doubt_is_said_with_what_to_do() -> None:
    made = good()

    def said(pct: float | None) -> str:
        return headline(made | {"log": made["log"] | {"doubted_usd_pct": pct}}).doubted

    assert said(34.25) == (
        "34.2% of the spend as logged rests on token counts that cannot be true, as listed below, and the saving with "
        "it; replay with --recount to count the texts instead"
    )
    assert said(0.9) == said(None) == headline(made).doubted == ""


def test_a_loss_is_said_plainly() -> None:
    """0.0042 - 0.004704 = -0.000504 USD, that is -12%."""
    said = headline(loss())
    assert said.verdict == "Routing would have cost 12.0% more"
    assert (said.saving.label, said.saving.money, said.saving.note) == ("Extra cost", Decimal("0.000504"), "12.0% more")
    assert said.interval == "90% interval: 9.0% to 15.1% more"


def test_quality_that_nobody_checked_is_said_to_be_unknown() -> None:
    assert headline(good()).quality == "not checked: whether the answers would have been as good is not known"
    assert headline(loss()).quality == "checked on 2 slices of the traffic; an extra cost of $0.0004 is verified"
    unpriced = loss() | {"quality": {"checked": True, "verified_savings_usd": None, "slices": [{"rule": "default"}]}}
    assert headline(unpriced).quality == "checked on 1 slice of the traffic"


def test_a_log_of_many_models_is_compared_with_itself_and_the_baseline_called_hypothetical() -> None:
    said = headline(as_logged())
    assert said.saving.money == amount(as_logged()["savings_vs_as_logged"]["usd"])
    assert said.hypothetical.startswith("Hypothetical: with always openai/gpt-4o")
    assert "always openai/gpt-4o" not in "".join(figure.label for figure in said.figures)
    assert "scaled up from a 1.0% sample" in said.coverage


def test_spend_left_out_of_the_comparison_is_told_from_the_spend_compared() -> None:
    """11,300,000 routed + 660,000 saved = 11,960,000 compared, of 12,204,300.11 logged."""
    assert headline(as_logged()).figures[0].note == "$11,960,000 of it on the requests compared"


def test_what_simulated_caches_leave_of_the_bill_is_not_called_a_part_of_it() -> None:
    everything = {"coverage": {"requests_pct": 100.0}, "cache": {}}
    assert as_compared(everything) == "with simulated prompt caches"
    some = everything | {"coverage": {"requests_pct": 98.0}}
    assert as_compared(some) == "on the requests compared, with simulated prompt caches"


def test_what_an_extra_cost_rests_on_is_not_called_a_saving() -> None:
    assert headline(loss()).rests_on[0].endswith("of the extra cost rests on it)")


def test_an_interval_around_nothing_makes_the_verdict_a_might() -> None:
    said = headline(as_logged())
    assert said.verdict == "Routing might have saved 5.5%"
    assert said.interval == "90% interval: 1.2% more to 11.8% less, so it may be no saving at all"


def test_an_interval_around_nothing_makes_an_extra_cost_a_might() -> None:
    made = loss()
    made["savings"] |= {"pct": -8.0, "low_pct": -20.0, "high_pct": 5.0}
    assert interval(made["savings"]).endswith("so it may be no extra cost at all")


def test_a_baseline_that_is_not_what_was_spent_has_its_own_figure_and_both_savings() -> None:
    said = headline(one_day())
    assert [figure.label for figure in said.figures] == [
        "Spent, as logged", "Baseline (always openai/gpt-4o)", "With routing (the same again)",
    ]  # fmt: skip
    assert said.verdict == "Routing would have changed nothing"
    assert said.beside == "Against the spend as logged: 4.6% less (4.2% to 5.0% less)."


def test_unknown_money_makes_an_unknown_answer_and_no_zero() -> None:
    said = headline(nothing())
    assert said.verdict == "What routing would have saved is unknown"
    assert [figure.money for figure in (*said.figures, said.saving)] == [None, None, None]
    assert said.interval == "no interval could be computed"
    assert said.coverage == "no requests were replayed"


def test_a_saving_of_an_unknown_share_is_said_in_dollars() -> None:
    assert (
        headline(good() | {"savings": savings("3.5", None, None, None, None)}).verdict
        == "Routing would have saved $3.50"
    )


def test_expected_quality_says_where_the_saving_keeps_it_and_stays_apart_from_what_is_verified() -> None:
    slices = [{"basis": "log", "tasks": []}]
    predicted = {"saving_usd": {"keeps": "12.5", "loses": "-3", "unknown": "0"}, "slices": slices}
    said = headline(good() | {"quality": good()["quality"] | {"predicted": predicted}})
    assert (
        said.expected
        == "as good where routing saves $12.50; worse where routing adds $3.00 (scores and public outcomes)"
    )
    assert said.quality.startswith("not checked")
    assert headline(good()).expected == ""


def test_a_quality_of_which_nothing_is_known_is_said_once() -> None:
    slices = [{"basis": "same model", "tasks": [], "low": 0.0, "high": 0.0}]
    predicted = {"saving_usd": {"keeps": "0", "loses": "0", "unknown": "12.5"}, "slices": slices}
    made = good() | {"quality": good()["quality"] | {"predicted": predicted}}
    assert headline(made).expected == ""
    assert sections.expected(made) is None


def test_caches_are_said_to_be_simulated_or_by_how_much_they_could_change_the_saving() -> None:
    """0.01% of the spend, $0.48, is not worth a word."""
    why = "its calls have no times"

    def words(over: str, under: str) -> str:
        left = {"why": why, "overstated_usd": over, "understated_usd": under}
        return headline(good() | {"caches_left_out": left}).caches

    assert words("100", "5") == (
        f"not simulated ({why}): what stays on its model keeps its cached input, what moves has none. "
        "The saving may be overstated by up to $100.00 or understated by up to $5.00"
    )
    assert words("100", "0.09").endswith("The saving may be overstated by up to $100.00")
    assert words("0", "5").endswith("The saving may be understated by up to $5.00")
    assert words("0", "0.09") == ""
    rates = [{"provider": "openai", "hit_rate": 0.91, "source": "the log"}]
    made = good() | {"cache": {"asked": False, "assumed_hit_rates": {"anthropic": 1.0}, "calibration": rates}}
    made["log"] = made["log"] | {"cached_input_pct": 68.2}
    row = {"name": "prompt caches, simulated", "value": "", "source": "", "saving_resting_on_it_pct": 15.8}
    made["assumptions"] = [*made["assumptions"], row]
    said = headline(made)
    assert said.caches_known
    assert said.caches == (
        "simulated in every arm, as 68.2% of the log's input went through them; hit rates from the log, "
        "of input still cached: openai 91%; "
        "assumed: anthropic 100%; 15.8% of the saving rests on it"
    )


def test_what_deciding_costs_is_no_loss_worth_naming() -> None:
    """0.01% of 4,812.33 USD is 0.48 USD."""
    compared = good()["compared"]
    for routed, named in (("100.40", False), ("100.60", True)):
        rows = [row | {"before_usd": "100", "routed_usd": routed} for row in compared["by_rule"][:1]]
        said = headline(good() | {"compared": compared | {"by_rule": rows}}).raises
        assert bool(said) is named

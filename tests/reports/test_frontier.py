"""Policies by cost and quality, and the requests a changed rule moves."""

from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from pricing import PriceBook
from problems import BackrouteError
from reports import frontier_chart, moved_requests
from reports.frontier import frontier
from reports.style import style
from router import AlwaysUse, LLMRouter, RoutingRule, length
from simulator import Scenario, replay
from tests.simulator.conftest import call
from workloads import read_log

POINTS = {"a": (1.0, 50.0), "b": (2.0, 70.0), "c": (3.0, 60.0), "d": (2.0, 65.0), "e": (100.0, 90.0)}


def test_the_frontier_holds_what_no_other_beats_on_both() -> None:
    """c costs more than b for less; d costs as much as b for less."""
    assert frontier(POINTS) == ["a", "b", "e"]
    assert frontier({"x": (1.0, 5.0), "y": (2.0, 5.0)}) == ["x"]
    assert frontier({}) == []


def test_names_do_not_overlap_and_limits_are_not_on_the_line() -> None:
    close = {f"policy {n}": (1.0 + n / 100, 70.0 + n / 100) for n in range(6)} | POINTS
    with style():
        ax = frontier_chart(close, Figure(figsize=(8, 4)).add_subplot(), limits=["e"], own=["a"])
        ax.get_figure(root=True).canvas.draw()  # type: ignore[union-attr]
        boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == len(close)
    for one, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[one + 1 :])
    assert 100.0 not in list(ax.lines[0].get_xdata())  # type: ignore[arg-type]
    heights = list(ax.lines[0].get_ydata())  # type: ignore[arg-type]
    assert all(before < after for before, after in pairwise(heights))


def test_requests_that_a_change_moves_are_named_with_what_they_cost() -> None:
    """A call of 1,000 in and 100 out: $0.0035 on gpt-4o, $0.00021 on gpt-4o-mini."""
    book = PriceBook.load()
    log = read_log([call(n, prompt="x" * (10 + 100 * n)) for n in range(4)])

    def short(below: int) -> Scenario:
        rules = [
            RoutingRule("short", length() < below, "openai", "gpt-4o-mini"),
            RoutingRule("rest", None, "openai", "gpt-4o"),
        ]
        return Scenario(f"short below {below}", LLMRouter(rules), book)

    base = Scenario.always("openai/gpt-4o", book)
    _, first, second = replay(log, base, short(50), short(250))
    moved = moved_requests(first, second)
    assert moved["request_id"].tolist() == ["r1", "r2"]
    assert set(moved["model"]) == {"openai/gpt-4o-mini"}
    assert moved["rule_before"].tolist() == ["rest", "rest"]
    assert all(moved["change_usd"] < 0)
    assert moved_requests(first, first).empty
    other = replay(read_log([call(9)]), base, Scenario("always", AlwaysUse("openai/gpt-4o"), book))[1]
    with pytest.raises(BackrouteError, match="different logs"):
        moved_requests(first, other)


def test_results_show_themselves_and_escape_what_the_log_says() -> None:
    book = PriceBook.load()
    rules = LLMRouter([RoutingRule("<b>rest</b>", None, "openai", "gpt-4o-mini")], name="<i>mine</i>")
    base = Scenario.always("openai/gpt-4o", book)
    before, after = replay(read_log([call(n) for n in range(3)]), base, Scenario("<i>mine</i>", rules, book))
    shown = after._repr_html_()
    assert "&lt;b&gt;rest&lt;/b&gt; → openai/gpt-4o-mini" in shown
    assert "<i>" not in shown
    assert "Saving" in shown
    assert "% interval" in after.savings_against(before)._repr_html_()


def test_a_result_in_a_notebook_shows_what_was_set_aside_and_what_is_in_doubt() -> None:
    """Every count is a quarter of its characters, one row is twice there, and one has no JSON."""
    rows = [
        call(n, prompt="a word " * n, usage={"prompt_tokens": 7 * n // 4, "completion_tokens": 2}) for n in range(9, 40)
    ]
    book = PriceBook.load()
    log = read_log([*rows, rows[0], {"event": "heartbeat"}])
    _, after = replay(log, Scenario.always("openai/gpt-4o", book), Scenario.always("openai/gpt-4o-mini", book))
    shown = after._repr_html_()
    assert "2 rows: 1 duplicate, 1 nothing to replay" in shown
    assert "gpt-4o, input: counts are 0.25 x the characters" in shown
    assert "all 31 requests" in shown

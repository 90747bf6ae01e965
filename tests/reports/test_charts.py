import re
import sys
from collections.abc import Callable

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import reports
from reports.bars import Bar, Row, draw_rows, fitted
from reports.days import daily, smoothed
from reports.figures import CHARTS, figure_of, inline_svg, svg_of
from reports.sheets import expected_names
from reports.style import WIDTH_IN, style
from tests.reports.samples import HOSTILE_RULE, LONG_MODEL, SAMPLES, as_logged, good, large, loss, nothing, one_day

Draw = Callable[..., Axes]
DRAWN: list[Draw] = [
    reports.cost_chart,
    reports.rule_chart,
    reports.model_chart,
    reports.waterfall_chart,
    reports.day_chart,
    reports.saving_chart,
    reports.sensitivity_chart,
    reports.quality_chart,
    reports.expected_chart,
]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def drawn(draw: Draw, summary: object, size: tuple[float, float] = (8, 5)) -> Axes:
    with style():
        return draw(summary, Figure(figsize=size).add_subplot())


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_chart_returns_the_axes_it_was_given(draw: Draw, name: str) -> None:
    ax = Figure(figsize=(6, 4)).add_subplot()
    assert draw(SAMPLES[name](), ax) is ax


@pytest.mark.parametrize("draw", DRAWN)
def test_a_chart_without_axes_makes_one_figure_and_leaves_it_to_its_caller(draw: Draw) -> None:
    ax = draw(good())
    assert plt.get_fignums() == [plt.gcf().number]
    plt.close(ax.get_figure(root=True))


@pytest.mark.parametrize("draw", DRAWN)
def test_charts_name_their_axis_and_its_unit(draw: Draw) -> None:
    ax = drawn(draw, loss())
    named = ax.get_xlabel() + ax.get_ylabel()
    assert any(unit in named for unit in ("US dollars", "saving, % of the spend", "points of 100"))


def test_charts_leave_the_settings_of_matplotlib_alone() -> None:
    before = dict(mpl.rcParams)
    inline_svg(CHARTS["spend"], good(), "spend")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart.name)
def test_a_chart_is_the_same_bytes_each_time(chart: reports.figures.Chart) -> None:
    with style():
        first, again = (svg_of(figure_of(chart, good(), WIDTH_IN)) for _ in range(2))
    assert first == again
    assert "<dc:date>" not in first
    assert "<text" in first


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: chart.name)
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [4.3, 8.0])
def test_no_text_leaves_the_figure(chart: reports.figures.Chart, name: str, width: float) -> None:
    with style():
        figure = figure_of(chart, SAMPLES[name](), width)
        figure.canvas.draw()
        (ax,) = figure.axes
        edge = figure.get_figwidth() * figure.dpi
        ticks = [*ax.get_xticklabels(), *ax.get_yticklabels()] if ax.axison else []
        for text in (*ax.texts, ax.title, *ticks):
            box = text.get_window_extent()
            low, high = ax.get_xlim()
            if text in ax.get_xticklabels() and not low <= text.get_position()[0] <= high:
                continue
            assert box.x0 >= -1, text.get_text()
            assert box.x1 <= edge + 1, text.get_text()


def test_spend_shows_all_three_arms_and_the_interval_of_the_routed_one() -> None:
    """4,812.33 x (1 - 67.21%) = 1,577.96 and 4,812.33 x (1 - 58.02%) = 2,020.22 USD are the whisker's ends."""
    ax = drawn(reports.cost_chart, good())
    assert texts(ax)[1::2] == ["$4,812.33", "$4,812.33", "$1,771.02 (90% interval)"]
    assert list(np.asarray(ax.lines[0].get_xdata())) == pytest.approx([1577.96, 2020.22], abs=0.01)


def test_a_hypothetical_baseline_is_called_so_where_it_is_drawn() -> None:
    assert "Baseline: always openai/gpt-4o (hypothetical)" in texts(drawn(reports.cost_chart, as_logged()))


def test_breakdowns_are_compared_with_the_arm_of_the_headline() -> None:
    assert "$4,812.33 with the baseline" in texts(drawn(reports.model_chart, good()))
    assert "$7,000,000 as logged" in texts(drawn(reports.model_chart, as_logged()))
    assert any(text.endswith(" as logged") for text in texts(drawn(reports.rule_chart, as_logged())))
    assert "As logged" in texts(drawn(reports.waterfall_chart, as_logged()))
    assert drawn(reports.sensitivity_chart, as_logged()).get_xlabel() == "saving, % of the spend as logged"


def test_of_forty_models_the_largest_are_drawn_and_the_title_says_so() -> None:
    ax = drawn(reports.model_chart, large(), (8, 8))
    assert texts(ax)[0].startswith("openrouter/vendor-00/")
    assert ax.get_title(loc="left") == "Spend by model, before and after (largest 9 of 40)"


def test_low_axes_show_fewer_rows_rather_than_overlap() -> None:
    assert "(largest 3 of 40)" in drawn(reports.model_chart, large(), (8, 2)).get_title(loc="left")


def test_a_rule_that_raises_the_bill_is_drawn_to_the_left_of_zero() -> None:
    ax = drawn(reports.saving_chart, good())
    assert texts(ax)[-1] == "adds $105.00"
    assert min(bar.get_x() for bar in ax.patches) == pytest.approx(-105)  # type: ignore[attr-defined]
    assert "default → openai/gpt-4o" not in texts(ax), "what moves nothing is not drawn"


def test_the_waterfall_walks_from_the_baseline_to_the_routed_spend() -> None:
    """4,812.33 + 211.40 - 3,310.11 + 44.90 + 12.50 + 0 = 1,771.02 USD."""
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in drawn(reports.waterfall_chart, good()).patches]  # type: ignore[attr-defined]
    assert bars[0] == pytest.approx((0, 4812.33))
    assert bars[1] == pytest.approx((4812.33, 5023.73))
    assert bars[2] == pytest.approx((1713.62, 5023.73))
    assert bars[-1] == pytest.approx((0, 1771.02))
    assert bars[-2][1] == pytest.approx(1771.02)


def test_steps_say_whether_they_save_or_add() -> None:
    shown = texts(drawn(reports.waterfall_chart, good()))
    assert {"adds $211.40", "saves $3,310.11", "no change"} <= set(shown)


def test_a_range_below_zero_is_drawn_as_the_extra_cost_it_is() -> None:
    ax = drawn(reports.sensitivity_chart, loss())
    assert "9.2% to 14.9% more" in texts(ax)
    assert ax.get_xlim()[0] < -14.9


def test_requests_without_a_time_are_counted_where_days_are_drawn() -> None:
    ax = drawn(reports.day_chart, one_day())
    assert ax.get_title(loc="left") == "Spend per day (31 requests without a time left out)"


def test_a_day_without_requests_costs_nothing_and_one_without_a_price_is_left_out() -> None:
    rows: list[dict[str, str | None]] = [
        {"day": "2026-06-01", "usd": "1.5"},
        {"day": "2026-06-03", "usd": None},
        {"day": "2026-06-04", "usd": "2.5"},
    ]
    assert [(str(day), money) for day, money in daily(rows, "usd")] == [
        ("2026-06-01", 1.5), ("2026-06-02", 0.0), ("2026-06-04", 2.5),
    ]  # fmt: skip


def test_a_year_is_drawn_as_the_mean_of_seven_days() -> None:
    ax = drawn(reports.day_chart, large())
    assert ax.get_ylabel() == "US dollars per day, mean of 7 days"
    points = daily(large()["compared"]["by_day"], "routed_usd")
    assert len(smoothed(points)) == 365 - 6
    day, mean = smoothed(points)[0]
    assert day == points[6][0]
    assert mean == pytest.approx(sum(money for _, money in points[:7]) / 7)


@pytest.mark.parametrize("draw", DRAWN)
def test_no_text_is_read_as_a_formula_on_axes_that_somebody_else_made(draw: Draw) -> None:
    ax = draw(loss(), Figure(figsize=(8, 5)).add_subplot())
    titled = ax.set_title(ax.get_title(loc="left"), loc="left")
    assert not any(text.get_parse_math() for text in (*ax.texts, titled))


@pytest.mark.parametrize("draw", DRAWN)
def test_a_chart_with_nothing_to_draw_says_why(draw: Draw) -> None:
    (said,) = texts(drawn(draw, nothing()))
    assert said.endswith((".",))


def test_dollar_signs_and_markup_in_names_are_drawn_as_they_are() -> None:
    shown = texts(drawn(reports.rule_chart, loss()))
    assert shown[0].startswith("<script>alert('x')</s")
    assert "$a^2$" in shown[0]
    assert shown[0] != HOSTILE_RULE
    with style():
        svg = svg_of(figure_of(CHARTS["by-rule"], loss(), WIDTH_IN))
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_a_rule_and_its_model_are_cut_evenly() -> None:
    assert fitted("code → openai/gpt-4o", 30) == "code → openai/gpt-4o"
    cut = fitted(f"a_rule → {LONG_MODEL}", 40)
    assert cut.startswith("a_rule → openai/")
    assert len(cut) == 40
    assert len(fitted(f"{'r' * 60} → {'m' * 60}", 43)) == 43


def test_importing_the_reports_does_not_load_matplotlib() -> None:
    import subprocess

    code = "import sys, reports; print('matplotlib' in sys.modules, 'pandas' in sys.modules, 'jinja2' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=reports.__path__[0] + "/.."
    )
    assert run.stdout.split() == ["False", "False", "False"]


def test_a_line_down_stops_where_a_text_stands() -> None:
    """The first row's text begins at -1 and crosses 0; the second's bar does."""
    ax = Figure(figsize=(WIDTH_IN, 3)).add_subplot()
    bars = (Bar(-2.0, -1.0, "#000000", "a long text beside a short bar"), Bar(-2.0, 5.0, "#000000", "text"))
    draw_rows(ax, [Row("one", bars[:1]), Row("two", bars[1:])], "points", str, mark=0.0)
    assert {int(line.get_ydata()[0]) for line in ax.lines} == {1}  # type: ignore[index]


@pytest.mark.parametrize("chart", [reports.rule_chart, reports.model_chart, reports.saving_chart, reports.cost_chart])
def test_money_of_one_chart_has_one_number_of_decimals(chart: Draw) -> None:
    for made in (good(), loss(), one_day()):
        ax = chart(made, Figure(figsize=(WIDTH_IN, 6)).add_subplot())
        said = [re.findall(r"\$(?!0\b(?!\.))[\d,]+\.?(\d*)", text.get_text()) for text in ax.texts]
        assert len({len(decimals) for found in said for decimals in found}) <= 1


def test_slices_of_equal_name_say_what_they_were_moved_from() -> None:
    row = {"rule": "code", "model": "m/small", "task": None}
    told = expected_names(
        [row | {"against": "m/large"}, row | {"against": None}, row | {"task": "chat", "against": "x"}]
    )
    assert told == ["code → m/small, from m/large", "code → m/small, from (unknown model)", "code → m/small, chat"]

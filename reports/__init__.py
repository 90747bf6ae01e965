"""Savings for people: tables, charts, the terminal's report and a page to forward, all drawn from a summary."""

from reports.charts import (
    cost_chart,
    day_chart,
    expected_chart,
    model_chart,
    quality_chart,
    rule_chart,
    saving_chart,
    sensitivity_chart,
    waterfall_chart,
)
from reports.frontier import frontier_chart
from reports.html import html_report
from reports.markdown import markdown_report
from reports.moved import moved_requests
from reports.side_by_side import comparison_chart, comparison_table
from reports.sweep import sweep_chart
from reports.tables import savings_table
from reports.terminal import print_report, terminal_report
from reports.write import write_charts, write_report

__all__ = [
    "comparison_chart",
    "comparison_table",
    "cost_chart",
    "day_chart",
    "expected_chart",
    "frontier_chart",
    "html_report",
    "markdown_report",
    "model_chart",
    "moved_requests",
    "print_report",
    "quality_chart",
    "rule_chart",
    "saving_chart",
    "savings_table",
    "sensitivity_chart",
    "sweep_chart",
    "terminal_report",
    "waterfall_chart",
    "write_charts",
    "write_report",
]

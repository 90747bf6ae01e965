"""Real exports of other programs: every record accounted for, and the bill reproduced or its drift explained."""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from pricing import AsOf, PriceBook
from simulator.inspection import inspect_log
from tests.workloads.reading import not_calls
from workloads import read_log

EXPORTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "log_exports"
pytestmark = pytest.mark.skipif(not EXPORTS.is_dir(), reason="the public log exports are not beside the project")

PICO = Decimal(10) ** 12


class Holds(NamedTuple):
    """What a file holds; USD as texts, exact to a billionth, `recomputed` at each request's own date."""

    rows: int
    not_calls: dict[str, int]
    recorded: str
    recomputed: str


FILES = {
    # Made-up costs, far above any price; fast mode has no public price here, so one call is unpriced.
    "ccusage/claude__projects__project-alpha__session-alpha__chat.jsonl": Holds(3, {}, "1.02", "0.00393375"),
    "ccusage/claude__projects__project-beta__session-beta__chat.jsonl": Holds(2, {}, "0.07", "0.00045275"),
    # No costs. The totals say that reasoning stands beside the output: 1,000 + 125 + 75 = 1,200.
    "ccusage/codex__sessions__project-alpha__session-alpha.jsonl": Holds(2, {"session line": 1}, "0", "0.01474375"),
    # Two instrumentations: the outer generations are Langfuse's count of the logged JSON, of $0.0007113 more.
    "langfuse/agno-2025-06-11.trace.json": Holds(2, {"span": 2, "wrapper of a call": 2}, "0.0002709", "0.0002709"),
    # No output was logged: Langfuse counted and priced the input alone, so the calls cannot be recomputed.
    "langfuse/beeai-2025-08-01.trace.json": Holds(3, {"span": 24, "empty generation": 2}, "0.0008313", "0"),
    "langfuse/crewai-2025-07-11.trace.json": Holds(1, {"span": 5}, "0.0001269", "0.0001269"),
    "langfuse/google-adk-2025-08-28.trace.json": Holds(
        2, {"chain": 1, "agent": 1, "tool": 1}, "0.0000103", "0.0000103"
    ),
    "langfuse/koog-2025-08-26.trace.json": Holds(2, {"agent": 2, "span": 7}, "0.0017875", "0.0017875"),
    # A price of the project's own, $1 per million tokens in and out, against 2.50 and 10.00: 168 + 66 tokens.
    "langfuse/langgraph-python-2025-08-22.trace.json": Holds(2, {"span": 7}, "0.000234", "0.00108"),
    # The agent's own line repeats its calls, at $0.000371 counted by Langfuse.
    "langfuse/microsoft-agent-2025-12-17.trace.json": Holds(2, {"agent": 1, "tool": 1}, "0.00028525", "0.00028525"),
    "langfuse/pydantic-ai-2025-06-06.trace.json": Holds(1, {"span": 2}, "0.0010375", "0.0010375"),
    "langfuse/pydantic-ai-tools-2025-12-04.trace.json": Holds(4, {"span": 5, "tool": 3}, "0.00032265", "0.00032265"),
    "langfuse/vercel-aisdk-2025-11-17.trace.json": Holds(
        1, {"wrapper of a call": 1, "tool": 1}, "0.0009275", "0.0009275"
    ),
    "litellm/langfuse_otel_completion_with_router.json": Holds(1, {}, "0.00002", "0.00002"),
    "litellm/spend_logs_payload.json": Holds(1, {}, "0.000225", "0.000225"),
    "litellm/standard_logging_payload.min.json": Holds(1, {}, "0.000225", "0.000225"),
    # No costs; the AI SDK's outer spans repeat the inner ones.
    "openinference/all-spans.json": Holds(5, {"wrapper of a call": 5}, "0", "0.0001997"),
    "openinference/openinference_client_span_tool_calls.json": Holds(1, {}, "0", "0.00603"),
    "openinference/otel_genai_client_span_tool_calls.json": Holds(1, {}, "0", "0.00603"),
    "openinference/otel_genai_deprecated_client_span_tool_calls.json": Holds(1, {}, "0", "0.00603"),
}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook.load()


@pytest.mark.parametrize("name", FILES)
def test_a_real_export_is_read_whole_and_its_bill_is_reproduced_or_explained(name: str, book: PriceBook) -> None:
    seen = inspect_log(read_log(EXPORTS / name), book, AsOf.parse("request"))
    assert (seen.rows, not_calls(seen.problems)) == FILES[name][:2]
    assert seen.problems.set_aside == 0
    recomputed = sum(model.recomputed for model in seen.models.values())
    for found, expected in ((seen.bill.recorded, FILES[name].recorded), (recomputed, FILES[name].recomputed)):
        # Langfuse's own floats are off by 1e-15.
        assert abs(Decimal(found) / PICO - Decimal(expected)) < Decimal("2e-12")


def test_no_export_is_left_out() -> None:
    assert {str(path.relative_to(EXPORTS)) for path in EXPORTS.rglob("*") if path.is_file()} == set(FILES)


def test_the_folder_read_at_once_is_the_sum_of_its_files() -> None:
    requests = read_log(EXPORTS).requests()
    # One call was logged under one id by both of LiteLLM's formats, and the same span in both OpenTelemetry forms.
    assert len(requests) == sum(held.rows for held in FILES.values())

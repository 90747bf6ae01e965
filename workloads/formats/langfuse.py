"""Langfuse's observations: from its trace export, its API, its blob storage export, or as OpenTelemetry attributes.

langfuse.com/docs/observability/features/token-and-cost-tracking: types of `usage_details` are meant to be disjoint, but
integrations write the provider's totals into `input`, so the stated total decides. Where an integration states no
usage, Langfuse counts the text itself. Latency is seconds in one export and milliseconds in the next: times decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from functools import lru_cache
from typing import Any

import msgspec

from workloads.counts import Usage
from workloads.formats.envelope import Record, elapsed, kept, money, text
from workloads.formats.exchanges import lay_over
from workloads.formats.langfuse_usage import read_usage_details
from workloads.formats.nesting import Nesting
from workloads.formats.not_a_call import NotACallError
from workloads.formats.providers import provider_name
from workloads.formats.times import read_time
from workloads.formats.transcript import loosely, read_transcript
from workloads.rows import Row

NAME = "Langfuse"

CALLS = {"GENERATION": "chat", "EMBEDDING": "embedding"}
KINDS = {*CALLS, "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "GUARDRAIL"}
# What OpenTelemetry's exporters copy in beside the user's own metadata.
NOT_META = ("attributes", "resourceAttributes", "scope")
PROVIDER = ("ls_provider", "gen_ai.provider.name", "gen_ai.system", "llm.provider")
PREFIX = "langfuse.observation."
FLATTENED = {"type": "type", "model.name": "model", "model.parameters": "modelParameters", "input": "input"}
FLATTENED |= {"output": "output", "usage_details": "usageDetails", "cost_details": "costDetails", "level": "level"}
FLATTENED |= {"metadata": "metadata", "completion_start_time": "completionStartTime"}


def detect(record: Record) -> str | None:
    """Why this record is Langfuse's; None when it is not."""
    kind = record.get("type")
    if isinstance(kind, str) and kind in KINDS and ("traceId" in record or "trace_id" in record):
        return f"it is an observation of type {kind}"
    attributes = record.get("attributes")
    if isinstance(attributes, dict) and f"{PREFIX}type" in attributes:
        return f"it has the attribute `{PREFIX}type`"
    if "htmlPath" in record or ("projectId" in record and "bookmarked" in record):
        return "it is a trace: `projectId` and `bookmarked`"
    return None


class Reader:
    """Observations in the light of those below them."""

    def __init__(self) -> None:
        self._nesting = Nesting()

    def survey(self, record: Record) -> None:
        """The first pass: who stands below whom."""
        record = _unflattened(record)
        kind = record.get("type")
        is_call = isinstance(kind, str) and kind in CALLS and not _is_empty(record)
        self._nesting.add(record.get("id"), _get(record, "parentObservationId"), is_call=is_call)

    def read(self, record: Record, zone: tzinfo) -> Row:
        """One row.

        Raises:
            NotACallError: a span, a tool, an agent; a generation that wraps another or holds nothing; a trace's header.
            RowError, UsageError: a field that cannot be meant.
        """
        record = _unflattened(record)
        kind = str(record.get("type"))
        if kind not in CALLS:
            name = kind.lower() if kind in KINDS else "trace header"
            raise NotACallError(name, "a step around calls: its usage and cost, if any, repeat theirs")
        if self._nesting.wraps(record.get("id")):
            raise NotACallError("wrapper of a call", "a generation around another generation: one call recorded twice")
        if _is_empty(record):
            raise NotACallError("empty generation", "a generation without input, output or usage")
        return _row(record, CALLS[kind], zone)


def _unflattened(record: Record) -> Record:
    attributes = record.get("attributes")
    if not isinstance(attributes, dict) or f"{PREFIX}type" not in attributes:
        return record
    found = {ours: attributes[PREFIX + theirs] for theirs, ours in FLATTENED.items() if PREFIX + theirs in attributes}
    for ours, theirs in (("sessionId", "session.id"), ("userId", "user.id")):
        found[ours] = attributes.get(theirs, attributes.get(f"langfuse.{theirs}"))
    same = {"startTime": "start_time", "endTime": "end_time", "id": "span_id", "parentObservationId": "parent_span_id"}
    found |= {ours: record.get(ours, record.get(theirs)) for ours, theirs in same.items()}
    return found | {"type": str(found["type"]).upper(), "name": record.get("name")}


def _is_empty(record: Record) -> bool:
    return not any(_get(record, name) for name in ("input", "output", "usageDetails", "usage"))


def _get(record: Record, name: str) -> Any:
    """A field in the API's spelling, or in the database's: usageDetails or usage_details."""
    if name in record:
        return record[name]
    return record.get(spelled_by_database(name))


@lru_cache
def spelled_by_database(name: str) -> str:
    """usageDetails as usage_details."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _row(record: Record, kind: str, zone: tzinfo) -> Row:
    trace = record.get("trace")
    trace = trace if isinstance(trace, dict) else {}
    row = Row(call_type=kind, model=text("model", _get(record, "model") or _get(record, "providedModelName")))
    row.request_id = kept(row, text, "id", record.get("id"))
    row.session_id = kept(row, text, "sessionId", _get(record, "sessionId") or trace.get("sessionId"))
    row.user_id = kept(row, text, "userId", _get(record, "userId") or trace.get("userId"))
    _times(row, record, zone)
    metadata = loosely(record.get("metadata"))
    metadata = metadata if isinstance(metadata, dict) else {}
    parameters = loosely(_get(record, "modelParameters"))
    parameters = parameters if isinstance(parameters, dict) else {}
    row.provider = _provider(metadata, parameters)
    tools = loosely(_get(record, "toolDefinitions")) or parameters.get("tools")
    more = {"tools": tools or None, "response_format": loosely(parameters.get("response_format"))}
    more["max_tokens"] = parameters.get("max_completion_tokens", parameters.get("max_tokens"))
    lay_over(row, read_transcript(record.get("input"), record.get("output"), provider=row.provider, more=more))
    row.call_type = kind
    usage = read_usage_details(record, _get, row)
    row.usage = _better(row.usage, usage, row)
    row.recorded_usd = _recorded(record, row)
    row.status = "error" if record.get("level") == "ERROR" else row.status
    meta = {key: value for key, value in metadata.items() if key not in NOT_META}
    meta |= {key: record[key] for key in ("name", "environment") if isinstance(record.get(key), str)}
    meta |= {"trace_name": trace["name"]} if isinstance(trace.get("name"), str) else {}
    meta |= {"tags": trace["tags"]} if trace.get("tags") else {}
    row.meta = msgspec.json.encode(meta).decode() if meta else None
    return row


def _times(row: Row, record: Record, zone: tzinfo) -> None:
    row.arrived_at = start = read_time("startTime", _get(record, "startTime"), zone, row)
    row.latency_ms, row.ttft_ms = (
        elapsed(start, read_time(name, _get(record, name), zone, row)) for name in ("endTime", "completionStartTime")
    )


def _provider(metadata: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    attributes = metadata.get("attributes")
    places = [metadata, attributes if isinstance(attributes, dict) else {}]
    named = next((place[key] for place in places for key in PROVIDER if isinstance(place.get(key), str)), None)
    named = named or parameters.get("system")
    return provider_name(named) if isinstance(named, str) else None


def _better(own: Usage, counted: Usage, row: Row) -> Usage:
    """The provider's own block in the output before Langfuse's count; a note where the two disagree."""
    if own.input_total is None or own.output_total is None:
        return counted
    if counted.input_total is not None and (own.input_total, own.output_total) != (
        counted.input_total,
        counted.output_total,
    ):
        said = f"{counted.input_total} in, {counted.output_total} out"
        effect = f"the provider's own {own.input_total} in, {own.output_total} out are used"
        row.notes.append(("usage_disagrees", "usage_details", said, effect, "nothing, if the output's block is right"))
    return own


def _recorded(record: Record, row: Row) -> Any:
    """Langfuse writes a cost of 0 where it knows no price."""
    costs = loosely(_get(record, "costDetails"))
    costs = costs if isinstance(costs, dict) else {}
    total = _get(record, "totalCost")
    total = costs.get("total") if total is None else total
    total = record.get("calculatedTotalCost") if total is None else total
    usd = money("totalCost", total)
    return None if not usd and not costs and row.usage.input_total != 0 else usd

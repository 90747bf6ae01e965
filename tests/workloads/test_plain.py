"""The fast reader gives the full reader's row, or leaves the line to it."""

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from problems import BackrouteError
from workloads.counts import UsageError
from workloads.formats import chat, plain, recognise
from workloads.formats.looked_at import MOST, nobody_looks_at
from workloads.formats.plain import FIELDS, UNREAD, read_plain
from workloads.rows import RowError, to_batches

LINE: dict[str, Any] = {
    "request_id": "r1",
    "timestamp": "2026-06-01T00:10:00.092Z",
    "session_id": "s1",
    "user_id": "u1",
    "model": "openai/gpt-4o",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi é😀", "name": "Ann"}],
    "metadata": {"complex": False, "n": 3, "deep": {"a": [1, None, 2.5]}},
    "label": "simple",
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    "response": "Hello",
    "latency_ms": 1518,
    "status": "ok",
}

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"q": "é"}'}}
CALLING = [
    *LINE["messages"],
    {"role": "assistant", "content": None, "tool_calls": [CALL, CALL], "refusal": None},
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
]
PART, IMAGE = {"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://example.com/1.png"}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": [PART]}
BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1780315200,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": None}}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    "service_tier": "Flex",
}

texts = st.sampled_from(
    ["", "Hi", "é😀", "{", ' {"choices": []}', "data: x", "\u3000event: x", "system", "user", "developer", "0", "7.0"]
)
counts = st.integers(-1, 9) | st.sampled_from([None, 2.0, 2.5, True, "3", 10**7, 10**7 + 1, 2**70])
usages = st.dictionaries(
    st.sampled_from(
        [
            *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens"),
            *("cache_read_input_tokens", "reasoning_tokens", "provenance", "cost", "service_tier"),
        ]
    ),
    counts,
    max_size=4,
) | st.fixed_dictionaries(
    {"prompt_tokens": counts, "completion_tokens": counts},
    optional={
        "total_tokens": counts,
        "prompt_tokens_details": st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens"]), counts),
        "completion_tokens_details": st.dictionaries(st.sampled_from(["reasoning_tokens"]), counts),
    },
)
anything = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts | st.just([])
parts = st.sampled_from([PART, IMAGE, "Hi", {"type": "refusal", "refusal": "No"}, RESULT]) | st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            [
                "text",
                "input_text",
                "output_text",
                "image_url",
                "image",
                "refusal",
                "tool_result",
                "tool_use",
                "file",
                "",
                7,
            ]
        ),
        "text": texts | anything,
        "image_url": st.just({"url": "https://example.com/1.png"}),
        "refusal": texts,
        "thought": st.booleans(),
        "content": texts | st.none(),
        "functionCall": st.just({"name": "f", "args": {"a": 1}}),
        "inlineData": st.just({"mimeType": "image/png"}),
    },
)
contents = texts | st.none() | st.lists(parts | texts | st.none(), max_size=3)
calls = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "id": texts,
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {}, optional={"name": texts, "arguments": texts | st.just({"a": [1, "é"]}) | st.none()}
            )
            | st.none(),
        },
    )
    | st.none(),
    max_size=2,
)
odd_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "developer", "function", "model", "", "tool"])},
        optional={
            "content": texts | contents,
            "name": texts,
            "tool_calls": calls | st.none(),
            "tool_call_id": texts | st.none(),
            "refusal": texts | st.none(),
            "images": st.just(["x"]),
            **dict.fromkeys(["reasoning", "prefix", "cache_control"], anything),
        },
    ),
    max_size=3,
)
roles = st.sampled_from(["user", "system", "assistant", "tool"])
turns = (
    st.builds(
        lambda role, said: {"role": role, "content": said}, roles, st.lists(parts, min_size=1, max_size=3) | texts
    )
    | st.builds(lambda said, called: {"role": "assistant", "content": said, "tool_calls": called}, contents, calls)
    | st.builds(
        lambda said, held: {"role": "user", "content": said, "reasoning": held, "audio": held}, contents, anything
    )
    | st.builds(lambda name, said: {"role": "tool", "tool_call_id": name, "content": said}, texts, contents)
)
messages = odd_messages | st.lists(turns, min_size=1, max_size=4)
completions = st.fixed_dictionaries(
    {},
    optional={
        "id": texts,
        "object": st.sampled_from(["chat.completion", "text_completion", "response", "list", None, 7]),
        "created": st.sampled_from([1780315200, 1780315200.5, 0, -1, None, "2026-06-01T00:00:00Z", True, 2**70]),
        "model": st.sampled_from(["gpt-4o", "text-embedding-3-small", "", None, 7]),
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "message": st.fixed_dictionaries(
                        {}, optional={"content": contents, "refusal": texts | st.none(), "tool_calls": calls}
                    )
                    | st.none(),
                    "text": texts,
                },
            )
            | st.none(),
            max_size=2,
        ),
        "usage": usages | anything,
        "service_tier": st.sampled_from(["default", "FLEX", "", None, 7]),
        "error": st.sampled_from([None, {}, {"message": "no"}]),
        "stop_reason": texts,
        "role": texts,
        "content": contents,
        "message": st.fixed_dictionaries({}, optional={"content": contents}),
        "text": texts,
    },
)
answers = texts | completions | completions.map(json.dumps) | st.lists(completions | parts, max_size=2) | anything
values: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(FIELDS, anything)
values |= {name: st.none() | texts for name in ("request_id", "id", "session_id", "user", "system", "prompt", "label")}
values |= {
    "timestamp": st.sampled_from(
        [
            *(
                "2026-06-01T00:00:00Z",
                "2026-06-01",
                "2026-06-01 10:00:00+02:00",
                "2026-06-01T00:00:00.123456789Z",
                "soon",
            ),
            *(
                "2014-12-31T23:59:59Z",
                "2015-01-01T00:00:00+05:00",
                "2100-01-01T00:00:00-05:00",
                "1780315200",
                "",
                "2026-",
            ),
            *(
                "2026-06-01T00:00:00",
                "2026-W23-1T00:00:00Z",
                " 2026-06-01T00:00:00Z",
                "2026-06-01T00:00:00 Z",
                "20260601",
            ),
        ]
    ),
    "messages": messages,
    "response": answers,
    "completion": texts | st.none(),
    "tools": st.sampled_from([[], [{"type": "function"}], [7], None, {}, "[]"]),
    "functions": st.sampled_from([[], [{"name": "f"}], None]),
    "response_format": st.sampled_from(
        [
            {},
            {"type": "json_object"},
            {"type": "json_schema"},
            {"type": "text"},
            {"type": ["json_object"]},
            "json",
            None,
        ]
    ),
    "max_completion_tokens": st.sampled_from([0, 1, 10**9, 5.0, None]),
    "max_output_tokens": st.sampled_from([0, 2, 10**9, None]),
    "usage": usages,
    "status": st.sampled_from(["ok", "error", "OK", "success", "200", "500", "cached", "odd", ""]),
    "provider": st.sampled_from(["openai", "xai", "anthropic", "X-AI", "", None]),
    "model": st.sampled_from(["gpt-4o", "text-embedding-3-small", "dall-e-3", "", None, 7]),
    "metadata": st.dictionaries(st.sampled_from(["a", "latency_budget_ms"]), anything, max_size=2) | anything,
    "max_tokens": st.sampled_from([0, 1, -1, 10**9, 5.0, None, True]),
    "cost": st.floats(-1, 2) | st.integers(-1, 3) | st.sampled_from([1e-30, 9e6, "0.5"]),
    "latency_ms": st.floats(-1, 2) | st.integers(-1, 10**11),
    **dict.fromkeys(("team9", "Prompt_Version", "class", "x.y", "_own", "error", "cached"), anything),
}
changes = st.lists(st.sampled_from([*values]), max_size=3, unique=True)
reasoning = {"prompt_tokens": 5, "completion_tokens": 6, "completion_tokens_details": {"reasoning_tokens": 2}}
bodies = st.dictionaries(st.sampled_from([*BODY]), st.none(), max_size=2).map(BODY.__or__) | st.fixed_dictionaries(
    {"usage": st.just(reasoning) | usages}, optional={"error": st.just("no"), "created": st.just(0)}
).map(BODY.__or__)
agents = st.fixed_dictionaries(
    {"messages": st.lists(turns, min_size=1, max_size=4)},
    optional={
        "response": bodies | bodies.map(json.dumps) | completions,
        "tools": st.just(TOOLS),
        "response_format": st.just({"type": "json_object"}),
        "usage": st.sampled_from([None, {}, {"total_tokens": 9}]),
        "timestamp": st.none(),
        "model": st.none(),
        "provider": st.sampled_from(["openai", "xai"]),
    },
)
lines = (
    st.fixed_dictionaries({}, optional=values).map(
        lambda line: LINE | line if "messages" not in line and "prompt" not in line else line
    )
    | changes.flatmap(lambda names: st.fixed_dictionaries({name: values[name] for name in names})).map(LINE.__or__)
    | agents.map(LINE.__or__)
)


def full(content: bytes) -> Any:
    """The columns of the full reader's row, or the error it raises."""
    record = msgspec.json.decode(content)
    found, _ = recognise(record)
    if found is None:
        return None
    assert found.NAME == chat.NAME
    try:
        row = chat.read(record, UTC)
    except (RowError, UsageError, BackrouteError) as error:
        return error
    assert not row.notes
    assert row.usage.billed_apart is None
    return [columns.to_pylist() for columns in to_batches([row])]


def fast(*contents: bytes) -> dict[int, Any]:
    """What was read of some lines, by place."""
    read = read_plain(contents)
    return {
        place: [read.requests.slice(number, 1).to_pylist(), read.outcomes.slice(number, 1).to_pylist()]
        for number, place in enumerate(read.at.tolist())
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines, min_size=1, max_size=5), st.booleans())
def test_a_row_read_fast_is_the_full_readers(said: list[dict[str, Any]], ascii_only: bool) -> None:
    contents = [json.dumps(line, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for line in said]
    for place, columns in fast(*contents).items():
        assert columns == full(contents[place])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines, min_size=1, max_size=8), st.integers(1, 3))
def test_how_many_lines_are_decoded_at_once_changes_nothing(said: list[dict[str, Any]], at_once: int) -> None:
    contents = [json.dumps(line).encode() for line in said]
    whole = read_plain(contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "AT_ONCE", at_once)
        parts = read_plain(contents)
    assert parts.at.tolist() == whole.at.tolist()
    assert (parts.requests, parts.outcomes) == (whole.requests, whole.outcomes)
    assert parts.strings == whole.strings
    assert list(whole.strings.completions) == whole.outcomes["completion"].to_pylist()
    assert list(whole.strings.messages) == pc.struct_field(whole.requests["messages"].flatten(), "text").to_pylist()


def test_a_field_that_another_thread_meets_meanwhile_is_none_of_these_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps(LINE).encode()
    monkeypatch.setattr(plain, "_met", {*LINE})
    decoder = plain._decoder
    monkeypatch.setattr(plain, "_decoder", lambda *of: plain._met.add("ttft_ms") or decoder(*of))
    assert fast(content) == {0: full(content)}


def test_the_usual_line_is_read_fast() -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"messages": None, "prompt": "Hi", "system": "Be brief."},
        {"system": "Be brief."},
        {"system": "Be briefer.", "messages": [*LINE["messages"], {"role": "system", "content": "Now."}]},
        {
            "messages": [{"role": "user", "content": 'Line\none,\t"two"\\ \u0000'}],
            "response": None,
            "completion": "x",
        },
        {"messages": [{"role": "user", "content": "Hi", "name": ""}], "prompt": "not this", "response": ""},
        {"messages": [], "usage": None, "prompt": "not this"},
        {"usage": {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}},
        {"usage": {"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 100}, "provider": "anthropic"},
        {"usage": {"completion_tokens": 63, "provenance": "estimated"}, "cost": 0.0001},
        {"response": ' {"answer": 42}'},
        {"response": "{"},
        {"response": None, "completion": "date: 2026"},
        {"tools": TOOLS, "messages": CALLING, "response_format": {"type": "json_object"}, "temperature": 0.2},
        {"messages": [*LINE["messages"], {"role": "user", "content": [PART, IMAGE, PART]}], "max_completion_tokens": 9},
        {"max_tokens": 7, "max_output_tokens": 8, "max_completion_tokens": None},
        {name: {"a": [1]} for name in UNREAD},
        {"team9": "red", "Prompt_Version": None, "tenants": [{"id": 7}]},
        {"response": BODY},
        {"response": BODY, "model": None, "timestamp": None, "usage": None},
        {"response": json.dumps(BODY), "usage": {}, "messages": CALLING},
        {"response": {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [CALL]}}]}},
        {"response": {"role": "assistant", "content": "Yes"}, "messages": CALLING[:3]},
    ]
    contents = [json.dumps(LINE | variant).encode() for variant in variants]
    assert fast(*contents) == {place: full(content) for place, content in enumerate(contents)}


@pytest.mark.parametrize(
    "odd",
    [
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "42"}]}]},
        {"messages": [{"role": "user", "content": "Hi", "images": ["x"]}]},
        {"timestamp": "2026-06-01T00:00:00"},
        {"usage": {"prompt_tokens": -1, "completion_tokens": 1}},
        {"response": BODY | {"error": {"message": "no"}}},
        {"response": BODY | {"object": "response"}},
        {"response": BODY | {"usage": {"prompt_tokens": -1}}},
        {"response": {"content": [PART], "usage": {"input_tokens": 1, "output_tokens": 2}, "stop_reason": "end_turn"}},
        {"response": json.dumps({"choices": [], "error": "no"})},
        {"response": '{"choices": '},
        {"response": "data: x"},
        {"response": None, "completion": "\u3000event: x"},
        {"status": "odd"},
        {"http_status": 500},
        {"error": "no"},
        {"cached": True, "cost": 0},
        {"rating": 5},
        {"call_type": "embedding"},
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_full_reader(odd: dict[str, Any]) -> None:
    usual = json.dumps(LINE).encode()
    assert fast(usual, json.dumps(LINE | odd).encode(), usual) == {0: full(usual), 2: full(usual)}


@pytest.mark.parametrize(
    "messages",
    [
        b'[{"role": "user", "content": "\xff"}]',
        b'[{"role": "user", "content": "\xed\xa0\x80"}]',
        rb'[{"role": "user", "content": "\ud800"}]',
        rb'[{"role": "user", "content": "\q"}]',
        b'[{"role": "user", "content": "Hi", "tool_calls": {}}]',
        b'[null, {"role": "user", "content": "Hi"}]',
        b'[{"role": "user", "content": ["\xff"]}]',
        b'[{"role": "assistant", "content": null, "tool_calls": [{"id": "\xff"}]}]',
        b'[{"role": "user", "content": [null]}]',
        b'[{"role": "user", "content": [7]}]',
        b'[{"content": "Hi"}]',
        b'[{"role": "user", "content": 7}]',
        b'{"role": "user", "content": "Hi"}',
        b'"Hi"',
        b"[[]]",
    ],
)
def test_messages_that_are_no_plain_texts_leave_the_lines_beside_them_alone(messages: bytes) -> None:
    usual = json.dumps(LINE).encode()
    assert fast(usual, b'{"model": "m", "response": "Yes", "messages": ' + messages + b"}", usual) == {
        0: full(usual),
        2: full(usual),
    }


def test_tools_and_formats_that_are_no_text_leave_the_line_to_the_full_reader() -> None:
    usual = json.dumps(LINE | {"tools": TOOLS}).encode()
    bad = [usual.replace(b"look_up", said) for said in (b"\xff", rb"\ud800", rb"\q")]
    assert fast(usual, *bad, usual) == {0: full(usual), 4: full(usual)}
    formats = [
        json.dumps(LINE | {"response_format": form}).encode() for form in (None, "json", {"type": "json_object"})
    ]
    assert fast(*formats) == {place: full(content) for place, content in enumerate(formats)}


def test_a_field_that_stands_twice_is_read_as_the_full_reader_reads_it() -> None:
    line = b'{"model": "m", "response": "Yes", "messages": [{"role": "user", "content": "one", "content": "two"}]}'
    assert fast(line) == {0: full(line)}


def test_every_line_of_the_bundled_case_reads_alike() -> None:
    import gzip

    preset = Path(__file__).parents[2] / "workloads" / "presets" / "case-60-25-15.jsonl.gz"
    with gzip.open(preset) as log:
        contents = [content for _, content in zip(range(500), log, strict=False)]
    assert fast(*contents) == {place: full(content) for place, content in enumerate(contents)}


def test_a_field_that_no_reader_speaks_of_is_passed_over_and_no_other() -> None:
    assert all(map(nobody_looks_at, ("team9", "Prompt_Version", "tenants")))
    others = ("gen_ai.usage", "gpt-4|total_cost", "parent_observation_id", "class", "_id", "", "é", "uuid", "error")
    assert not any(map(nobody_looks_at, [*FIELDS, *others]))


def test_a_log_that_writes_values_as_names_is_left_to_the_full_reader() -> None:
    contents = [json.dumps(LINE | {f"value{number}": 1}).encode() for number in range(300)]
    read = fast(*contents)
    assert len(read) <= MOST
    assert read == {place: full(contents[place]) for place in read}

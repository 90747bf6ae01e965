"""Requests and conditions of every kind, to try routers with."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
from hypothesis import strategies as st

import router
from router import Condition, Features
from workloads import REQUEST

DEFAULT = "openai/gpt-4o"


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    """Requests in the columns of the contract; null wherever a row does not say."""
    return pa.RecordBatch.from_pylist(list(rows), schema=REQUEST)


def holds(condition: Condition, *rows: dict[str, Any]) -> list[bool | None]:
    """What a condition says of each row; None is undecidable."""
    said: list[bool | None] = condition.evaluate(Features.of_batch(batch(*rows), DEFAULT)).to_pylist()
    return said


# Letters whose case is treacherous: dotted and dotless i, sharp s, final sigma, Kelvin and Angstrom signs, long s.
TREACHEROUS = "aAiIkKsSzZ İıßẞΣσςKÅåſéÉжЖ_-9٣\n\0\u0301ǅ😀"
WORDS = ["sql", "class", "Straße", "kilo", "ΣΑΣ", "i", "write code", "c++", "(", "\\d", "ß", "s", "é", "\n"]
KEYS = ["complex", "tier", "größe", 'say "so"', "a\\b", "tab\t", "a/b", "ключ", ""]

texts = st.one_of(
    st.text(st.sampled_from(TREACHEROUS), max_size=12),
    st.lists(st.sampled_from([*WORDS, "STRASSE", "classify", "σας", " ", "_", "İ"]), max_size=6).map("".join),
    st.text(max_size=300),
)
plain_values = st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 0.5, "", "0", "false", "gold"]))
meta_values = st.one_of(plain_values, st.none(), st.just([]), st.just({}), st.just([0]), st.just({"complex": True}))
encoders: st.SearchStrategy[Callable[[Any], str]] = st.sampled_from(
    [json.dumps, lambda meta: msgspec.json.encode(meta).decode(), lambda meta: json.dumps(meta, ensure_ascii=False)]
)
metas = st.none() | st.builds(
    lambda meta, encode: encode(meta), st.dictionaries(st.sampled_from(KEYS), meta_values, max_size=4), encoders
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "name": st.none(), "text": texts}), max_size=3
)
requests = st.fixed_dictionaries(
    {
        "request_id": st.text(max_size=5),
        "arrived_at": st.just(datetime(2026, 1, 1, tzinfo=UTC)),
        "user_id": st.sampled_from([None, "ann", "bo"]),
        "model": st.sampled_from([None, "gpt-4o", "gpt-4o-mini"]),
        "prompt": st.none() | texts,
        "messages": st.none() | messages,
        "n_messages": st.none() | st.integers(0, 9),
        "has_tools": st.none() | st.booleans(),
        "has_images": st.none() | st.booleans(),
        "json_mode": st.none() | st.booleans(),
        "max_output_tokens": st.none() | st.integers(1, 2**60),
        "latency_budget_ms": st.none() | st.floats(0, 1e4) | st.just(float("nan")),
        "meta": metas,
    }
)

thresholds = st.integers(-1, 300) | st.floats(allow_nan=False) | st.integers(-(2**70), 2**70)
comparisons: st.SearchStrategy[Callable[[Any, Any], Condition]] = st.sampled_from(
    [lambda number, x: number < x, lambda number, x: number <= x, lambda number, x: number >= x, lambda n, x: n > x]
)
numbers = st.sampled_from(
    [
        router.length,
        router.input_tokens,
        router.estimated_cost_usd,
        router.latency_budget_ms,
        router.n_messages,
        router.max_output_tokens,
    ]
)
flags = st.sampled_from([router.has_tools, router.has_images, router.json_mode])
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(lambda number, compare, x: compare(number(), x), numbers, comparisons, thresholds),
    st.builds(
        lambda words, whole: router.mentions(*words, whole_word=whole),
        st.lists(st.sampled_from(WORDS) | st.text(min_size=1, max_size=4), min_size=1, max_size=4),
        st.booleans(),
    ),
    st.builds(router.meta, st.sampled_from(KEYS)),
    st.builds(lambda key, value: router.meta(key) == value, st.sampled_from(KEYS), plain_values),
    st.builds(lambda flag, wanted: flag(wanted), flags, st.booleans()),
    st.builds(
        lambda name, values: name() == values,
        st.sampled_from([router.user_id, router.model]),
        st.lists(st.sampled_from(["ann", "gpt-4o", "", "ü"]), min_size=1, max_size=3),
    ),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=6,
)

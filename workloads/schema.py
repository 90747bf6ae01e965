"""The column contract: what was known when a request arrived, and what was known only afterwards."""

import pyarrow as pa

INPUT_BUCKETS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")
OUTPUT_BUCKETS = ("output_text", "output_reasoning")
BUCKETS = INPUT_BUCKETS + OUTPUT_BUCKETS

PROVENANCES = ("provider", "tokenizer", "estimated")

MESSAGE = pa.struct([("role", pa.string()), ("name", pa.string()), ("text", pa.string())])

# A router sees these columns and no others.
REQUEST = pa.schema(
    [
        ("request_id", pa.string()),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
        ("session_id", pa.string()),
        ("user_id", pa.string()),
        ("model", pa.string()),
        ("provider", pa.string()),
        ("call_type", pa.string()),  # chat, embedding, image, audio, other: only chat is routed
        ("system", pa.string()),
        ("prompt", pa.string()),  # the routing text; null where the log holds no text
        ("messages", pa.list_(MESSAGE)),  # text of every message, the system prompt included
        ("n_messages", pa.int32()),
        ("has_tools", pa.bool_()),
        ("has_images", pa.bool_()),
        ("json_mode", pa.bool_()),
        ("max_output_tokens", pa.int64()),
        ("latency_budget_ms", pa.float64()),
        ("service_tier", pa.string()),
        ("meta", pa.string()),  # a JSON object; null where there is none
        ("label", pa.string()),
    ]
)

# Known only once the call had ended; never shown to a router.
OUTCOME = pa.schema(
    [(bucket, pa.int64()) for bucket in BUCKETS]  # whole tokens; null where unknown
    + [
        ("input_provenance", pa.string()),  # who counted the input buckets: see PROVENANCES
        ("output_provenance", pa.string()),
        ("completion", pa.string()),
        ("latency_ms", pa.float64()),
        ("ttft_ms", pa.float64()),
        ("status", pa.string()),  # ok, error, cached (a gateway's own cache answered: nothing was billed)
        ("served_tier", pa.string()),  # the tier the provider says it used; wins over the one asked for
        ("recorded_usd", pa.decimal128(20, 12)),
        ("feedback", pa.string()),
    ]
)

"""What a competent user writes today, to hold a replay against: pandas, tiktoken and LiteLLM's prices.

    PYTHON benchmarks/users_script.py LOG ROWS

Runs in an environment of its own that has pandas, tiktoken and litellm. Counts every text, routes by the same rules as
the bundled `case` set, prices both arms call by call, and prints rows and seconds as JSON.
"""

import json
import os
import sys
import time
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no network

import litellm
import pandas as pd
import tiktoken

CODE = ("write code", "implement", "function", "class", "algorithm", "python", "javascript", "sql", "refactor", "debug")


def route(text: str, meta: dict[str, Any]) -> str:
    """The bundled `case` rules, in plain Python."""
    low = text.lower()
    if any(word in low for word in CODE):
        return "claude-sonnet-4-5"
    if len(text) < 200 and not meta.get("complex"):
        return "perplexity/llama-3.1-8b-instruct"  # LiteLLM no longer lists Groq's own
    return "gpt-4o-mini"


def main() -> None:
    """Read, count, route, price, sum."""
    path, rows = sys.argv[1], int(sys.argv[2])
    encoding = tiktoken.get_encoding("o200k_base")
    litellm.completion_cost(model="gpt-4o", prompt="a", completion="b")  # loads what it loads once
    started = time.perf_counter()
    frame = pd.read_json(path, lines=True, nrows=rows)
    texts = ["\n".join(message["content"] for message in held) for held in frame["messages"]]
    frame["prompt_tokens"] = [len(encoding.encode_ordinary(text)) for text in texts]
    frame["completion_tokens"] = [len(encoding.encode_ordinary(text)) for text in frame["response"]]
    frame["chosen"] = [
        route(held[-1]["content"], meta) for held, meta in zip(frame["messages"], frame["metadata"], strict=True)
    ]
    before, after = [
        [
            litellm.completion_cost(
                completion_response={
                    "model": model,
                    "usage": {"prompt_tokens": p, "completion_tokens": c, "total_tokens": p + c},
                },
                model=model,
            )
            for model, p, c in zip(models, frame["prompt_tokens"], frame["completion_tokens"], strict=True)
        ]
        for models in (["gpt-4o"] * len(frame), frame["chosen"])
    ]
    saved = sum(before) - sum(after)
    print(json.dumps({"rows": len(frame), "seconds": time.perf_counter() - started, "saved_usd": saved}))


if __name__ == "__main__":
    main()

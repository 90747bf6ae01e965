"""Logs for the benchmarks: chat JSONL of as many distinct requests as wanted, the same every time."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

_SAID = (
    "the of and a to in is you that it for on are with as his they be at one have this from or had by hot "
    "but some what there we can out other were all your when up use word how said an each she which their "
    "time will way about many then them would write like so these her long make thing see him two has "
    "look more day could go come did my sound no most number who over know water than call first people "
    "may down side been now find any new work part take get place made live where after back little only "
    "round man year came show every good give under name very through form great think help low line "
    "before turn cause much mean differ move right boy old too does tell sentence set three want air "
    "python function refactor sql query revenue forecast segment naïve café 12,500 3.14 "
    "https://example.com/?q=1 déjà 東京 "
)
WORDS = _SAID.split()
MODELS = ("gpt-4o",) * 8 + ("gpt-4o-mini", "claude-sonnet-4-5")
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
SYSTEM = "You are a helpful assistant. Answer in the user's language and be concise."


Length = Callable[[random.Random], int]  # draws how many words a text has
SHORT: tuple[Length, Length] = (lambda draw: draw.randrange(15, 150)), (lambda draw: draw.randrange(5, 60))
LONGER: tuple[Length, Length] = (lambda draw: draw.randrange(23, 231)), (lambda draw: draw.randrange(8, 93))
# Tokens of prompts and of answers at these shares of the 19,366 calls of a production hour: AzureLLMInferenceTrace_conv
# of the Azure Public Dataset, 2023 (https://github.com/Azure/AzurePublicDataset, CC-BY 4.0; means 1,155 and 211). They
# are drawn apart: the two correlate by -0.11.
SHARES = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1)
PROMPTS = (2, 181, 207, 396, 1020, 1189, 2735, 4083, 4142, 6212, 14050)
ANSWERS = (7, 41, 54, 85, 129, 395, 424, 451, 601, 954, 1000)
TOKENS_A_WORD = 1.1  # of WORDS, as o200k_base counts them


def _as_in(quantiles: Sequence[int]) -> Length:
    return lambda draw: max(round(float(np.interp(draw.random(), SHARES, quantiles)) / TOKENS_A_WORD), 1)


PRODUCTION = _as_in(PROMPTS), _as_in(ANSWERS)


def write_log(path: Path, rows: int, *, counted: bool, lengths: tuple[Length, Length] = SHORT) -> Path:
    """Write `rows` calls with prompts and answers of such lengths; `counted` adds a provider's usage block."""
    draw = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            prompt = " ".join(draw.choices(WORDS, k=lengths[0](draw)))
            answer = " ".join(draw.choices(WORDS, k=lengths[1](draw)))
            row = _call(number, rows, draw.choice(MODELS), prompt, answer)
            if counted:
                tokens = {"prompt_tokens": 20 + len(prompt) // 4, "completion_tokens": 1 + len(answer) // 4}
                row["usage"] = tokens | {"total_tokens": sum(tokens.values())}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def write_agents(path: Path, rows: int) -> Path:
    """Write `rows` calls as agents make them: tools, a call and its result, a field of their own, the whole answer."""
    draw = random.Random(7)

    def words(count: int) -> str:
        return " ".join(draw.choices(WORDS, k=count))

    query = {"type": "object", "properties": {"query": {"type": "string", "description": "what to look for"}}}
    tools = [
        {"type": "function", "function": {"name": name, "description": f"{name} for a query", "parameters": query}}
        for name in ("search", "weather", "order")
    ]
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = _call(number, rows, draw.choice(MODELS), words(30), "")
            function = {"name": "search", "arguments": json.dumps({"query": words(4)})}
            asked = [{"id": f"call{number}", "type": "function", "function": function}]
            row["messages"] += [
                {"role": "assistant", "content": None, "tool_calls": asked},
                {"role": "tool", "tool_call_id": f"call{number}", "content": words(40)},
            ]
            message = {"role": "assistant", "content": words(30)}
            row["response"] = {
                "id": f"chatcmpl-{number}",
                "object": "chat.completion",
                "model": row["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            }
            file.write(json.dumps(row | {"tools": tools, "workflow": "triage"}, ensure_ascii=False) + "\n")
    return path


def write_real_log(path: Path, data: Path) -> int:
    """Write calls of real prompts with real answers, each once and in chance pairs; returns how many.

    Args:
        path: the log.
        data: holds `prompts/labelled_prompts.jsonl.gz` (13 public sets) and `outcomes/zeroeval_outputs_*.jsonl.gz`
            (ZeroEval, Apache-2.0 and MIT).
    """
    draw = random.Random(7)
    prompts = _distinct("prompt", data / "prompts" / "labelled_prompts.jsonl.gz")
    answers = _distinct("output", *sorted((data / "outcomes").glob("zeroeval_outputs_*.jsonl.gz")))
    draw.shuffle(prompts)
    draw.shuffle(answers)
    rows = min(len(prompts), len(answers))
    with path.open("w", encoding="utf-8") as file:
        for number, (prompt, answer) in enumerate(zip(prompts[:rows], answers[:rows], strict=True)):
            row = _call(number, rows, draw.choice(MODELS), prompt, answer)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return rows


def _distinct(name: str, *paths: Path) -> list[str]:
    found = dict[str, None]()
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found.update((json.loads(line)[name], None) for line in lines)
    return list(found)


def _call(number: int, rows: int, model: str, prompt: str, answer: str) -> dict[str, Any]:
    return {
        "request_id": f"r{number}",
        "timestamp": f"2026-06-{1 + number * 29 // rows:02d}T{number % 24:02d}:{number % 60:02d}:00Z",
        "session_id": f"s{number // 3}",
        "user_id": f"u{number % 500}",
        "model": model,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
        "metadata": {"complex": number % 10 == 0, "app": "chat"},
        "response": answer,
        "status": "ok",
    }


def write_talks(path: Path, rows: int) -> Path:
    """Write `rows` calls of conversations of five turns, in order of time; each reads from the cache what it can."""
    draw, calls = random.Random(7), list[tuple[float, str]]()
    systems = [" ".join(draw.choices(WORDS, k=900)) for _ in range(6)]
    for number in range(rows):
        talk, turn = divmod(number, 5)
        if turn == 0:
            at, read, said = draw.uniform(0, 20 * 86_400), 0, [{"role": "system", "content": systems[talk % 6]}]
        said.append({"role": "user", "content": " ".join(draw.choices(WORDS, k=60))})
        tokens, answer = sum(len(each["content"]) for each in said) // 4, " ".join(draw.choices(WORDS, k=40))
        row = {
            "request_id": f"r{number}",
            "timestamp": (BEGIN + timedelta(seconds=at)).isoformat(),
            "session_id": f"s{talk}",
            "model": MODELS[talk % 9],
            "messages": said,
            "usage": {
                "prompt_tokens": tokens,
                "completion_tokens": len(answer) // 4,
                "prompt_tokens_details": {"cached_tokens": read},
            },
            "response": answer,
        }
        calls.append((at, json.dumps(row, ensure_ascii=False)))
        said.append({"role": "assistant", "content": answer})
        at, read = at + draw.expovariate(1 / 60), tokens // 128 * 128
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for _, line in sorted(calls))
    return path


def write_long_log(path: Path, rows: int, *, base: int = 200_000) -> Path:
    """As `write_log` without counts, but fast: `base` calls again and again, each time with other ids and texts."""
    few = write_log(path.with_suffix(".base"), min(base, rows), counted=False)
    held = few.read_bytes().split(b"\n")[:-1]
    few.unlink()
    with path.open("wb") as file:
        for turn in range(-(-rows // len(held))):
            again = f"{turn}-".encode()
            lines = b"\n".join(held[: rows - turn * len(held)]) + b"\n"
            for before in (b'"request_id": "', b'"session_id": "', b'"role": "user", "content": "', b'"response": "'):
                lines = lines.replace(before, before + again)
            file.write(lines)
    return path

"""The main job on real input: 2,040 real requests with gpt-4o's real answers, and 2,080 recorded provider calls.

    .venv/bin/python -m benchmarks.real_logs [--data ../shared/data] [--out FOLDER]

Builds a chat log of the questions and answers (ZeroEval, Apache-2.0 and MIT), replays it and the recordings
(pydantic-ai, simonw/llm, openinference; MIT and Apache-2.0) with the bundled rule sets, and prints one line each.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backroute.run import run_replay
from workloads import read_log

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ANSWERED_BY = "gpt-4o-2024-08-06"
COLUMNS = (
    "log",
    "rules",
    "rows",
    "set aside",
    "compared",
    "as logged",
    "baseline",
    "routed",
    "against",
    "saving",
    "90% interval",
)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a gzipped file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def chat_log(data: Path, out: Path) -> Path:
    """Write the questions with gpt-4o's answers as chat JSONL, without usage: every token is counted here."""
    folder = data / "outcomes"
    answers = {
        (row["task"], str(row["id"])): row["output"]
        for task in ("gsm", "math-l5")
        for row in rows(folder / f"zeroeval_outputs_{task}.jsonl.gz")
        if row["model"] == ANSWERED_BY
    }
    path = out / "zeroeval-gpt-4o.jsonl"
    with path.open("w", encoding="utf-8") as log:
        for row in rows(folder / "zeroeval_questions.jsonl.gz"):
            key = (row["task"], str(row["id"]))
            call = {
                "request_id": "/".join(key),
                "model": ANSWERED_BY,
                "messages": [{"role": "user", "content": row["prompt"]}],
                "response": answers.get(key),
                "label": "reasoning",
            }
            log.write(json.dumps(call) + "\n")
    return path


def main() -> None:
    """Build, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=None, help="keep the logs and reports here")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="backroute-real-"))
    out.mkdir(parents=True, exist_ok=True)
    logs = {
        "zeroeval": chat_log(options.data, out),
        "recordings": options.data / "provider_responses" / "responses.jsonl.gz",
    }
    print(" | ".join(COLUMNS))
    for name, path in logs.items():
        for rules in ("starter", "case", "current"):
            summary = run_replay(read_log(path), rules=rules, baseline="openai/gpt-4o", out=out / f"{name}-{rules}")
            print(" | ".join(_line(name, rules, summary)))
    print(f"reports: {out}")


def _line(name: str, rules: str, summary: dict[str, Any]) -> list[str]:
    # The headline's own comparison: a saving against a model nobody used would flatter the rules.
    as_logged = summary["headline"] == "as_logged"
    saving, coverage = summary["savings_vs_as_logged" if as_logged else "savings"], summary["coverage"]
    return [
        name,
        rules,
        str(summary["log"]["rows"]),
        str(summary["log"]["problems"]),
        f"{coverage['requests_pct']:.1f}%",
        *(f"${float(summary[arm]['usd']):.4f}" for arm in ("as_logged", "baseline", "routed")),
        "as logged" if as_logged else "baseline",
        f"{saving['pct']:.1f}%",
        f"{saving['low_pct']:.1f}% to {saving['high_pct']:.1f}%",
    ]


if __name__ == "__main__":
    main()

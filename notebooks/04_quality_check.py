# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Were the answers as good?
#
# A saving counts only where the cheaper model's answers hold up. `backroute verify` asks a sample again, live and
# within a spending cap. This notebook does the same without a key and without a network: a stand-in gives recorded
# answers, and everything else, sampling, scoring, the verdict, is the real thing.

# %%
import asyncio
import json
import tempfile
from pathlib import Path

from pricing import PriceBook
from quality import ByGold, Check, Tariff, summary_quality
from reports import quality_chart
from router import parse_rules
from router.providers import Answer
from simulator import Scenario, replay
from workloads import read_log
from workloads.usage import Usage

# %% [markdown]
# ## A log of sums, and two rules
#
# gpt-4o answered all of these rightly. Easy sums go to a small model, hard ones to a cheaper one.

# %%
sums = [(n, "easy" if n % 2 else "hard", 13 + n % 89, 7 + n % 53) for n in range(900)]
rows = [
    {
        "request_id": f"sum-{n}",
        "timestamp": f"2026-06-{1 + n % 28:02d}T09:00:00Z",
        "model": "gpt-4o-2024-08-06",
        "messages": [{"role": "user", "content": f"An {kind} one: what is {a} x {b}?"}],
        "response": f"{a} x {b} = {a * b}",
        "usage": {"prompt_tokens": 20, "completion_tokens": 12},
        "metadata": {"kind": kind},
    }
    for n, kind, a, b in sums
]
rules = parse_rules(
    """
rules:
  - {name: easy, when: {meta: {kind: easy}}, use: groq/llama-3.1-8b-instant}
  - {name: hard, when: {meta: {kind: hard}}, use: openai/gpt-4o-mini}
  - {name: default, use: openai/gpt-4o}
"""
)
folder, book = Path(tempfile.mkdtemp()), PriceBook.load()
log = read_log(rows)
_, after = replay(log, Scenario.always("openai/gpt-4o", book), Scenario("two rules", rules, book), out=folder)
after

# %% [markdown]
# ## The stand-in
#
# It answers easy sums rightly, and every fifth hard one wrongly. In its place goes a provider's own client:
# `router.providers` has them, and `backroute verify` chooses them by the models' names.

# %%
GOLD = {f"sum-{n}": str(a * b) for n, _, a, b in sums}
RECORDED = {row["messages"][0]["content"]: (row["request_id"], int(row["request_id"].split("-")[1])) for row in rows}


class StandIn:
    """A provider that gives recorded answers."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def acomplete(self, model, messages, **_):
        """The recorded answer to a question."""
        await asyncio.sleep(0)
        request, n = RECORDED[messages[-1]["content"]]
        wrong = "mini" in model and n % 5 == 0
        text = f"It is {int(GOLD[request]) + wrong}."
        return Answer(model, text, Usage(20, 0, 0, 0, 6, 0), "stop", 5.0, None, request, None, {})


# %% [markdown]
# ## The plan, before anything is sent
#
# What goes where, what it costs at most, and how likely the sample is to settle the question.

# %%
check = Check(folder, log, after.summary, book, ByGold(GOLD), Tariff(book), sample=500, margin=0.05)
print(f"{len(check.plan.rows)} requests to {', '.join(check.providers)}, about ${check.expected_pico() / 1e12:.4f}")

# %% [markdown]
# ## The verdict

# %%
result = check.run({name: StandIn(name) for name in check.providers}, cap_pico=10**12)
summary = after.summary | {"quality": summary_quality(check.plan, result.verdict, check.margin)}
quality_chart(summary);

# %%
for found in summary["quality"]["slices"]:
    print(f"{found['slice']}: {found['verdict']}, on {found['pairs']} pairs of answers")
print("verified saving: $" + summary["quality"]["verified_savings_usd"])

# %% [markdown]
# A saving is verified for slices that are as good, and for no other. `write_report(summary, folder)` puts the verdict
# on the page; the command does all of this in one line:
#
# ```
# backroute verify out/ --log june.jsonl --gold gold.jsonl --max-usd 5
# ```

# %%
print(json.dumps(summary["quality"]["slices"][0], indent=1))

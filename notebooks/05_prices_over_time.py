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
# # Prices over time
#
# The same log at the prices of any day: how much of a saving is routing, and how much is only that prices fell? Every
# price in the book is dated and names its source.

# %%
from datetime import date
from importlib.resources import files

import pandas as pd

from pricing import AsOf, PriceBook
from reports import comparison_chart
from router import load_rules
from simulator import Scenario, replay
from workloads import read_log

log = read_log(files("workloads") / "presets" / "case-60-25-15.jsonl.gz")
book = PriceBook.load()
rules = load_rules("case")
book.date

# %% [markdown]
# ## What changed
#
# Every change of price, USD per million tokens, of the rules' models and the baseline since gpt-4o came out.

# %%
MODELS = ["openai/gpt-4o", *dict.fromkeys(rule.target for rule in rules.rules)]
changed = [each for each in book.changes(date(2024, 5, 1), book.date) if each.model in MODELS and each.before]
pd.DataFrame(
    {
        "on": each.on,
        "model": each.model,
        "tokens": each.bucket,
        "before": each.before.base,
        "after": each.after.base if each.after else None,
        "source": each.source,
    }
    for each in changed
)

# %% [markdown]
# ## The log at the prices of a day
#
# A model that was not yet sold has no price that day: its requests are left out, and coverage says so. Unknown is never
# zero.

# %%
DAYS = ["2024-08-01", "2025-03-01", str(book.date)]
held = {}
for day in DAYS:
    at = AsOf.parse(day)
    _, held[day] = replay(log, Scenario.always("openai/gpt-4o", book, at), Scenario("case rules", rules, book, at))

rows = []
for day, result in held.items():
    shown, savings = result.summary["compared"], result.summary["savings"]
    rows.append(
        {
            "prices of": day,
            "compared_pct": result.summary["coverage"]["requests_pct"],
            "before_usd": float(shown["before_usd"]),
            "routed_usd": float(shown["routed_usd"]),
            "saving_pct": savings["pct"],
        }
    )
pd.DataFrame(rows)

# %%
comparison_chart(held);

# %% [markdown]
# ## One price and where it is from

# %%
quote = book.quote("openai/gpt-4o", date(2024, 9, 1))
quote.usd_per_mtok["output_text"].base, quote.effective_from, quote.source

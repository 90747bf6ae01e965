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
# # A first report
#
# What would last month have cost if a few rules had chosen the model for each request? This notebook replays a log
# through routing rules and shows the saving, how sure it is, and where it comes from. It needs no key and no network.
# Put your own log's path in the next cell to see your own figures.

# %%
from importlib.resources import files

import pandas as pd

from pricing import PriceBook
from reports import cost_chart, rule_chart, savings_table, waterfall_chart
from router import load_rules
from simulator import Scenario, replay
from workloads import read_log

log = read_log(files("workloads") / "presets" / "case-60-25-15.jsonl.gz")
log.requests().head()

# %% [markdown]
# Nothing is dropped in silence: what could not be read is set aside, with its line and a way to mend it.

# %%
len(log.problems), log.formats

# %% [markdown]
# ## The rules
#
# The first rule that matches decides, and the last one is the default. The same file runs in production.

# %%
rules = load_rules("case")
rules

# %% [markdown]
# ## The replay
#
# A baseline is a scenario like any other: here, everything on gpt-4o.

# %%
book = PriceBook.load()
base = Scenario.always("openai/gpt-4o", book)
before, after = replay(log, base, Scenario("case rules", rules, book))
savings = after.savings_against(before)
savings

# %%
savings_table(savings, by="rule")

# %%
cost_chart(savings);

# %%
rule_chart(savings);

# %%
waterfall_chart(savings);

# %% [markdown]
# ## One row per request
#
# Every decision and every charge is there to be looked at. These are the requests that routing made dearer.

# %%
requests = after.requests()
requests["extra_usd"] = (requests["routed_usd_pico"] - requests["baseline_usd_pico"]) / 1e12
requests.nlargest(5, "extra_usd")[["request_id", "rule", "routed_model", "extra_usd"]]

# %% [markdown]
# ## What it rests on
#
# A saving is only as good as what was assumed for it.

# %%
pd.DataFrame(savings.summary["assumptions"])

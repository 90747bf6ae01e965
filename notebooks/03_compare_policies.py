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
# # Compare policies
#
# A saving means little alone. Would one cheap model have done as well? A lottery at the same price? How far is the best
# that hindsight could do? This notebook puts rules beside all of them, cost against quality.

# %%
from importlib.resources import files

import numpy as np
import pandas as pd

from pricing import PriceBook
from reports import frontier_chart
from router import AlwaysUse, Cheapest, LLMRouter, load_rules
from router.baselines import uniform
from simulator import Scenario, replay
from simulator.search.beside import best_single, equal_spend, routed_usd
from workloads import read_log

log = read_log(files("workloads") / "presets" / "case-60-25-15.jsonl.gz")
book = PriceBook.load()
base = Scenario.always("openai/gpt-4o", book)
MODELS = ["openai/gpt-4o", "openai/gpt-4o-mini", "groq/llama-3.1-8b-instant", "anthropic/claude-sonnet-4-5"]

# %% [markdown]
# ## Policies, in one pass over the log

# %%
case = load_rules("case")
own = {"case rules": case, "case rules but code": LLMRouter([rule for rule in case.rules if rule.name != "code"])}
routers = own | {f"always {model.split('/')[1]}": AlwaysUse(model) for model in MODELS}
routers["cheapest at arrival"] = Cheapest(MODELS, book=book)
_, *results = replay(log, base, *(Scenario(name, router, book) for name, router in routers.items()))
held = dict(zip(routers, results, strict=True))
best_single([held[f"always {model.split('/')[1]}"] for model in MODELS])

# %% [markdown]
# The lottery sends each request to a cheap or a dear model by chance, so that it is expected to cost what the rules
# cost: a rule set worth its name does better at the same price.

# %%
cheap, dear = held["always llama-3.1-8b-instant"], held["always gpt-4o"]
lottery = equal_spend(held["case rules"], cheap, dear)
held["lottery, case's spend"] = replay(log, base, Scenario(lottery.name, lottery, book))[1]
lottery.name

# %% [markdown]
# ## Quality
#
# Nobody knows how good answers are that were never given. This made-up log needs a made-up quality: each model answers
# a request rightly with the share it has in public results (ZeroEval: GSM8K for simple and analytics, level-5 maths for
# code; Claude 3.5 Sonnet stands in for Sonnet 4.5). Put your own here: gold answers, a judge's scores, or
# `pairs.parquet` from `backroute verify`.

# %%
RIGHT = pd.DataFrame(
    {
        "simple": [0.962, 0.942, 0.843, 0.967],
        "analytics": [0.962, 0.942, 0.843, 0.967],
        "code": [0.577, 0.527, 0.275, 0.594],
    },
    index=MODELS,
)
requests = held["case rules"].requests()
labels = log.requests().set_index("request_id")["label"].reindex(requests["request_id"])
# How hard a request is: whoever answers, a hard one is answered by fewer.
hard = uniform(requests["request_id"].to_numpy(object), seed=1)
rightly = pd.DataFrame({model: hard < labels.map(RIGHT.loc[model]).to_numpy() for model in MODELS})


def quality(result) -> float:
    """The share of requests answered rightly by the models chosen, in percent."""
    chosen = result.requests()["routed_model"].to_numpy(object)
    return 100 * np.mean([rightly[model].iloc[at] for at, model in enumerate(chosen)])


points = {name: (float(routed_usd(result)), quality(result)) for name, result in held.items()}
pd.DataFrame(points, index=["usd", "right_pct"]).T.sort_values("usd")

# %% [markdown]
# ## The oracle
#
# With hindsight each request goes to the cheapest model that answers it rightly, and to the cheapest of all where none
# does. No router can know this; it is the limit.

# %%
cost = pd.DataFrame(
    {model: held[f"always {model.split('/')[1]}"].requests()["routed_usd_pico"] / 1e12 for model in MODELS}
)
least = cost.where(rightly.to_numpy()).min(axis=1).fillna(cost.min(axis=1))
points["oracle"] = (float(least.sum()), 100 * rightly.any(axis=1).mean())
points["oracle"]

# %%
frontier_chart(points, own=own, limits=["oracle"]);

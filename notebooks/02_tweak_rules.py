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
# # Tweak the rules
#
# Change a keyword or a threshold, and see at once what it does to the bill: the saving, the frontier, and the very
# requests that moved. The first replay reads and counts the log; after it, a changed rule only has to be priced again.

# %%
import time
from importlib.resources import files

from IPython.display import display

from pricing import PriceBook
from reports import frontier_chart, moved_requests, saving_chart, savings_table
from router import LLMRouter, RoutingRule, length, mentions
from simulator import Scenario, replay
from workloads import read_log

log = read_log(files("workloads") / "presets" / "case-60-25-15.jsonl.gz")
book = PriceBook.load()
base = Scenario.always("openai/gpt-4o", book)


def rules(short_below: int = 200, analytics: str = "revenue, churn, sql", code: str = "python, refactor") -> LLMRouter:
    """Short questions to a small model, analytics to a cheap one, code to a strong one; the rest stays."""

    def words(said: str) -> list[str]:
        return [word.strip() for word in said.split(",") if word.strip()]

    chain = [RoutingRule("short", length() < short_below, "groq", "llama-3.1-8b-instant")]
    if words(analytics):
        chain.append(RoutingRule("analytics", mentions(*words(analytics)), "openai", "gpt-4o-mini"))
    if words(code):
        chain.append(RoutingRule("code", mentions(*words(code)), "anthropic", "claude-sonnet-4-5"))
    chain.append(RoutingRule("rest", None, "openai", "gpt-4o"))
    return LLMRouter(chain, name=f"short below {short_below}")


def tried(**changes):
    """The result of a replay with these changes."""
    router = rules(**changes)
    return replay(log, base, Scenario(router.name, router, book))[1]


first = tried()
first

# %% [markdown]
# ## One change
#
# Edit this cell and run it again. It says how long the answer took.

# %%
started = time.perf_counter()
changed = tried(short_below=120, analytics="revenue, churn, sql, cohort, forecast")
print(f"answered in {time.perf_counter() - started:.2f} s for {len(changed.requests()):,} requests")
changed

# %% [markdown]
# Where the new rules save, and where they raise the bill:

# %%
saving_chart(changed);

# %%
savings_table(changed, by="rule")

# %% [markdown]
# ## What moved
#
# Every request that the change sends elsewhere, those whose cost changes most first.

# %%
moved = moved_requests(first, changed)
print(f"{len(moved):,} requests moved; together they cost ${moved['change_usd'].sum():+.4f}")
moved.head(8)

# %% [markdown]
# ## The frontier of one threshold
#
# A lower threshold keeps more requests on the strong model and costs more. Cost is known; quality is not until answers
# are compared (notebook 04), so the height here is the share of requests that stay on the baseline's model.

# %%
kept = {}
for below in (0, 60, 120, 200, 300, 500, 1000):
    result = tried(short_below=below)
    stays = result.requests()["routed_model"].eq("openai/gpt-4o").mean()
    kept[f"short below {below}"] = (float(result.summary["compared"]["routed_usd"]), 100 * stays)
frontier_chart(kept, quality="requests that stay on openai/gpt-4o, %", own=kept);

# %% [markdown]
# ## With sliders
#
# Where Jupyter has widgets (`pip install ipywidgets`), the rules answer as you drag.

# %%
def show(short_below: int, analytics: str, code: str) -> None:
    """The saving, the chart and the requests that moved."""
    result = tried(short_below=short_below, analytics=analytics, code=code)
    display(result)
    saving_chart(result)
    display(moved_requests(first, result).head(5))


try:
    from ipywidgets import IntSlider, Text, interact
except ImportError:
    show(300, "revenue, churn, sql", "python, refactor")
else:
    interact(
        show,
        short_below=IntSlider(value=300, min=0, max=1000, step=20, continuous_update=False),
        analytics=Text(value="revenue, churn, sql", continuous_update=False),
        code=Text(value="python, refactor", continuous_update=False),
    );

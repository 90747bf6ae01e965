"""What a changed rule moves: the requests that go elsewhere, and what each costs then."""

from typing import TYPE_CHECKING

from problems import BackrouteError

if TYPE_CHECKING:
    import pandas as pd

    from simulator import ReplayResult


def moved_requests(before: "ReplayResult", after: "ReplayResult") -> "pd.DataFrame":
    """The requests that one rule set sends to another model or rule than the other, the largest change of cost first.

    Args:
        before, after: two results of replays of the same log, in the same or in different runs.

    Returns:
        One row per request that moved: `request_id`, `rule_before`, `rule`, `model_before`, `model`, `usd_before`,
        `usd` and `change_usd` (float64; NaN where a side is unknown).

    Raises:
        BackrouteError: the results are of different logs.
    """
    if before.run.facts.digest != after.run.facts.digest:
        raise BackrouteError("moved_requests", "the two results replay different logs", fix="replay both on one log")
    old, new = before.requests(), after.requests()
    moved = (old["routed_model"].fillna("") != new["routed_model"].fillna("")) | (
        old["rule"].fillna("") != new["rule"].fillna("")
    )
    table = new.loc[moved, ["request_id"]].copy()
    for side, rows in (("_before", old), ("", new)):
        table[f"rule{side}"], table[f"model{side}"] = rows.loc[moved, "rule"], rows.loc[moved, "routed_model"]
        table[f"usd{side}"] = rows.loc[moved, "routed_usd_pico"] / 1e12
    table["change_usd"] = table["usd"] - table["usd_before"]
    order = table["change_usd"].abs().sort_values(ascending=False, kind="stable").index
    columns = ["request_id", "rule_before", "rule", "model_before", "model", "usd_before", "usd", "change_usd"]
    return table.loc[order, columns].reset_index(drop=True)

"""The savings as a pandas table, for notebooks."""

from typing import TYPE_CHECKING, Any

from problems import BackrouteError, nearest
from reports.summary import Summarised, amount, summary_of

if TYPE_CHECKING:
    import pandas as pd

KEYS = {"rule": ("rule", "model", "requests"), "model": ("model", "routed_requests"), "day": ("day", "requests")}


def savings_table(result: Summarised, by: str = "rule") -> "pd.DataFrame":
    """What each rule, model or day cost and would have cost.

    Args:
        result: a replay result, a saving, or a summary.
        by: `rule`, `model` or `day`.

    Returns:
        One row per rule and model, model or day, in the summary's order: its name, its requests, `logged_usd` (not by
        rule), `baseline_usd`, `routed_usd`, and `saving_usd` and `saving_pct` (0-100) of routed against baseline,
        positive when routing is cheaper. Dollars are float64 for display and plotting, the saving subtracted exactly
        before; NaN where unknown. The exact decimals are in the summary.

    Raises:
        BackrouteError: `by` is something else, or `result` is no summary.
    """
    import pandas as pd

    summary = summary_of(result)
    if by not in KEYS:
        raise BackrouteError(
            "savings_table", f"unknown breakdown by={by!r}", fix=nearest(by, KEYS) or "Use by='rule', 'model' or 'day'"
        )
    arms = ("baseline", "routed") if by == "rule" else ("logged", "baseline", "routed")
    records = []
    for row in summary[f"by_{by}"]:
        spent = {f"{arm}_usd": amount(row[f"{arm}_usd"]) for arm in arms}
        before, after = spent["baseline_usd"], spent["routed_usd"]
        saved = None if before is None or after is None else before - after
        share = None if saved is None or not before else 100 * saved / before
        record: dict[str, Any] = {key: row[key] for key in KEYS[by]}
        for name, money in (spent | {"saving_usd": saved, "saving_pct": share}).items():
            record[name] = float("nan") if money is None else float(money)
        records.append(record)
    columns = [*KEYS[by], *(f"{arm}_usd" for arm in arms), "saving_usd", "saving_pct"]
    return pd.DataFrame(records, columns=columns)

"""The savings as a pandas table, for notebooks."""

from typing import TYPE_CHECKING, Any

from problems import BackrouteError, nearest
from reports.summary import Summarised, before_and_after, summary_of

if TYPE_CHECKING:
    import pandas as pd

MONEY = ("before_usd", "routed_usd", "saving_usd", "saving_pct")
KEYS = {"rule": ("rule", "model", "requests"), "model": ("model", "routed_requests"), "day": ("day", "requests")}


def savings_table(result: Summarised, by: str = "rule") -> "pd.DataFrame":
    """What each rule, model or day cost and would have cost, in the headline's own comparison.

    Args:
        result: a replay result, a saving, or a summary.
        by: `rule`, `model` or `day`.

    Returns:
        One row per rule and model, model or day, in the summary's order: its name, its requests, `before_usd` (with
        the baseline, or as logged where that is the headline), `routed_usd`, and `saving_usd` and `saving_pct` (0-100)
        of routed against before, positive when routing is cheaper. Dollars are float64 for display and plotting, the
        saving subtracted exactly before; NaN where unknown. The exact decimals are in the summary.

    Raises:
        BackrouteError: `by` is something else, or `result` is no summary.
    """
    import pandas as pd

    summary = summary_of(result)
    if by not in KEYS:
        raise BackrouteError(
            "savings_table", f"unknown breakdown by={by!r}", fix=nearest(by, KEYS) or "Use by='rule', 'model' or 'day'"
        )
    records = []
    for row in summary["compared"][f"by_{by}"]:
        before, after = before_and_after(row)
        saved = None if before is None or after is None else before - after
        share = None if saved is None or not before else 100 * saved / before
        record: dict[str, Any] = {key: row[key] for key in KEYS[by]}
        for name, money in zip(MONEY, (before, after, saved, share), strict=True):
            record[name] = float("nan") if money is None else float(money)
        records.append(record)
    return pd.DataFrame(records, columns=[*KEYS[by], *MONEY])

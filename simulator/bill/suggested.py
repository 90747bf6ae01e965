"""A price file that a log's own costs imply: for a contract that nobody has told the price book of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from simulator.bill.drift import Cause
from simulator.bill.reconcile import Reconciliation

SOURCE = "what the log records; check it against the contract"
FEWEST_ROWS_SHARE = 0.5  # of a model's sampled rows; a price of fewer is not the model's


def suggested_prices(found: Reconciliation, causes: Mapping[str, list[Cause]]) -> str | None:
    """A price file in YAML, to be given with `--prices`; None where the log implies none.

    Args:
        found: the sums, for names and the first day.
        causes: what `Reconciliation.causes` gave.
    """
    discounts: list[dict[str, Any]] = []
    models: dict[str, Any] = {}
    days = [day for day in found.days if day is not None]
    since = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=min(days))).date() if days else None
    dated = {"effective_from": since} if since else {}
    for name, held in causes.items():
        bill = found.models[name]
        canonical = bill.canonical or (name if "/" in name else f"{bill.provider or 'own'}/{name}")
        for cause in held:
            if cause.implied is None or cause.rows < FEWEST_ROWS_SHARE * cause.looked_at:
                continue
            if cause.implied.pct_off is not None:
                pct = float(cause.implied.pct_off)
                discounts.append({"model": canonical, "pct": pct} | dated | {"source": SOURCE})
            else:
                # Without a date where the model has no price at all: one that a contract changed keeps its past.
                since_then = dated if bill.canonical else {}
                rates = {f"{rate}_usd_per_mtok": float(usd) for rate, usd in cause.implied.rates.items()}
                models[canonical] = {"prices": [since_then | {"source": SOURCE} | rates]}
    if not discounts and not models:
        return None
    said = ({"discounts": discounts} if discounts else {}) | ({"models": models} if models else {})
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=78)

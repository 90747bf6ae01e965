"""Both arms as FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org), for cost tools.

Each arm is a cost and usage dataset of its own: the charges an invoice would hold, by day, rule, model and kind of
token. What a plain price times tokens does not give, service tiers and prices that step with the prompt's length, is a
row per day, rule and model, priced per request.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from problems import BackrouteError
from reports.exports import PICO
from reports.sheets import BUCKET_NAMES
from reports.summary import Summary, before_arm
from simulator.decisions import read_decisions

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# FOCUS 1.2, columns of feature level "mandatory", and those of other levels that these charges have something for.
MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
)  # fmt: skip
OTHERS = (
    "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice", "PricingCategory",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceId", "Tags", "x_Arm", "x_Requests", "x_Rule",
)  # fmt: skip
MILLION = "1000000 Tokens"
TOLERANCE_PICO = 6  # each of six buckets is rounded once


def write_focus(summary: Summary, folder: Path) -> tuple[list[Path], int]:
    """Write `focus-1.2/` into a replay's folder: the arm that the headline compares with, and the routed one.

    They hold the requests compared, so that each file adds up to the report's spend of its arm; a sampled log is not
    scaled up.

    Returns:
        The files written, and how many requests without a time are not in them: FOCUS has no charge without a period.

    Raises:
        BackrouteError: the folder has no decisions, or no request has a time.
    """
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    from reports.write import written_to

    rows, untimed = timed(compared_rows(summary, folder), folder)
    out, written = folder / "focus-1.2", []
    for arm, name in ((before_arm(summary), summary["compared"]["name"]), ("routed", summary["routed"]["name"])):
        charges = focus_charges(rows, summary, arm, name)
        with written_to(out):
            csv.write_csv(charges, out / f"{arm}.csv")
            pq.write_table(charges, out / f"{arm}.parquet", compression="zstd")
        written += [out / f"{arm}.csv", out / f"{arm}.parquet"]
    return written, untimed


def compared_rows(summary: Summary, folder: Path) -> "pd.DataFrame":
    """The requests that the headline compares, as `decisions.parquet` has them."""
    rows: pd.DataFrame = read_decisions(folder).to_pandas()
    usable = rows["routed_usd_pico"].notna() & rows["routed_feasible"]
    before = before_arm(summary)
    usable &= rows[f"{before}_usd_pico"].notna() & rows[f"{before}_feasible"]
    # What the log does not price is left out of every comparison, unless the log has no spend at all.
    if Decimal(summary["as_logged"]["usd"] or 0):
        usable &= rows["logged_usd_pico"].notna()
    return rows[usable]


def timed(rows: "pd.DataFrame", folder: Path) -> tuple["pd.DataFrame", int]:
    """The rows that have a time, with their `day`, and how many have none."""
    known = rows["arrived_at"].notna()
    if not known.any():
        raise BackrouteError(str(folder), "no request compared has a time, and a FOCUS charge needs its period")
    dated = rows[known].assign(day=rows.loc[known, "arrived_at"].dt.floor("D"))
    return dated, int((~known).sum())


def focus_charges(rows: "pd.DataFrame", summary: Summary, arm: str, name: str) -> "pa.Table":
    """The charges of one arm (`logged`, `baseline` or `routed`), a row for each day, rule, model and kind of token."""
    import pandas as pd
    import pyarrow as pa

    prices = plain_prices(summary)
    pico = pd.DataFrame(dict.fromkeys(BUCKET_NAMES, 0), index=rows.index, dtype="int64")
    for bucket in BUCKET_NAMES:
        rate = rows[f"{arm}_model"].map({model: rate for (model, held), rate in prices.items() if held == bucket})
        # Thousandths of a token times picodollars per token, whole numbers both; rounded half-even, as charged.
        milli = (rows[f"{arm}_{bucket}"].fillna(0) * 1000).round().astype("int64")
        pico[bucket] = divided(milli * rate.fillna(0).astype("int64"))
    total = rows[f"{arm}_usd_pico"].astype("int64")
    plain = (pico.sum(axis=1) - total).abs() <= TOLERANCE_PICO
    # Whatever the rounding of buckets leaves stays with the input, so that a file adds up to the last digit.
    pico["input_uncached"] += (total - pico.sum(axis=1)).where(plain, 0)
    keys = ["day", "rule", f"{arm}_model"]
    charges: list[dict[str, Any]] = []
    for key, group in rows[plain].groupby(keys, dropna=False):
        for bucket in BUCKET_NAMES:
            tokens = Decimal(f"{group[f'{arm}_{bucket}'].fillna(0).sum():.3f}")
            money = int(pico.loc[group.index, bucket].sum())
            if tokens or money:
                each = Decimal(prices.get((str(key[2]), bucket), 0))
                charges.append(charge(key, arm, name, len(group), money, bucket, tokens, each))
    for key, group in rows[~plain].groupby(keys, dropna=False):
        money, number = int(total[group.index].sum()), Decimal(len(group))
        charges.append(charge(key, arm, name, len(group), money, None, number, money / number))
    columns = {column: [each[column] for each in charges] for column in (*MANDATORY, *OTHERS)}
    return pa.table({column: pa.array(values, column_type(column)) for column, values in columns.items()})


def divided(milli_pico: "pd.Series[int]") -> "pd.Series[int]":
    """Thousandths to whole, rounded half-even."""
    whole, rest = milli_pico // 1000, milli_pico % 1000
    up = (rest > 500) | ((rest == 500) & (whole % 2 == 1))
    return whole + up.astype("int64")


def plain_prices(summary: Summary) -> dict[tuple[str, str], int]:
    """Picodollars per token by model and bucket, for prompts of common length."""
    return {(row["model"], row["bucket"]): int(Decimal(row["usd_per_mtok"]) * 10**6) for row in summary["prices"]}


def charge(
    key: Sequence[Any],
    arm: str,
    name: str,
    requests: int,
    pico: int,
    bucket: str | None,
    quantity: Decimal,
    rate: Decimal,
) -> dict[str, Any]:
    """One charge, in FOCUS' columns; `rate` in picodollars per token, or per request where there is no bucket."""
    import pandas as pd

    day = key[0]
    rule, model = (None if pd.isna(each) else str(each) for each in key[1:])
    provider, _, sku = (model or "unknown/unknown model").partition("/")
    cost = Decimal(pico).scaleb(-PICO)
    kind = BUCKET_NAMES[bucket] if bucket else "calls priced as a whole"
    month = day.replace(day=1)
    pack = 10**6 if bucket else 1  # tokens are priced by the million
    price = (rate * pack).scaleb(-PICO).quantize(Decimal(1).scaleb(-PICO))
    return {
        "BilledCost": cost,
        "BillingAccountId": f"simulated-{arm}",
        "BillingAccountName": f"Simulated: {name}",
        "BillingCurrency": "USD",
        "BillingPeriodStart": instant(month),
        "BillingPeriodEnd": instant(month + pd.offsets.MonthBegin(1)),
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{sku}: {kind}",
        "ChargePeriodStart": instant(day),
        "ChargePeriodEnd": instant(day + pd.Timedelta(days=1)),
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": provider,
        "ListCost": cost,
        "PricingQuantity": quantity / pack,
        "PricingUnit": MILLION if bucket else "Requests",
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{provider} API",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": "Tokens" if bucket else "Requests",
        "ContractedUnitPrice": price,
        "ListUnitPrice": price,
        "PricingCategory": "Standard",
        "ServiceSubcategory": "Generative AI",
        "SkuId": sku,
        "SkuMeter": kind,
        "SkuPriceId": f"{model}/{bucket or 'request'}",
        "Tags": json.dumps({"rule": rule, "arm": arm}, ensure_ascii=False),
        "x_Arm": arm,
        "x_Requests": requests,
        "x_Rule": rule,
    }


def instant(when: Any) -> str:
    """A time as FOCUS writes it."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def column_type(column: str) -> Any:
    """Decimal for money and quantities, int for requests, else text."""
    import pyarrow as pa

    if column.endswith(("Cost", "Quantity", "UnitPrice")):
        return pa.decimal128(38, PICO)
    return pa.int64() if column == "x_Requests" else pa.string()

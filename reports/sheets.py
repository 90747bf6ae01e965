"""The tables of the page: what stands behind each chart, and what the whole rests on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pricing.formatting import UNKNOWN, aligned, percent, usd
from reports.headline import heaviest
from reports.ledger import waterfall_caption, waterfall_rows
from reports.summary import (
    Summary,
    amount,
    as_compared,
    before_and_after,
    model_name,
    model_parts,
    rule_name,
    rule_parts,
    whole,
)

# A cell's type says how it reads: a Decimal is dollars, a float a percentage, an int a count, null unknown.
Cell = str | int | float | Decimal | None

BUCKET_NAMES = {
    "input_uncached": "input",
    "cache_read": "input read from cache",
    "cache_write_5m": "input written to cache for 5 minutes",
    "cache_write_1h": "input written to cache for 1 hour",
    "output_text": "output",
    "output_reasoning": "hidden reasoning",
}


BUCKET_COLUMNS = {
    "input_uncached": "Input",
    "cache_read": "Cache read",
    "cache_write_5m": "Cache write, 5 min",
    "cache_write_1h": "Cache write, 1 h",
    "output_text": "Output",
    "output_reasoning": "Hidden reasoning",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its caption, its columns, and rows whose first cell names them."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def said(cell: Cell) -> str:
    """A cell as its reader sees it."""
    if isinstance(cell, Decimal):
        return usd(cell)
    if isinstance(cell, float):
        return percent(cell)
    return UNKNOWN if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def arms(summary: Summary) -> tuple[str, str]:
    """The heads of the columns before and after."""
    return ("Baseline" if summary["headline"] == "baseline" else "As logged"), "With routing"


def spend_sheet(summary: Summary) -> Sheet:
    """Spend of each arm, and scaled to 30 days where the log says how long it is."""
    shown, spans = summary["compared"], summary["period"]
    logged = ("Spent, as logged", amount(summary["as_logged"]["usd"]))
    rows: list[Sequence[Cell]] = [(*logged, amount(spans["logged_usd_per_30d"]))]
    if summary["headline"] == "baseline":
        name = f"Baseline ({summary['baseline']['name']})"
        rows.append((name, amount(shown["before_usd"]), amount(shown["before_usd_per_30d"])))
    else:
        before = (f"As logged, {as_compared(summary)}", amount(shown["before_usd"]))
        rows.append((*before, amount(shown["before_usd_per_30d"])))
        name = f"Baseline, hypothetical ({summary['baseline']['name']})"
        rows.append((name, amount(summary["baseline"]["usd"]), amount(spans["baseline_usd_per_30d"])))
    name = f"With routing ({summary['routed']['name']})"
    rows.append((name, amount(shown["routed_usd"]), amount(shown["routed_usd_per_30d"])))
    return Sheet("Spend before and with routing", ("", "Spend", "Per 30 days"), in_columns(rows))


def rule_sheet(summary: Summary) -> Sheet:
    """Every rule and the model it chose, with the total."""
    found, everything = summary["compared"]["by_rule"], whole(summary)
    heads: list[Sequence[Cell]] = [
        (f"{rule_name(row)} → {model_name(row)}", row["requests"], row["requests_pct"]) for row in found
    ]
    money = [[*before_and_after(row), amount(row["saving_usd"])] for row in found]
    if found:
        heads.append(("Total", everything.requests, 100.0))
        money.append([everything.before, everything.after, everything.saving])
    columns = ("Rule and model", "Requests", "Share", *arms(summary), "Saving")
    return Sheet("Spend by rule and the model it chose", columns, beside(heads, money))


def beside(heads: Sequence[Sequence[Cell]], money: Sequence[Sequence[Decimal | None]]) -> list[Sequence[Cell]]:
    """Rows and their money, USD, a sum and its parts, in one number of decimals."""
    return [(*head, *row) for head, row in zip(heads, aligned(money), strict=True)]


def in_columns(rows: Sequence[Sequence[Cell]]) -> list[Sequence[Cell]]:
    """Rows whose columns of money, USD, have one number of decimals each."""
    columns: list[Sequence[Cell]] = []
    for column in zip(*rows, strict=True):
        if not any(isinstance(cell, Decimal) for cell in column):
            columns.append(column)
            continue
        placed = aligned([[cell if isinstance(cell, Decimal) else None] for cell in column])
        columns.append([cell if shown is None else shown for cell, (shown,) in zip(column, placed, strict=True)])
    return [*zip(*columns, strict=True)]


def saving_sheet(summary: Summary) -> Sheet:
    """What each rule saves, most first, and at the end those that raise the bill."""
    parts = sorted(rule_parts(summary), key=lambda part: -(part.saving or 0))
    rows = in_columns([(part.label, part.requests, part.saving) for part in parts])
    return Sheet("Saving by rule, below 0 where it raises the bill", ("Rule and model", "Requests", "Saving"), rows)


def model_sheet(summary: Summary) -> Sheet:
    """Every model, before and after."""
    parts = model_parts(summary)
    rows = in_columns(
        [(part.label, part.requests, part.before, part.after) for part in ([*parts, whole(summary)] if parts else [])]
    )
    return Sheet("Spend by model", ("Model", "Requests with routing", *arms(summary)), rows)


def waterfall_sheet(summary: Summary) -> Sheet:
    """The steps of the waterfall and their sum."""
    return Sheet(waterfall_caption(summary), ("Step", "Saves"), waterfall_rows(summary))


def day_sheet(summary: Summary) -> Sheet:
    """Every day."""
    found = summary["compared"]["by_day"]
    heads = [(row["day"] or "(no time)", row["requests"]) for row in found]
    rows = beside(heads, [[*before_and_after(row), amount(row["saving_usd"])] for row in found])
    return Sheet("Spend a day, UTC", ("Day", "Requests", *arms(summary), "Saving"), rows)


def dearer_sheet(summary: Summary) -> Sheet:
    """The requests that routing made dearer by most."""
    before, after = arms(summary)
    found = summary["compared"]["dearer"]["costliest"]
    heads = [
        (
            row["request_id"],
            row["rule"] or "(no rule)",
            row["before_model"] or "(unknown model)",
            row["routed_model"] or "(unknown model)",
        )
        for row in found
    ]
    money = aligned([[amount(row[f"{name}_usd"]) for name in ("routed", "before", "extra")] for row in found])
    rows = [(*head, spent, routed, extra) for head, (routed, spent, extra) in zip(heads, money, strict=True)]
    columns = ("Request", "Caught by", f"Model, {before.lower()}", "Model routed to", before, after, "Dearer by")
    return Sheet("Requests that routing made dearer by most", columns, rows)


def sensitivity_sheet(summary: Summary) -> Sheet:
    """The interval of the saving under each source of doubt alone."""
    rows = [(row["source"], row["low_pct"], row["high_pct"]) for row in summary["compared"]["sensitivity"]]
    return Sheet("Saving when one source of doubt acts alone", ("Source", "From", "To"), rows)


def assumption_sheet(summary: Summary) -> Sheet:
    """Every assumption, most money first."""
    rows = [(row["name"], row["value"], row["source"], row["saving_resting_on_it_pct"]) for row in heaviest(summary)]
    return Sheet("What the saving rests on", ("Assumption", "Value", "Where it is from", "Saving resting on it"), rows)


def slice_sheet(summary: Summary) -> Sheet:
    """What live pairs of answers showed in each slice of the traffic, differences in points of 100."""
    columns = ("Slice", "Verdict", "Requests", "Pairs", "Worse", "Better", "Difference", "From", "To", "Saving")
    slices = summary["quality"]["slices"]
    keys = ("worse_pct", "better_pct", "difference_pct", "low_pct", "high_pct")
    rows = [
        (
            name, found["verdict"], found["requests"], found["pairs"], *(found[key] for key in keys),
            amount(found["saving_usd"]),
        )
        for name, found in zip(slice_names(slices), slices, strict=True)
    ]  # fmt: skip
    return Sheet("Answers compared, by slice of the traffic", columns, in_columns(rows))


def slice_names(slices: Sequence[Summary]) -> list[str]:
    """Slices of the traffic, each with the model it was moved to."""
    return told_apart([f"{each['slice']} → {each['model']}" for each in slices], slices)


def told_apart(names: list[str], slices: Sequence[Summary]) -> list[str]:
    """Names of slices; where several are equal, with the model that each was moved from."""
    many = Counter(names)
    return [
        f"{name}, from {each['against'] or '(unknown model)'}" if many[name] > 1 else name
        for name, each in zip(names, slices, strict=True)
    ]


def expected_sheet(summary: Summary) -> Sheet:
    """What quality is expected offline in each slice of the traffic; differences in points of 100."""

    slices = summary["quality"]["predicted"]["slices"]

    def points(share: float | None) -> float | None:
        return None if share is None else 100 * share

    rows = [
        (
            name, keeps_words(each["keeps"]), each["basis"], each["requests"],
            *(points(each[key]) for key in ("baseline_quality", "routed_quality", "difference", "low", "high")),
            amount(each["saving_usd"]),
        )
        for name, each in zip(expected_names(slices), slices, strict=True)
    ]  # fmt: skip
    columns = ("Slice", "Expected", "Known from", "Requests", "Before", "Routed", "Difference", "From", "To", "Saving")
    return Sheet("Quality expected, by slice of the traffic", columns, in_columns(rows))


def expected_names(slices: Sequence[Summary]) -> list[str]:
    """Of each slice its rule, the model it chose and the task."""
    tasks = [f", {each['task']}" if each["task"] else "" for each in slices]
    names = [f"{rule_name(each)} → {model_name(each)}{task}" for each, task in zip(slices, tasks, strict=True)]
    return told_apart(names, slices)


def keeps_words(keeps: bool | None) -> str:
    """A verdict that was not verified."""
    return "unknown" if keeps is None else "as good" if keeps else "worse"


def price_sheet(summary: Summary) -> Sheet:
    """The prices used: a row for each model, and for each length of prompt from which others hold."""
    listed: dict[tuple[str, str, str], dict[str, Cell]] = {}
    for row in summary["prices"]:
        bucket, above, tier = row["bucket"].partition(" above ")
        key = (f"{row['model']}{above}{tier}", row["effective_from"] or UNKNOWN, row["source"])
        listed.setdefault(key, {})[bucket] = amount(row["usd_per_mtok"])
    rows = [
        (model, *(held.get(bucket) for bucket in BUCKET_COLUMNS), since, source)
        for (model, since, source), held in listed.items()
    ]
    columns = ("Model", *BUCKET_COLUMNS.values(), "In force from", "Source")
    return Sheet(f"Prices as of {summary['manifest']['prices_as_of']}", columns, rows)


def manifest_sheet(summary: Summary) -> Sheet:
    """What to hold fixed to get this page again."""
    manifest = summary["manifest"]
    rows = [("random seed", str(manifest["seed"])), ("prices as of", manifest["prices_as_of"])]
    rows += [(f"version of {name}", version) for name, version in manifest["versions"].items()]
    rows += [(f"digest of {name}", digest) for name, digest in manifest["digests"].items()]
    return Sheet("Inputs and versions", ("", "Value"), rows)


def alternative(sheet: Sheet, most: int = 9) -> str:
    """A chart in words, for those who cannot see it: its caption and its first rows."""
    rows = [
        f"{row[0]}: " + ", ".join(f"{name} {said(cell)}" for name, cell in zip(sheet.columns[1:], row[1:], strict=True))
        for row in sheet.rows[:most]
    ]
    more = ["the other rows are in the table below"] if len(sheet.rows) > most else []
    return "; ".join([f"Chart. {sheet.caption}", *rows, *more]) + "."

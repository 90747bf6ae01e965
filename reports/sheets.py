"""The tables of the page: what stands behind each chart, and what the whole rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from reports.ledger import waterfall_caption, waterfall_rows
from reports.summary import Part, Summary, amount, before_arm, caught, model_parts, rule_parts, total
from reports.words import UNKNOWN, counted, percent, usd

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


def arms(summary: Summary) -> dict[str, str]:
    """The arms by name, the baseline marked where it is hypothetical."""
    hypothetical = ", hypothetical" if summary["headline"] == "as_logged" else ""
    return {"logged": "As logged", "baseline": f"Baseline{hypothetical}", "routed": "With routing"}


def spend_sheet(summary: Summary) -> Sheet:
    """Spend of each arm, and scaled to 30 days where the log says how long it is."""
    names, spans = arms(summary), summary["period"]
    rows: list[Sequence[Cell]] = [(names["logged"], amount(summary["as_logged"]["usd"]), "")]
    for arm in ("baseline", "routed"):
        name = f"{names[arm]} ({summary[arm]['name']})"
        rows.append((name, amount(summary[arm]["usd"]), amount(spans[f"{arm}_usd_per_30d"])))
    return Sheet("Spend, as logged, with the baseline and with routing", ("", "Spend", "Per 30 days"), rows)


def rule_sheet(summary: Summary) -> Sheet:
    """Every rule and the model it chose, with the total."""
    names, parts = arms(summary), rule_parts(summary)
    columns = ("Rule and model", "Requests", names["baseline"], names["routed"], "Saving")
    return Sheet("Spend by rule and model", columns, with_total(parts))


def model_sheet(summary: Summary) -> Sheet:
    """Every model, before and after."""
    names, parts = arms(summary), model_parts(summary)
    columns = ("Model", "Requests with routing", names[before_arm(summary)], names["routed"], "Saving")
    return Sheet("Spend by model", columns, with_total(parts))


def with_total(parts: Sequence[Part]) -> list[Sequence[Cell]]:
    """The parts as rows, and what they add up to."""
    added = Part("Total", sum(p.requests for p in parts), total(p.before for p in parts), total(p.after for p in parts))
    return [(p.label, p.requests, p.before, p.after, p.saving) for p in [*parts, added]] if parts else []


def waterfall_sheet(summary: Summary) -> Sheet:
    """The steps of the waterfall and their sum."""
    return Sheet(waterfall_caption(summary), ("Step", "Saves"), waterfall_rows(summary))


def day_sheet(summary: Summary) -> Sheet:
    """Every day."""
    names = arms(summary)
    rows = [
        (row["day"] or "(no time)", row["requests"], *(amount(row[f"{arm}_usd"]) for arm in names))
        for row in summary["by_day"]
    ]
    return Sheet("Spend a day, UTC", ("Day", "Requests", *names.values()), rows)


def caught_sheet(summary: Summary) -> Sheet:
    """Requests by rule, and their share."""
    rules = caught(summary)
    requests = sum(number for _, number in rules)
    rows = [(rule, number, 100 * number / requests if requests else None) for rule, number in rules]
    return Sheet("Requests caught by each rule", ("Rule", "Requests", "Share"), rows)


def sensitivity_sheet(summary: Summary) -> Sheet:
    """The interval of the saving under each source of doubt alone."""
    rows = [(row["source"], row["low_pct"], row["high_pct"]) for row in summary["sensitivity"]]
    return Sheet(
        "Saving, % of the baseline's spend, when one source of doubt acts alone", ("Source", "From", "To"), rows
    )


def assumption_sheet(summary: Summary) -> Sheet:
    """Every assumption, most money first."""
    rows = [
        (row["name"], row["value"], row["source"], row["saving_resting_on_it_pct"]) for row in summary["assumptions"]
    ]
    return Sheet("What the saving rests on", ("Assumption", "Value", "Where it is from", "Saving resting on it"), rows)


def slice_sheet(summary: Summary) -> Sheet:
    """What the quality check found in each slice of the traffic, in the words of the check."""
    slices = summary["quality"]["slices"]
    columns = list(dict.fromkeys(key for found in slices for key in found))
    rows = [["" if found.get(key) is None else str(found[key]) for key in columns] for found in slices]
    return Sheet("Answers compared, by slice of the traffic", [name.replace("_", " ") for name in columns], rows)


def price_sheet(summary: Summary) -> Sheet:
    """The prices used, a row for each model, date and source."""
    listed: dict[tuple[str, str, str], list[str]] = {}
    for row in summary["prices"]:
        key = (row["model"], row["effective_from"] or UNKNOWN, row["source"])
        bucket = BUCKET_NAMES.get(row["bucket"], row["bucket"])
        listed.setdefault(key, []).append(f"{bucket} {usd(amount(row['usd_per_mtok']))}")
    rows = [(model, ", ".join(each), since, source) for (model, since, source), each in listed.items()]
    columns = ("Model", "US dollars per million tokens", "In force from", "Source")
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
    more = [f"{counted(len(sheet.rows) - most, 'more row')} in the table below"] if len(sheet.rows) > most else []
    return "; ".join([f"Chart. {sheet.caption}", *rows, *more]) + "."

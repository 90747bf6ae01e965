"""The lines under the headline that the terminal and the page share: the waterfall, and what was left out and why."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from pricing.formatting import UNKNOWN, adding_up, aligned, percent, row_adds_up, usd
from reports.summary import Summary, amount, before_words, headline_savings, rule_parts, whole
from reports.words import counted

MOST_MODELS = 9  # without a price, by name
# The steps from the spend before to the routed one, in the order of CONTRACTS: waterfall.
STEPS = (
    ("token_usd", "Longer or shorter answers and prompts"),
    ("price_usd", "Other prices per token"),
    ("cache_usd", "Prompt caching and service tiers"),
    ("overhead_usd", "Cost of routing itself"),
    ("retry_usd", "Retries and fallbacks"),
)


def waterfall_rows(summary: Summary) -> list[tuple[str, Decimal | None]]:
    """Each step of the waterfall and what it saves, USD, and last the saving."""
    steps = [amount(summary["compared"]["waterfall"][key]) for key, _ in STEPS]
    together, *steps = adding_up(amount(headline_savings(summary)["usd"]), *steps)
    return [*((name, money) for (_, name), money in zip(STEPS, steps, strict=True)), ("Together", together)]


def waterfall_caption(summary: Summary) -> str:
    """What the waterfall explains."""
    return f"Why routing costs otherwise than {before_words(summary)}"


def rounding_note(summary: Summary) -> str:
    """`rounding_said` of the rules: their rows, and the columns with the total."""
    parts = [whole(summary), *rule_parts(summary)]
    rows = aligned([[part.before, part.after, part.saving] for part in parts])
    return rounding_said([*rows, *map(list, zip(*rows, strict=True))])


def rounding_said(sums: Iterable[Sequence[Decimal | None]]) -> str:
    """Said where totals and their parts, each rounded by itself, do not add up as they are shown; else empty."""
    if all(map(row_adds_up, sums)):
        return ""
    return "Figures are rounded one by one, so a sum may be off its total in the last digit."


def notes(summary: Summary) -> list[tuple[str, str]]:
    """What a careful reader asks: what was left out, what is counted and by whom, and does the log's own cost agree."""
    log, covered = summary["log"], summary["coverage"]
    kinds = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in log["set_aside"].items())
    aside = f"{counted(log['problems'], 'row')}: {kinds}{listed(log['problems'])}" if log["problems"] else "no row"
    said = [("Set aside", aside)]
    if covered["infeasible"]:
        said.append(("Not servable", f"{counted(covered['infeasible'], 'request')} the chosen model cannot serve"))
    for arm, alone in (("baseline", "with the baseline"), ("routed", "with routing")):
        if number := covered[f"{arm}_only"]:
            said.append(("Left out", f"{counted(number, 'request')} that can be priced and served only {alone}"))
    unknown = [row for row in summary["by_model"] if row["logged_usd"] is None]
    for row in sorted(unknown, key=lambda row: -row["logged_requests"])[:MOST_MODELS]:
        said.append(("Unknown price", f"{counted(row['logged_requests'], 'request')} on {row['model']}, as logged"))
    if summary["as_logged"]["usd"] is None and log["rows"]:
        said.append(("Priced", "no request has a price as logged, so that the log's own spend is unknown"))
    else:
        said.append(("Priced", share(covered["priced_pct"], "have a price in every arm")))
    said.append(("Counted", share(covered["counted_pct"], "have known token counts in every arm")))
    said.append(("Counted by", provenance(summary)))
    if "unnamed" in summary:
        said.append(("No model named", unnamed(summary["unnamed"])))
    said.append(("Recorded cost", drift(summary)))
    return [*said, *(("Counts in doubt", doubt(each)) for each in log.get("doubts", ()))]


def doubt(found: Summary) -> str:
    """Counts of the log that cannot be true."""
    return f"{found['side']} of {found['model']}: {found['words']} ({found['extent']})"


def share(pct: float | None, what: str) -> str:
    """How many of the requests something holds for."""
    return UNKNOWN if pct is None else f"{percent(pct)} of requests {what}"


def listed(problems: int) -> str:
    """Where set-aside rows are to be found."""
    return " (listed in problems.jsonl)" if problems else ""


def provenance(summary: Summary) -> str:
    """Whose token counts the routed spend rests on."""
    parts = summary["provenance"]
    kinds = (("provider", "the provider"), ("tokenizer", "a tokenizer"), ("estimated", "an estimate"))
    known = [f"{name} {percent(parts[f'{kind}_pct'])}" for kind, name in kinds if parts[f"{kind}_pct"] is not None]
    return f"{', '.join(known)} of the routed spend" if known else UNKNOWN


def unnamed(found: Summary) -> str:
    """Why the tokens of calls that name no model are not those as logged, and by how much."""

    def against_logged(arm: str, side: str) -> str:
        own, other = (found[name][f"{side}_tokens"] for name in ("logged", arm))
        if own == other or not own:
            return f"as many {side} tokens"
        return f"{percent(100 * abs(other - own) / own)} {'more' if other > own else 'fewer'} {side} tokens"

    arms = [
        f"{against_logged(arm, 'input')} and {against_logged(arm, 'output')} {words}"
        for arm, words in (("baseline", "with the baseline"), ("routed", "with routing"))
    ]
    return (
        f"{counted(found['requests'], 'request')}, so whose tokens the log counts is not known: input is taken as "
        "counted by openai/gpt-4o's tokenizer, the commonest, and answers are predicted as from any model. Against the "
        f"counts as logged that makes {', '.join(arms)}; --output-tokens as_logged keeps its answers"
    )


def drift(summary: Summary) -> str:
    """Whether the prices used reproduce what the log itself says was paid."""
    recorded, away = amount(summary["as_logged"]["recorded_usd"]), summary["as_logged"]["drift_pct"]
    if recorded is None:
        return "the log records none, so there is nothing to check the prices against"
    if away is None:
        return f"the log records {usd(recorded)}; it could not be checked"
    if away == 0:
        return f"the log records {usd(recorded)}; recomputed from prices, the same"
    way = "more" if away > 0 else "less"
    return f"the log records {usd(recorded)}; recomputed from prices, {percent(abs(away))} {way}"

"""The answer in a dozen lines: what was spent, what it would have been, how sure that is and what it rests on."""

from dataclasses import dataclass
from decimal import Decimal

from pricing.formatting import UNKNOWN, adding_up, percent, usd
from reports.summary import (
    Part,
    Summary,
    amount,
    as_compared,
    broken_files,
    headline_savings,
    negligible,
    raising,
    unread_pct,
)
from reports.words import between, chance, change, counted

RESTS_ON = 3
UNREAD_PCT = 1.0  # of the rows: fewer are told below
DOUBTED_PCT = 1.0  # of the spend: less is told below
NAMED = 3  # rules that raise the bill, by name


@dataclass(frozen=True, slots=True)
class Figure:
    """One sum of money with its name, exact in USD, and a line that qualifies it (empty if none is needed)."""

    label: str
    money: Decimal | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """The first screen of every report, each line a sentence or part of one.

    `figures` go from what was spent to what it would have been; `saving` is the last of them. `missing` is empty where
    all of the log could be read, `doubted` where no spend to speak of rests on counts that cannot be true; `raises`
    names the rules that raise the bill, and is empty where none does; `expected` where a summary predicts no quality.
    `hypothetical` is empty unless the baseline is a model that carried less than 95% of the logged spend (CONTRACTS:
    which saving is the headline). `caches` is empty unless caches were simulated or could change the saving;
    `caches_known` where they were.
    """

    verdict: str
    figures: tuple[Figure, ...]
    saving: Figure
    interval: str
    chance: str
    level: str
    includes: tuple[str, ...]
    coverage: str
    missing: str
    doubted: str
    quality: str
    quality_checked: bool
    expected: str
    raises: str
    rests_on: tuple[str, ...]
    hypothetical: str
    beside: str
    caches: str
    caches_known: bool


def headline(summary: Summary) -> Headline:
    """Put the answer of a summary into words."""
    logged, hypothetical = amount(summary["as_logged"]["usd"]), summary["headline"] == "as_logged"
    baseline, routed = amount(summary["baseline"]["usd"]), amount(summary["compared"]["routed_usd"])
    savings = headline_savings(summary)
    saved = amount(savings["usd"])
    before = amount(summary["compared"]["before_usd"])
    # The larger of the two arms is the other and what is between them.
    if saved is not None and saved < 0:
        routed, before, money = adding_up(routed, before, -saved)
    else:
        before, routed, money = adding_up(before, routed, saved)
    if before == logged:
        logged = before
    if before == baseline:
        baseline = before
    notes = []
    if logged is not None and (unpriced := summary["as_logged"]["unpriced"]):
        notes.append(f"and {counted(unpriced, 'request')} without a price")
    recorded = amount(summary["as_logged"]["recorded_usd"])
    if logged is not None and recorded is not None and abs(recorded - logged) * 200 > logged:
        notes.append(f"priced as of {summary['manifest']['prices_as_of']}; the log records {usd(recorded)}")
    if hypothetical and before is not None and logged is not None and usd(before) != usd(logged):
        part = "" if "cache" in summary else "of it "
        notes.append(f"{usd(before)} {part}{as_compared(summary)}")
    figures = [Figure("Spent, as logged", logged, "; ".join(notes))]
    if not hypothetical and baseline != logged:
        figures.append(Figure(f"Baseline ({summary['baseline']['name']})", baseline))
    figures.append(Figure(f"With routing ({summary['routed']['name']})", routed))
    loss = saved is not None and saved < 0
    return Headline(
        verdict=verdict(saved, savings),
        figures=tuple(figures),
        saving=Figure("Extra cost" if loss else "Saving", money, "" if saved is None else change(savings["pct"])),
        interval=interval(savings),
        chance=chance(savings["probability_positive"]),
        level=f"{savings['level'] * 100:g}%",
        includes=tuple(savings["interval_includes"]),
        coverage=coverage(summary),
        missing=missing(summary),
        doubted=doubted(summary),
        quality=quality(summary),
        quality_checked=summary["quality"]["checked"],
        expected=expected(summary),
        raises=raises(summary),
        rests_on=tuple(assumption(summary, row) for row in heaviest(summary)[:RESTS_ON]),
        hypothetical=against_baseline(summary) if hypothetical else "",
        beside="" if hypothetical or logged in (None, baseline) else against_logged(summary),
        caches=caches(summary),
        caches_known="cache" in summary,
    )


def verdict(saved: Decimal | None, savings: Summary) -> str:
    """The one sentence to remember; it says "might" where the interval holds savings and losses alike."""
    if saved is None:
        return "What routing would have saved is unknown"
    if saved == 0:
        return "Routing would have changed nothing"
    size = usd(abs(saved)) if savings["pct"] is None else percent(abs(savings["pct"]))
    sure = "might" if unsure(savings) else "would"
    return f"Routing {sure} have saved {size}" if saved > 0 else f"Routing {sure} have cost {size} more"


def unsure(savings: Summary) -> bool:
    """Whether the interval holds savings and losses alike."""
    low, high = savings["low_pct"], savings["high_pct"]
    return low is not None and high is not None and low < 0 < high


def interval(savings: Summary) -> str:
    """The range the saving lies in, as changes of the bill."""
    said = between(savings["low_pct"], savings["high_pct"])
    if said == UNKNOWN:
        return "no interval could be computed"
    level = f"{savings['level'] * 100:g}% interval: {said}"
    if not unsure(savings):
        return level
    return f"{level}, so it may be no {'extra cost' if (savings['pct'] or 0) < 0 else 'saving'} at all"


def coverage(summary: Summary) -> str:
    """How much of the log the comparison covers."""
    log, covered = summary["log"], summary["coverage"]
    if not log["rows"]:
        return "no requests were replayed"
    said = f"{percent(covered['requests_pct'])} of {counted(log['rows'], 'request')}"
    known = "known logged spend" if summary["as_logged"]["unpriced"] else "logged spend"
    if summary["as_logged"]["usd"] is not None:
        said += f", {percent(covered['logged_usd_pct'])} of the {known}"
    return said if log["sample_rate"] == 1 else f"{said}; scaled up from a {percent(100 * log['sample_rate'])} sample"


def missing(summary: Summary) -> str:
    """What of the log is in none of the figures because it could not be read, where that is more than a trifle."""
    broken, unread = broken_files(summary), summary["log"]["unread"]
    said = []
    if broken:
        files = "a file of the log breaks off" if broken == 1 else f"{broken:,} files of the log break off"
        said.append(f"{files}, and what follows there is in none of these figures")
    if unread_pct(summary) > UNREAD_PCT:
        said.append(f"{counted(unread, 'row')} of the log could not be read")
    return "; ".join(said)


def doubted(summary: Summary) -> str:
    """How much of the spend rests on token counts that nobody counted, and what to do; empty where hardly any does."""
    pct = summary["log"].get("doubted_usd_pct")
    if pct is None or pct < DOUBTED_PCT:
        return ""
    return (
        f"{percent(pct)} of the spend as logged rests on token counts that cannot be true, as listed below, and the "
        "saving with it; replay with --recount to count the texts instead"
    )


def quality(summary: Summary) -> str:
    """Whether anybody looked at the answers."""
    checked = summary["quality"]
    if not checked["checked"]:
        return "not checked: whether the answers would have been as good is not known"
    verified = amount(checked["verified_savings_usd"])
    said = f"checked on {counted(len(checked['slices']), 'slice')} of the traffic"
    if verified is None:
        return said
    worth = f"a saving of {usd(verified)}" if verified >= 0 else f"an extra cost of {usd(-verified)}"
    return f"{said}; {worth} is verified"


def expected(summary: Summary) -> str:
    """On how much of the saving the answers are expected to be as good, though nobody was asked; never verified."""
    predicted = summary["quality"].get("predicted")
    if predicted is None:
        return ""
    said = []
    for name, words in (("keeps", "as good"), ("loses", "worse"), ("unknown", "unknown")):
        money = amount(predicted["saving_usd"][name])
        if money is not None and not negligible(summary, money):
            said.append(f"{words} where routing {'saves' if money > 0 else 'adds'} {usd(abs(money))}")
    if all(each.startswith("unknown") for each in said):  # as the line on quality says already
        return ""
    told = any(part["basis"].endswith(("log", "outcomes")) for part in predicted["slices"])
    return f"{'; '.join(said)} ({'scores and public outcomes' if told else 'no scores or public outcomes tell'})"


def raises(summary: Summary) -> str:
    """The rules that raise the bill, the worst first, by how much, and why where that is the prompt cache."""
    rules = raising(summary)
    said = [
        f"{part.label} adds {usd(abs(part.saving or Decimal(0)))} on {counted(part.requests, 'request')}{lost(part)}"
        for part in rules[:NAMED]
    ]
    more = ["and others by less"] if len(rules) > NAMED else []
    return "; ".join([*said, *more])


def lost(part: Part) -> str:
    """How much of what a rule adds is prompt cache lost; empty where that is less than half of it, or not known."""
    held, extra = part.cached, -(part.saving or Decimal(0))
    if held is None or 2 * held.lost < extra:
        return ""
    worth = usd(held.lost)
    if held.routed_pct >= held.before_pct:
        return f", as prompt caches save it {worth} less"
    why = (
        "prompt cache lost where conversations switch models: "
        f"{percent(held.routed_pct)} of the input is read from it, {percent(held.before_pct)} before"
    )
    if worth == usd(extra):
        return f", all of it {why}"
    return f", {worth} of it {why}" if held.lost < extra else f", less than the {worth} of {why}"


def heaviest(summary: Summary) -> list[Summary]:
    """The assumptions, the one that most of the saving rests on first."""
    return sorted(summary["assumptions"], key=lambda row: -(row["saving_resting_on_it_pct"] or 0))


def assumption(summary: Summary, row: Summary) -> str:
    """One assumption, where it is from, and how much rests on it."""
    share = row["saving_resting_on_it_pct"]
    return f"{row['name']}: {row['value']}; source: {row['source']}" + (
        "" if share is None else f" ({_resting(summary, share)})"
    )


def _resting(summary: Summary, share: float) -> str:
    saved = amount(headline_savings(summary)["usd"])
    what = "saving" if saved is None or saved >= 0 else "extra cost"
    return f"{percent(share)} of the {what} rests on it"


def against_baseline(summary: Summary) -> str:
    """The comparison that is not the headline, since no invoice will show it."""
    baseline, savings = summary["baseline"], summary["savings"]
    return (
        f"Hypothetical: with {baseline['name']} for everything the bill would have been "
        f"{usd(amount(baseline['usd']))}; against that, routing would have cost {change(savings['pct'])}. "
        "Less than 95% of the spend was on that model, so no invoice will show this difference."
    )


def against_logged(summary: Summary) -> str:
    """What routing saves against the bill as it was, where that is not the headline's baseline."""
    savings = summary["savings_vs_as_logged"]
    return (
        f"Against the spend as logged: {change(savings['pct'])} ({between(savings['low_pct'], savings['high_pct'])})."
    )


def caches(summary: Summary) -> str:
    """Whether prompt caches were simulated, why, and what rests on it; empty where the log shows none."""
    if "cache" in summary:
        return _simulated(summary)
    left = summary.get("caches_left_out")
    if left is None:
        return ""
    off = {word: amount(left[f"{word}_usd"]) for word in ("overstated", "understated")}
    said = [f"{word} by up to {usd(money)}" for word, money in off.items() if money and not negligible(summary, money)]
    if not said:
        return ""
    return (
        f"not simulated ({left['why']}): what stays on its model keeps its cached input, what moves has none. "
        f"The saving may be {' or '.join(said)}"
    )


def _simulated(summary: Summary) -> str:
    """What the simulation began from, and at which hit rates."""
    cache = summary["cache"]
    assumed = cache.get("assumed_hit_rates", {})
    known = {row["provider"]: row["hit_rate"] for row in cache["calibration"] if row["provider"] not in assumed}
    rates = [f"{name} {rate:.0%}" for name, rate in known.items()]
    words = [f"hit rates from the log, of input still cached: {', '.join(rates)}"] if rates else []
    if assumed:
        first = "assumed" if rates else "hit rates assumed, of input still cached"
        words.append(f"{first}: {', '.join(f'{name} {rate:.0%}' for name, rate in assumed.items())}")
    rows = [row for row in summary["assumptions"] if row["name"].startswith("prompt caches")]
    rests = [row["saving_resting_on_it_pct"] for row in rows]
    words += [_resting(summary, share) for share in rests if share is not None]
    why = ""
    if not cache.get("asked", True):
        why = f", as {percent(summary['log']['cached_input_pct'])} of the log's input went through them"
    return "; ".join([f"simulated in every arm{why}", *words])

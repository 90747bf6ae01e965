"""`backroute audit`: can any traffic at all produce this claimed saving?"""

import csv
import json
import sys
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pricing import PriceBook
from simulator.audit import AuditResult, Explanation, Extent, Volume, audit, list_prices
from simulator.claim import CASE, Claim, ModelPrices, load_claim

WIDTH = 80


@click.command("audit", epilog="Example: backroute audit --case")
@click.argument("claim", type=click.Path(path_type=Path), required=False)
@click.option("--case", "bundled", is_flag=True, help="Audit the bundled claim: the published 60/25/15 case.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.pass_context
def command(context: click.Context, claim: Path | None, bundled: bool, form: str) -> None:
    """Say whether any traffic at all can produce a claimed saving.

    CLAIM is a YAML file with the claimed spend before, and after for each routed slice. A linear program looks for
    token volumes that cost just that. When there are none, the answer says what the routed lines must have cost
    before, and what would have to be true for the claim to hold.

    \b
    Example of a claim:
      name: June, support traffic
      source: https://example.com/how-we-saved
      baseline: {model: openai/gpt-4o, usd: 450}
      routed:
        - {slice: simple, model: openai/gpt-4o-mini, usd: 20}
        - {slice: code, model: anthropic/claude-sonnet-4-5, usd: 80}
      claimed_saving_pct: 78       # may be left out, as may all below
      tolerance_pct: 1             # of each figure; otherwise half a dollar
      token_ratio: {output: [0.8, 1.3]}   # routed tokens over tokens before
      prices: list                 # or {model: {input: 2, output: 8}}, in
                                   # USD per million tokens
    A slice may also have share_pct, from_model and its own token_ratio.

    \b
    Run it:
      backroute audit claim.yaml
      backroute audit --case --format json

    Exit code: 0 the claim is possible, 1 it is not, 2 the claim cannot be read.
    """
    if (claim is None) != bundled:
        raise click.UsageError("give a claim's YAML file, or --case for the bundled one, and not both")
    read = load_claim(claim or CASE)
    result = audit(read, list_prices(PriceBook.load(), read))
    if form == "json":
        click.echo(json.dumps(as_dict(result), indent=2))
    elif form == "csv":
        write_csv(result)
    else:
        show(result, Console(width=WIDTH, highlight=False))
    context.exit(0 if result.possible else 1)


def show(result: AuditResult, console: Console) -> None:
    """Print the verdict, the figures it rests on and what would have to be true, for a reader at a terminal."""
    claim = result.claim
    console.print(claim.name, style="bold", markup=False)
    console.print(f"Source: {claim.source}\n", markup=False)
    at = "at list prices" if not claim.own_prices else "at these prices"
    if result.possible:
        console.print(f"[bold green]Possible[/]: some token volumes {at} produce these figures.\n")
    else:
        console.print(f"[bold red]Impossible[/]: no token volumes {at} produce these figures.\n")
    console.print(_slice_table(result))
    for sentence in [*_reasons(result), _assumptions(claim)]:
        console.print(f"\n{sentence}", markup=False)
    if result.volumes:
        console.print("\nFor example, these tokens (in millions) would do it:")
        for volume in result.volumes:
            console.print(f"- {volume.line.slice}: {_arithmetic(result, volume)}", markup=False)
        console.print("\nThat the claim is possible does not mean that it is true: replay the log to know.")
    elif result.explanations:
        console.print("\nAny one of these would make it possible, all else as claimed:")
        for explanation in result.explanations:
            console.print(f"- {_words(claim, explanation)}", markup=False)
    else:
        console.print(
            "\nNo single other price, token count, cached share or figure among those tried would make it possible."
        )
    console.print()
    console.print(_price_table(result))


def _slice_table(result: AuditResult) -> Table:
    claim = result.claim
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.add_column("slice")
    table.add_column("routed to", overflow="fold")
    table.add_column("claimed", justify="right")
    table.add_column("must have cost before", justify="right")
    for found in result.slices:
        table.add_row(found.line.slice, found.line.model, _usd(found.line.usd), _extent(found.before_usd))
    table.add_section()
    table.add_row("all, routed", "", _usd(claim.routed_usd), _extent(result.before_usd), style="bold")
    table.add_row("all, before", claim.baseline.model, _usd(claim.baseline.usd), "", style="bold")
    return table


def _price_table(result: AuditResult) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), title="USD per million tokens", title_justify="left")
    table.add_column("model", overflow="fold")
    for name in ("input", "cached", "output"):
        table.add_column(name, justify="right")
    table.add_column("since", no_wrap=True)
    table.add_column("source", overflow="fold")
    for model, price in result.prices.items():
        cached = "-" if price.cache_read is None else _plain(price.cache_read)
        since = str(price.effective_from or "-")
        table.add_row(model, _plain(price.input), cached, _plain(price.output), since, price.source)
    return table


def _reasons(result: AuditResult) -> list[str]:
    claim, (low, high) = result.claim, result.before_usd
    said = []
    if claim.claimed_saving_pct is not None:
        own = 100 - 100 * claim.routed_usd / claim.baseline.usd
        said.append(f"The claimed saving is {claim.claimed_saving_pct}%; the claim's own totals make it {own:.1f}%.")
    for found in result.slices:
        if found.before_usd[0] is None:
            said.append(f"No tokens at all cost {_usd(found.line.usd)} on {found.line.model} for {found.line.slice!r}.")
    if low is None:
        return said
    if not result.possible:
        said.append(
            f"Whatever the mix of input and output tokens, the routed lines must have cost {_extent((low, high))} "
            f"before; with every line rounded as the claim allows, {_extent(result.rounded_usd)}. "
            f"The claim says {_usd(claim.baseline.usd)}."
        )
    least, most = result.saving_pct
    if least is not None and most is not None:
        between = f"{least:.1f}%" if least == most else f"{least:.1f}% to {most:.1f}%"
        said.append(f"Traffic that costs these routed lines saves {between}, whatever its mix.")
    return said


def _assumptions(claim: Claim) -> str:
    off = "half a dollar" if claim.tolerance_pct is None else f"{claim.tolerance_pct}%"
    ratios = {line.token_ratio or claim.token_ratio for line in claim.routed}
    same = all(ratio.input == ratio.output == (1.0, 1.0) for ratio in ratios)
    tokens = "the same tokens before and after" if same else "token counts within the claim's token_ratio"
    return f"Assumed: {tokens}, no cached input, and every figure right to within {off}."


def _words(claim: Claim, explanation: Explanation) -> str:
    value, kind = explanation.value, explanation.kind
    times = f"{'at most' if value < 1 else 'at least'} {value:.3g} times"
    if kind == "line_usd":
        line = next(line for line in claim.routed if line.slice == explanation.slice)
        return f"the line of {line.slice!r} was {_usd(value)}, not {_usd(line.usd)}."
    return {
        "baseline_usd": f"the total before was {_usd(value)}, not {_usd(claim.baseline.usd)}.",
        "saving_pct": f"the saving was {value:.3g}%, not {claim.claimed_saving_pct}%.",
        "baseline_price": f"the models used before cost {times} the prices below, the routed ones exactly those.",
        "routed_price": f"the routed models cost {times} the prices below, those used before exactly those.",
        "tokens": f"the routed side billed {times} the tokens assumed, input and output alike (longer answers or "
        "simply other traffic).",
        "output_tokens": f"the routed models wrote {times} the output tokens assumed, on the same input.",
        "baseline_cached": f"at least {value:.3g}% of the input before was read from the provider's cache.",
        "routed_cached": f"at least {value:.3g}% of the routed input was read from the provider's cache.",
    }[kind]


def _arithmetic(result: AuditResult, volume: Volume) -> str:
    line = volume.line
    before = result.prices[result.claim.before(line)]
    routed = result.prices[line.model]

    def bill(tokens: tuple[int, int], price: ModelPrices) -> str:
        parts = (
            f"{count / 1e6:,.3f} {kind} x ${_plain(usd)}"
            for count, kind, usd in zip(tokens, ("in", "out"), (price.input, price.output), strict=True)
        )
        return f"{' + '.join(parts)} = {_usd(_cost(tokens, price))}"

    return f"{bill(volume.routed, routed)}; before, {bill(volume.before, before)}"


def _cost(tokens: tuple[int, int], price: ModelPrices) -> Decimal:
    return (tokens[0] * price.input + tokens[1] * price.output) / 10**6


def as_dict(result: AuditResult) -> dict[str, object]:
    """The result for JSON: money and prices as decimal strings in USD, percentages as numbers, absent as null."""
    claim, volumes = result.claim, {volume.line.slice: volume for volume in result.volumes}
    return {
        "name": claim.name,
        "source": claim.source,
        "possible": result.possible,
        "claimed_saving_pct": None if claim.claimed_saving_pct is None else float(claim.claimed_saving_pct),
        "baseline": {"model": claim.baseline.model, "usd": _plain(claim.baseline.usd)},
        "routed_usd": _plain(claim.routed_usd),
        "before_usd": _ends(result.before_usd),
        "rounded_usd": _ends(result.rounded_usd),
        "saving_pct": [None if end is None else float(end) for end in result.saving_pct],
        "slices": [
            {
                "slice": found.line.slice,
                "model": found.line.model,
                "from_model": claim.before(found.line),
                "share_pct": None if found.line.share_pct is None else float(found.line.share_pct),
                "usd": _plain(found.line.usd),
                "before_usd": _ends(found.before_usd),
                "volume": _volume(result, volumes.get(found.line.slice)),
            }
            for found in result.slices
        ],
        "explanations": [
            {"kind": found.kind, "slice": found.slice, "value": _plain(found.value)} for found in result.explanations
        ],
        "prices": [
            {
                "model": model,
                "input_usd_per_mtok": _plain(price.input),
                "cache_read_usd_per_mtok": None if price.cache_read is None else _plain(price.cache_read),
                "output_usd_per_mtok": _plain(price.output),
                "effective_from": price.effective_from and str(price.effective_from),
                "source": price.source,
            }
            for model, price in result.prices.items()
        ],
    }


def write_csv(result: AuditResult) -> None:
    """Print one row a slice: its line, what it must have cost before, and tokens that produce it if any do."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    tokens = ("input_before", "output_before", "input_routed", "output_routed")
    out.writerow(("possible", "slice", "model", "from_model", "usd", "before_low_usd", "before_high_usd", *tokens))
    volumes = {volume.line.slice: volume for volume in result.volumes}
    for found in result.slices:
        line, volume = found.line, volumes.get(found.line.slice)
        counts = (*volume.before, *volume.routed) if volume else ("",) * 4
        from_model, possible = result.claim.before(line), str(result.possible).lower()
        row = (possible, line.slice, line.model, from_model, _plain(line.usd), *_ends(found.before_usd), *counts)
        out.writerow(row)


def _volume(result: AuditResult, volume: Volume | None) -> dict[str, object] | None:
    if volume is None:
        return None
    line = volume.line
    sides = {"before": (volume.before, result.claim.before(line)), "routed": (volume.routed, line.model)}
    return {
        side: {"input": tokens[0], "output": tokens[1], "usd": _plain(_cost(tokens, result.prices[model]))}
        for side, (tokens, model) in sides.items()
    }


def _ends(extent: Extent) -> list[str | None]:
    return [None if end is None else _plain(end) for end in extent]


def _extent(extent: Extent) -> str:
    low, high = extent
    if low is None:
        return "impossible"
    if high is None:
        return f"{_usd(low)} or more"
    return _usd(low) if _usd(low) == _usd(high) else f"{_usd(low)} to {_usd(high)}"


def _usd(usd: Decimal) -> str:
    return f"${usd:,.2f}"


def _plain(number: Decimal) -> str:
    """A decimal in digits, without an exponent or trailing zeros."""
    return f"{number.normalize():f}"

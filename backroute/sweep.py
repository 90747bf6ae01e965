"""`backroute sweep`: cost against quality over many settings of a rule set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from backroute.options import FORMAT, emit
from backroute.swept import GivenSweep, sweep_options


@click.command(
    "sweep", epilog="Example: backroute sweep june.jsonl --rules starter --param simple_chat.length.below=100:400:50"
)
@sweep_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for sweep.json and the chart.")
@FORMAT
def command(
    swept: GivenSweep,
    out: Path | None,
    shape: str,
) -> None:
    """Try every value of some numbers in the rules on LOG, which is read, scored and charged once.

    With --outcomes, shows quality beside cost, and the field's figures: APGR and CPT of a choice between two models as
    RouteLLM defines them, AIQ as RouterBench does. Without, shows cost alone.
    """
    from simulator.search.sweep_summary import summarise_sweep

    found, router = swept.run()
    summary = summarise_sweep(found, router)
    if out is not None:
        from reports.sweep import write_sweep

        for path in write_sweep(summary, out):
            click.echo(f"wrote {path}", err=True)
    if shape == "json":
        click.echo(json.dumps(summary, indent=2))
        return
    emit(_rows(summary), shape, title=f"{router.name} on {found.compared:,} requests")
    if shape == "table":
        for line in _said(summary):
            click.echo(line)


def _rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    points = [("", point) for point in summary["settings"]]
    points += [("all to ", point) for point in summary["single_models"]]
    points += [("", summary["oracle"])] if summary["oracle"] else []
    rows = []
    for before, point in points:
        row = {"setting": f"{before}{point['name']}", "usd": f"{float(point['usd']):,.4f}"}
        if summary["quality_known"]:
            row |= {"quality": f"{point['quality']:.4f}", "90% interval": f"{point['low']:.4f} to {point['high']:.4f}"}
            if summary["figures"].get("strong"):
                share = point.get("strong_share")
                row["to the stronger"] = "-" if share is None else f"{share:.1%}"
        rows.append(row)
    return rows


def _said(summary: dict[str, Any]) -> list[str]:
    figures = summary["figures"]
    if figures is None:
        return ["No quality is known for these requests, so this is cost alone: --outcomes brings it in."]
    lines = [f"Best single model: {figures['best_single_model']}"]
    if figures["apgr"] is not None:
        said = {name: "not reached" if figures[name] is None else f"{figures[name]:.1%}" for name in ("cpt50", "cpt80")}
        lines.append(
            f"APGR {figures['apgr']:.3f} (random mixing 0.5) between {figures['weak']} and {figures['strong']}; "
            f"share of calls to the stronger for half of the gap {said['cpt50']}, for 80% of it {said['cpt80']}"
        )
    elif "strong" not in figures:
        lines.append("APGR and CPT are defined between two models; these rules use another number of them.")
    else:
        lines.append(f"{figures['strong']} is not better than {figures['weak']} here: there is no gap to recover.")
    if figures["aiq"] is not None:
        lines.append(f"AIQ {figures['aiq']:.4f}; mixing the single models by lot {figures['aiq_of_single_models']:.4f}")
    return lines

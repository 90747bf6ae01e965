"""Production, measured: bills, false alarms, power, the covariate's gain, drift, and the hook's overhead in the proxy.

make bench-production, or python -m benchmarks.production --quick
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.production_months import month_of_proxy, month_of_router
from pricing import PriceBook
from quality.ab.moments import Moments, difference
from quality.ab.plan import unit_variance, units_needed
from quality.group_sequential import boundary
from quality.live_calls import live_calls
from quality.monitor import Forecast, Watch
from simulator import Assumptions, Scenario, replay
from tests.quality.ab.simulated import Sessions, crosses, daily_looks, false_alarms
from tests.quality.test_monitor import ROUTER, calls
from workloads import read_log

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, under two minutes")
    quick = parser.parse_args().quick
    book = PriceBook.load()
    experiments(2_000)
    power(300 if quick else 2_000)
    covariate()
    drift(book, 20 if quick else 100)
    month_of_router(book, 600 if quick else 6_000)
    month_of_proxy(book, 240 if quick else 3_000)


def experiments(number: int) -> None:
    print(f"A/A, {number:,} experiments of 30 daily looks, 80 sessions an arm a day, level 5%")
    for said, used in (("with the covariate", True), ("without", False)):
        horizon, ever, naive = false_alarms(number, seed=7, covariate=used)
        by = f"by the horizon's boundary {horizon:.2%}, for ever {ever:.2%}, by intervals made for one look {naive:.1%}"
        print(f"  {said:<20} false alarms {by}")


def power(number: int) -> None:
    print(f"\nA/B, {number:,} experiments at the size planned for 80% power, looked at daily")
    y, n, _ = Sessions(3).draw(200_000)
    for effect in (-0.20, -0.10):
        spread = unit_variance(y, y * (1 + effect), n, 0.5)
        per_day = 400.0
        units = units_needed(abs(effect) * y.sum() / n.sum() / np.sqrt(spread), per_day, power=0.8, level=0.05)
        assert units is not None
        found = [_finds(units, effect, seed, per_day) for seed in range(number)]
        plain, adjusted = np.mean(found, axis=0)
        print(
            f"  effect {effect:+.0%}: {units:,} sessions planned; found in {plain:.1%} "
            f"(with the covariate, not planned for, {adjusted:.1%})"
        )


def _finds(units: int, effect: float, seed: int, per_day: float) -> tuple[bool, bool]:
    (y, n, x), (y2, n2, x2) = (Sessions(10_000 + 2 * seed + at).draw(units // 2) for at in (0, 1))
    looks = daily_looks(units // 2, int(per_day / 2))
    errors = boundary((2 * looks / units).tolist(), 0.05)
    result = []
    for use in (0, 1):
        first = Moments.running(y, n, use * x, looks)
        found = difference(first, Moments.running(y2 * (1 + effect), n2, use * x2, looks))
        result.append(bool(crosses(found, errors)))
    return result[0], result[1]


def covariate() -> None:
    print("\nVariance that the replayed cost of the prompt saves, of USD per request on gpt-4o")
    y, n, x = Sessions(5).draw(100_000)
    arms = [Moments.of(y[at::2], n[at::2], x[at::2]) for at in (0, 1)]
    found = difference(*arms)
    print(f"  simulated sessions             {100 * (1 - float(found.variance / found.plain)):.0f}%")
    for said, name, asked, told in (
        ("Azure, a production hour", "traces/azure_llm_2023_conv.csv.gz", "ContextTokens", "GeneratedTokens"),
        ("ZeroEval, maths", "outcomes/zeroeval_outcomes.csv.gz", "prompt_o200k", "out_o200k"),
    ):
        path = DATA / name
        if not path.exists():
            print(f"  {said:<30} no {path}")
            continue
        with gzip.open(path, "rt") as file:
            rows = [
                row
                for row in csv.DictReader(file)
                if row.get("model", "gpt-4o").startswith("gpt-4o-2024") or "ContextTokens" in row
            ]
        inputs, outputs = (np.array([float(row[column]) for row in rows]) for column in (asked, told))
        usd = 2.5 * inputs + 10 * outputs
        print(f"  {said:<30} {100 * np.corrcoef(usd, inputs)[0, 1] ** 2:.0f}% ({len(rows):,} requests)")


def drift(book: PriceBook, runs: int) -> None:
    print(f"\nDrift, {runs} runs: 1,000 calls as forecast, then the change; calls until the alarm")
    forecast = _forecast(book)
    pools = {
        "nothing": _pool(book, calls(4_000, seed=31, live=True)),
        "price x1.5": _pool(book, calls(3_000, seed=32, live=True), price=1.5),
        "price x2": _pool(book, calls(3_000, seed=32, live=True), price=2.0),
        "10% new prompts, 8x longer": _pool(
            book, calls(2_700, seed=33, live=True) + calls(300, seed=34, live=True, longer=8.0)
        ),
        "a rule's share 50% to 65%": _pool(book, calls(3_000, seed=35, live=True, code=0.65)),
        "outage of one model of two": _pool(book, calls(3_000, seed=36, live=True), outage="openai/gpt-4o-mini"),
        "the same, with fallbacks": _pool(book, calls(3_000, seed=36, live=True), passed="openai/gpt-4o-mini"),
    }
    for said, pool in pools.items():
        delays, first, false = [], Counter[str](), 0
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            watch = Watch(forecast)
            watch.see(pools["nothing"].take(rng.integers(pools["nothing"].num_rows, size=1_000)))
            false += bool(watch.alarms)
            for _ in range(8):
                watch.see(pool.take(rng.integers(pool.num_rows, size=300)))
                if watch.alarms:
                    break
            late = {name: at - 1_000 for name, at in watch.alarms.items() if at > 1_000}
            if late:
                family = min(late, key=lambda name: late[name])
                delays.append(late[family])
                first[family] += 1
        caught = f"caught {len(delays)} of {runs}"
        quantiles = " ".join(f"{int(np.quantile(delays, q)):,}" for q in (0.5, 0.9)) if delays else "-"
        by = ", ".join(f"{name} {count}" for name, count in first.most_common(2))
        print(f"  {said:<28} {caught:<18} median and 90%: {quantiles:<12} by {by or '-'}; false before it: {false}")


def _forecast(book: PriceBook) -> Forecast:
    copied = Assumptions(output="as_logged")
    with tempfile.TemporaryDirectory() as folder:
        base = Scenario.always("openai/gpt-4o", book, assumptions=copied)
        rules = Scenario("rules", ROUTER, book, assumptions=copied)
        _, after = replay(read_log(calls(4_000, seed=30)), base, rules, out=Path(folder))
        (Path(folder) / "summary.json").write_text(json.dumps(after.summary))
        return Forecast.read(Path(folder))


def _pool(
    book: PriceBook, rows: list[dict[str, Any]], *, price: float = 1.0, outage: str = "", passed: str = ""
) -> pa.Table:
    table = live_calls([json.dumps(row).encode() for row in rows], book)
    columns = {name: table[name] for name in table.column_names}
    columns["usd_pico"] = pc.cast(pc.round(pc.multiply(table["usd_pico"], price)), pa.int64())
    columns["status"] = pc.if_else(pc.equal(table["model"], outage), "error", table["status"])
    columns["fallbacks"] = pc.if_else(pc.equal(table["model"], passed), 1, table["fallbacks"])
    return pa.table(columns, schema=table.schema)


if __name__ == "__main__":
    main()

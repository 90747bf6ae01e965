"""Prompt caches in a replay: bills that a plain replay and a simulated one get wrong, against bills that are known.

    python -m benchmarks.cached [--quick] [made] [mooncake] [recorded]

Conversations are made, and billed by a plain loop over the providers' documented rules, which shares no code with the
simulation: OpenAI's cache misses one call in ten and forgets after a lifetime drawn anew at each use, Anthropic's keeps
what is marked. The log tells what its own models read and wrote; what any other policy would have is known all the
same. The second makes logs of Mooncake's real prompts likewise. The third has no truth but the recorded one: how far
the simulation of the arm that happened is off its bill.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pricing import PriceBook, count_texts
from problems import BackrouteError
from router import LLMRouter, RoutingRule, meta
from simulator import Assumptions, ReplayResult, Scenario, replay
from simulator.caches import left_out
from simulator.state.settings import CacheSettings, State
from simulator.state.unsimulated import Sides
from workloads import read_log

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
MOONCAKE = SHARED / "traces" / "mooncake_conversation.jsonl.gz"
RECORDED = SHARED / "provider_responses" / "responses.jsonl.gz"
BOOK = PriceBook.load()
COPIED = Assumptions(output="as_logged")  # so that caches are all that a bill can be wrong by
SONNET, HAIKU = "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"
GPT, MINI, GPT_4O, MINI_4O = "openai/gpt-4.1", "openai/gpt-4.1-mini", "openai/gpt-4o", "openai/gpt-4o-mini"
LLAMA = "groq/llama-3.1-8b-instant"
BEGIN = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
OPENAI_HITS = 0.9
# platform.claude.com/docs/en/build-with-claude/prompt-caching and platform.openai.com/docs/guides/prompt-caching.
CLAUDE_LIFETIME_S, OPENAI_LIFETIME_S = 300, (300, 600)
CLAUDE_MINIMUM = {SONNET: 1024, HAIKU: 4096}
OPENAI_MINIMUM, OPENAI_STEP = 1024, 128
BUCKETS = ("input_uncached", "cache_read", "cache_write_5m", "output_text")


@dataclass(frozen=True)
class Call:
    """One call: when, its session, the keys and tokens of its prefixes from short to long, its tokens, two coins.

    A caller who marks prefixes marks the first, which is the system prompt, and the last that another prompt can share.
    """

    at_s: float
    session: str
    prefixes: tuple[tuple[Any, int], ...]
    tokens: int
    output: int
    easy: bool  # this call is
    easy_session: bool  # its conversation is
    texts: tuple[str, ...] = ()
    hash_ids: tuple[int, ...] = ()


def conversations(sessions: int, seed: int) -> list[Call]:
    """Made conversations: a system prompt that several share, tool results, pauses that some caches outlive."""
    draw = np.random.default_rng(seed)
    words = np.array([f"{a}{b}" for a in ("con", "per", "tra", "ex", "re", "sub") for b in ("form", "mit", "port")])

    def text(tokens: float) -> str:
        return " ".join(words[draw.integers(0, len(words), max(3, int(tokens / 1.4)))])

    systems, calls = [text(draw.uniform(800, 3000)) for _ in range(6)], []
    for number in range(sessions):
        at, said = float(draw.uniform(0, 86_400)), [systems[draw.integers(len(systems))]]
        easy = bool(draw.random() < 0.5)
        for _ in range(int(draw.integers(1, 14))):
            said += [text(draw.lognormal(5.5, 1.0))] if len(said) == 1 else [text(200), text(draw.lognormal(5.5, 1.0))]
            sizes = (np.asarray(_counted(tuple(said))) + 4).cumsum()
            ends = tuple((tuple(said[: n + 1]), int(size)) for n, size in enumerate(sizes))
            output = int(draw.lognormal(5, 0.8))
            calls.append(
                Call(at, f"s{number}", ends, ends[-1][1], output, bool(draw.random() < 0.5), easy, tuple(said))
            )
            at += float(draw.exponential(60) if draw.random() < 0.85 else draw.exponential(900))
    return sorted(calls, key=lambda call: call.at_s)


_SIZES: dict[str, int] = {}


def _counted(texts: tuple[str, ...]) -> list[int]:
    import pyarrow as pa

    new = [text for text in texts if text not in _SIZES]
    if new:
        _SIZES.update(zip(new, count_texts("o200k_base", pa.array(new)).to_pylist(), strict=True))
    return [_SIZES[text] for text in texts]


def mooncake(most: int) -> list[Call]:
    """Mooncake's real prompts, each prefix a block of 512 tokens; sessions by the block after the system prompt's."""
    calls, draw = [], np.random.default_rng(3)
    easy_session: dict[Any, bool] = {}
    for requests, outcomes in read_log(MOONCAKE, start="2026-06-01T00:00Z").batches():
        at = np.asarray(requests["arrived_at"].cast("int64")) / 1e6 - BEGIN.timestamp()
        for row, said in enumerate(requests["meta"].to_pylist()):
            ids, tokens = json.loads(said)["hash_ids"], outcomes["input_uncached"][row].as_py()
            whole = int(tokens)
            ends = [(each, 512 * (n + 1)) for n, each in enumerate(ids) if 512 * (n + 1) <= whole]
            ends = ends or [(("alone", row), whole)]
            name = f"s{ids[min(1, len(ids) - 1)]}"
            easy = easy_session.setdefault(name, bool(draw.random() < 0.5))
            out = int(outcomes["output_text"][row].as_py())
            own = bool(draw.random() < 0.5)
            calls.append(Call(float(at[row]), name, tuple(ends), whole, out, own, easy, hash_ids=tuple(ids)))
    return sorted(calls, key=lambda call: call.at_s)[:most]


def billed(calls: Sequence[Call], models: Sequence[str], totals: Sequence[float], seed: int = 7) -> list[list[int]]:
    """What each call reads from the cache and writes to it by the documented rules, as (uncached, read, written).

    Args:
        calls: in order of time.
        models: who serves each.
        totals: its input tokens on that model.
        seed: of OpenAI's misses and lifetimes, the same for every policy.
    """
    dies: dict[tuple[str, Any], float] = {}
    found = []
    for number, (call, model, total) in enumerate(zip(calls, models, totals, strict=True)):
        draw = np.random.default_rng((seed, number))
        misses, lifetime = draw.random() > OPENAI_HITS, draw.uniform(*OPENAI_LIFETIME_S)
        scale, whole = total / max(call.tokens, 1), round(total)
        ends = [(key, size * scale) for key, size in call.prefixes]
        live = [size for key, size in ends if dies.get((model, key), -1.0) >= call.at_s]
        if model.startswith("openai/"):
            read = 0 if misses else int(max(live, default=0)) // OPENAI_STEP * OPENAI_STEP
            read = read if read >= OPENAI_MINIMUM else 0
            found.append([whole - read, read, 0])
            if whole >= OPENAI_MINIMUM:
                dies |= {(model, key): call.at_s + lifetime for key, _ in ends}
        elif model in CLAUDE_MINIMUM:
            marked = [(key, size) for key, size in (ends[0], ends[-1]) if size >= CLAUDE_MINIMUM[model]]
            tried = [*ends[-21:], *marked]
            hit = [size for key, size in tried if dies.get((model, key), -1.0) >= call.at_s] if marked else []
            read = round(max(hit, default=0))
            written = whole - read if marked else 0
            found.append([whole - read - written, read, written])
            # A use renews what it begins with; only what is marked can be found again.
            renewed = [key for key, size in ends if size <= read and (model, key) in dies]
            dies |= {(model, key): call.at_s + CLAUDE_LIFETIME_S for key in [*renewed, *(key for key, _ in marked)]}
        else:
            found.append([whole, 0, 0])
    return found


@cache
def _rates(model: str) -> list[float]:
    quote = BOOK.quote(model, BOOK.date)
    assert quote is not None
    found = []
    for bucket in BUCKETS:
        rate = quote.usd_per_mtok[bucket]
        found.append(0.0 if rate is None else float(rate.base))
    return found


def dollars(calls: Sequence[Call], models: Sequence[str], buckets: Sequence[Sequence[int]]) -> float:
    """A bill at list prices; none of the prompts reaches a tier of long ones."""
    return sum(
        sum(n * usd for n, usd in zip([*held, call.output], _rates(model), strict=True)) / 1e6
        for call, model, held in zip(calls, models, buckets, strict=True)
    )


def log_of(calls: Sequence[Call], models: Sequence[str]) -> list[dict[str, Any]]:
    """The calls as a log would hold them, with what each provider says it used."""
    sizes = [_logged(call, model) for call, model in zip(calls, models, strict=True)]
    rows = []
    for number, (call, model, (plain, read, wrote)) in enumerate(
        zip(calls, models, billed(calls, models, sizes), strict=True)
    ):
        provider, _, name = model.partition("/")
        if provider == "anthropic":
            usage = {"input_tokens": plain, "cache_read_input_tokens": read, "cache_creation_input_tokens": wrote}
            usage["output_tokens"] = call.output
        else:
            usage = {"prompt_tokens": plain + read, "completion_tokens": call.output}
            usage |= {"prompt_tokens_details": {"cached_tokens": read}}  # type: ignore[dict-item]
        said: dict[str, Any] = {"easy": call.easy, "easy_session": call.easy_session}
        row: dict[str, Any] = {
            "request_id": f"r{number}",
            "timestamp": (BEGIN + dt.timedelta(seconds=call.at_s)).isoformat(),
            "session_id": call.session,
            "model": name,
            "provider": provider,
            "usage": usage,
        }
        if call.texts:
            roles = ["system", *("user" if n % 2 else "assistant" for n in range(1, len(call.texts)))]
            row["messages"] = [{"role": r, "content": t} for r, t in zip(roles, call.texts, strict=True)]
        else:
            said["hash_ids"] = list(call.hash_ids)
        rows.append(row | {"meta": said})
    return rows


def _logged(call: Call, model: str) -> float:
    """Its tokens by the model that served it; a trace's blocks are of the trace's own tokens."""
    return call.tokens * (1.15 if call.texts and model.startswith("anthropic/") else 1.0)


Policy = Callable[[Call], str]


def alone(model: str) -> Policy:
    """Everything on one model."""
    return lambda _call: model


def split(easy: str, hard: str, *, each: bool) -> Policy:
    """By the call's own coin, or by its conversation's."""
    return lambda call: easy if (call.easy if each else call.easy_session) else hard


@dataclass(frozen=True)
class Case:
    """A log, a baseline, and rules that send the easy ones elsewhere."""

    name: str
    log: Policy
    baseline: str
    easy: str
    hard: str
    each: bool


CASES = [
    Case(f"{name}, {'each call anew' if each else 'by conversation'}", log, base, easy, hard, each)
    for name, log, base, easy, hard in (
        ("gpt-4.1 log, to its mini", alone(GPT), GPT, MINI, GPT),
        ("Claude log, Sonnet to Haiku", alone(SONNET), SONNET, HAIKU, SONNET),
        ("Claude log, to 4o-mini", alone(SONNET), SONNET, MINI_4O, SONNET),
        ("Claude log, all-4o baseline, to 4o-mini", alone(SONNET), GPT_4O, MINI_4O, GPT_4O),
        ("gpt-4o log, to Haiku", alone(GPT_4O), GPT_4O, HAIKU, GPT_4O),
        ("gpt-4o log, to Llama without cache", alone(GPT_4O), GPT_4O, LLAMA, GPT_4O),
        ("half Claude, half gpt-4o log, to 4o-mini", split(SONNET, GPT_4O, each=False), GPT_4O, MINI_4O, GPT_4O),
        ("log switching 4.1 and mini each call, to mini", split(MINI, GPT, each=True), GPT, MINI, GPT),
    )
    for each in (False, True)
]  # fmt: skip


def replayed(rows: list[dict[str, Any]], case: Case, state: State) -> ReplayResult:
    """A case's log, replayed."""
    key = "easy" if case.each else "easy_session"
    base = Scenario.always(case.baseline, BOOK, assumptions=COPIED, state=state)
    rules = [
        RoutingRule("easy", meta(key), *_named(case.easy)),
        RoutingRule("default", None, *_named(case.hard)),
    ]
    _, after = replay(read_log(rows), base, Scenario("rules", LLMRouter(rules), BOOK, assumptions=COPIED, state=state))
    return after


WAYS = {"plain": State(cache=None), "simulated": State(cache=CacheSettings())}


def _named(model: str) -> tuple[str, str]:
    provider, _, name = model.partition("/")
    return provider, name


def errors(calls: Sequence[Call], case: Case, late: int, *, texts: bool) -> dict[str, Any]:
    """The true savings in percent, against the baseline and as logged, and each way's error in points.

    The first `late` calls are not in the log, though what they left in the caches is; nor are the texts, if not wanted.
    """
    policies = {
        "logged": case.log,
        "baseline": alone(case.baseline),
        "routed": split(case.easy, case.hard, each=case.each),
    }
    arms = {arm: [policy(call) for call in calls] for arm, policy in policies.items()}
    rows = log_of(calls, arms["logged"])[late:]
    found: dict[str, Any] = {"name": case.name}
    for row in rows if not texts else ():
        row.pop("messages", None)
    for way, state in WAYS.items():
        after = replayed(rows, case, state)
        if "truth" not in found:
            frame = after.requests().set_index("request_id").loc[[row["request_id"] for row in rows]]
            bills = {}
            for arm, models in arms.items():
                inputs = frame[[f"{arm}_{name}" for name in ("input_uncached", "cache_read", "cache_write_5m")]]
                before = [_logged(call, model) for call, model in zip(calls[:late], models[:late], strict=True)]
                used = billed(calls, models, [*before, *inputs.sum(axis=1).tolist()])
                bills[arm] = dollars(calls[late:], models[late:], used[late:])
            truth = [100 * (1 - bills["routed"] / bills[base]) for base in ("baseline", "logged")]
            found |= {"truth": truth, "bills": bills, "cached": _cached(frame)}
        said = [after.summary[name]["pct"] for name in ("savings", "savings_vs_as_logged")]
        found[way] = [own - true for own, true in zip(said, found["truth"], strict=True)]
        if way == "plain":
            found["bounds"] = [_within(after, which, true) for which, true in enumerate(found["truth"])]
    return found


def _within(after: ReplayResult, which: int, true: float) -> bool:
    """Whether a true saving lies in the range that a plain replay states, give or take half a point."""
    against = after.run.comparisons[after.number][which]
    held = left_out(after.run, against)
    low, high = (held.least, held.most) if held else 2 * (Sides(against.total.baseline, against.total.routed),)
    return (low.pct or 0.0) - 0.5 <= true <= (high.pct or 0.0) + 0.5


def _cached(frame: Any) -> float:
    parts = [frame[f"logged_{name}"].sum() for name in ("input_uncached", "cache_read", "cache_write_5m")]
    return float(100 * (parts[1] + parts[2]) / sum(parts))


def table(title: str, calls: Sequence[Call], late: int = 0, *, texts: bool = True) -> None:
    """Every case over some calls, and how far each way is off: see `errors`."""
    print(f"\n{title}: {len(calls) - late:,} calls\n")
    print("| case | cached | true saving: baseline, logged | " + " | ".join(f"{way}, off by" for way in WAYS) + " |")
    print("|---|---|---|" + "---|" * len(WAYS))
    all_found = []
    for case in CASES:
        found = errors(calls, case, late, texts=texts)
        all_found.append(found)
        off = " | ".join(", ".join(f"{each:+.1f}" for each in found[way]) for way in WAYS)
        truth = ", ".join(f"{each:.1f}%" for each in found["truth"])
        print(f"| {found['name']} | {found['cached']:.0f}% | {truth} | {off} |", flush=True)
    for way in WAYS:
        off_by = np.abs([found[way] for found in all_found])
        print(f"{way}: off by {np.median(off_by):.1f} points in the median, {off_by.max():.1f} at worst")
    bounds = [each for found in all_found for each in found["bounds"]]
    print(f"plain, the truth within the range it states: {sum(bounds)} of {len(bounds)}")


def recorded() -> None:
    """Real logs with cached input: what a replay of them does, and how its simulation fits what they recorded."""
    print("\n| log | calls | cached | what is done | saving, plain | simulated | reads, simulated at the hit rate |")
    print("|---|---|---|---|---|---|---|")
    for path in (RECORDED, *sorted((SHARED / "log_exports").rglob("*.*"))):
        try:
            plain, simulated = (_to_mini(path, state) for state in (State(cache=None), State()))
        except BackrouteError:
            continue  # no log
        held = simulated["log"]
        if not held["cached_input_pct"]:
            continue
        cache = simulated.get("cache")
        done = "simulated" if cache else simulated.get("caches_left_out", {"why": "nothing at stake"})["why"]
        fits = ", ".join(
            f"{each['provider']} {each['error_pct']:+.1f}%"
            for each in (cache or {}).get("calibration", [])
            if each["error_pct"] is not None
        )
        savings = " | ".join(f"{each['savings_vs_as_logged']['pct'] or 0:.1f}%" for each in (plain, simulated))
        pct = f"{held['cached_input_pct']:.1f}%"
        print(f"| {path.name} | {held['rows']:,} | {pct} | {done} | {savings} | {fits} |")


def _to_mini(path: Path, state: State) -> dict[str, Any]:
    arms = [Scenario.always(name, BOOK, assumptions=COPIED, state=state) for name in (GPT_4O, MINI_4O)]
    return replay(read_log(path), *arms)[1].summary


if __name__ == "__main__":
    few = "--quick" in sys.argv
    said = [part for part in sys.argv[1:] if not part.startswith("--")] or ["made", "mooncake", "recorded"]
    if "made" in said:
        calls = conversations(60 if few else 300, 1)
        table("Made conversations", calls)
        table("The same, the first third not in the log", calls, len(calls) // 3)
        table("The same, by sessions and lengths alone", calls, texts=False)
    if "mooncake" in said:
        table("Mooncake", mooncake(1000 if few else 12_031))
    if "recorded" in said:
        recorded()

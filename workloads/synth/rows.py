"""Rows of a synthetic chat log: conversations begin with the rhythm of the day, their turns follow in order of time."""

import heapq
import math
import random as randomness
from bisect import bisect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from problems import BackrouteError
from workloads.synth.book import Theme
from workloads.synth.fill import Talk, Template
from workloads.synth.mix import Mix, TrafficClass
from workloads.synth.rhythm import Rhythm, completion_spread

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Beyond this many conversations at once the oldest go on early, so that memory does not grow with the rate.
OPEN_AT_ONCE = 2_000

# How many rows ahead a share is owed: few enough to keep the shares, many enough to leave the order to chance.
OWED_AHEAD = 200

# People answer after about a minute, sometimes after many: an assumption, log-normal.
PAUSE_MEDIAN_MS, PAUSE_LN_SD, PAUSE_MOST_MS = 55_000, 1.0, 2_700_000
TOOL_PAUSE_MS = 900
TTFT_LN_SD, SPEED_LN_SD = 0.35, 0.25

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

Random = Callable[[], float]
Row = dict[str, Any]


def generate(mix: Mix, rows: int, seed: int) -> Iterator[Row]:
    """Rows of a chat log, about in order of arrival, in memory that does not grow with `rows`.

    Each row is what one line of a chat JSONL log holds. `usage` has the completion alone, drawn and therefore
    "estimated": the prompt's text is there to be counted. The same mix, rows and seed give the same rows.

    Raises:
        BackrouteError: rows is below 1.
    """
    if rows < 1:
        raise BackrouteError("rows", f"not a whole number above 0 ({rows})", fix="ask for at least one row")
    return _rows(mix, rows, seed)


def _rows(mix: Mix, rows: int, seed: int) -> Iterator[Row]:
    # Only random() itself is promised to stay the same between Python versions.
    random = randomness.Random(seed).random
    classes = [Drawn(one, random) for one in mix.classes]
    mean_turns = 1 / sum(one.share / one.mean_turns for one in mix.classes)
    rhythm = Rhythm(mix.start, mix.days, mix.weekend)
    open_talks: list[tuple[int, int, Conversation]] = []
    planned = written = sessions = 0
    start = rhythm.next_start(random, rows / mean_turns)
    while written < rows:
        begins = planned < rows and len(open_talks) < OPEN_AT_ONCE and not (open_talks and open_talks[0][0] <= start)
        if begins:
            drawn = _owed(classes, planned, random)
            turns = min(drawn.turns(), rows - planned)
            planned += turns
            drawn.planned += turns
            sessions += 1
            at, number, talk = start, sessions, Conversation(drawn, turns, sessions, seed, mix, random)
            if planned < rows:
                start = rhythm.next_start(random, (rows - planned) / mean_turns)
        else:
            at, number, talk = heapq.heappop(open_talks)
        written += 1
        row, pause = talk.turn(at, (written * GOLDEN + seed) & MASK)
        yield row
        if talk.turns:
            after = at + pause
            if after >= rhythm.end:  # the log ends first: the rest of the talk is hurried, never cut
                after = at + int((rhythm.end - 1 - at) * random())
            heapq.heappush(open_talks, (after, number, talk))


class Drawn:
    """A traffic class, its choices laid out for drawing, and how many rows it has been given so far."""

    def __init__(self, traffic: TrafficClass, random: Random) -> None:
        self.traffic = traffic
        self.random = random
        self.planned = 0
        self.spread = completion_spread()
        self.turn_counts = [turns for turns, _ in traffic.turns]
        self.turn_weights = list(accumulate(weight for _, weight in traffic.turns))
        self.models = [model for model, _ in traffic.models]
        self.model_weights = list(accumulate(weight for _, weight in traffic.models))

    def turns(self) -> int:
        """How many rows a new conversation will have."""
        return self.turn_counts[bisect(self.turn_weights, self.random() * self.turn_weights[-1])]

    def model(self) -> str:
        """The model a conversation was sent to."""
        return self.models[bisect(self.model_weights, self.random() * self.model_weights[-1])]


def _owed(classes: list[Drawn], planned: int, random: Random) -> Drawn:
    """A class by how many rows it is owed, so that shares of rows hold although conversations differ in length."""
    owed = [max(0.0, one.traffic.share * (planned + OWED_AHEAD) - one.planned) for one in classes]
    at = random() * sum(owed)
    for one, amount in zip(classes, owed, strict=True):
        at -= amount
        if at < 0:
            return one
    return classes[-1]


class Conversation:
    """One session: its messages so far, what it is about, and the turns it still has."""

    def __init__(self, drawn: Drawn, turns: int, number: int, seed: int, mix: Mix, random: Random) -> None:
        traffic = drawn.traffic
        self.drawn, self.turns, self.random, self.mix = drawn, turns, random, mix
        self.talk = Talk(random, int(random() * 1_000))
        self.theme: Theme = traffic.book.theme(random())
        self.id = f"s-{(number * GOLDEN ^ seed) & MASK:016x}"
        # Few people ask much and many ask little.
        self.user = f"u-{int(mix.users * random() ** 2):05d}"
        self.model = drawn.model()
        self.metadata: Row = {"complex": random() < traffic.complex_rate}
        if traffic.apps:
            self.metadata["app"] = _one(traffic.apps, random)
        self.metadata["synthetic"] = True
        self.messages: list[Row] = []
        if traffic.system:
            self.messages.append({"role": "system", "content": self.talk.one(traffic.system)})
        self.settings: Row = {}
        if traffic.max_tokens:
            self.settings["max_tokens"] = _one(traffic.max_tokens, random)
        if self.theme.json:
            self.settings["response_format"] = {"type": "json_object"}
        if self.theme.tools:
            self.settings["tools"] = [tool.definition for tool in self.theme.tools]
        if traffic.latency_budget_ms:
            self.settings["latency_budget_ms"] = _one(traffic.latency_budget_ms, random)
        self.answer: Template = ()
        self.asked, self.failed, self.calling = 0, False, False

    def turn(self, at: int, number: int) -> tuple[Row, int]:
        """The next row, and how many milliseconds pass before the one after it."""
        self.turns -= 1
        if not self.failed:  # a failed call is sent again as it was
            self._ask(number)
        traffic, random = self.drawn.traffic, self.random
        row: Row = {
            "request_id": f"req-{number:016x}",
            "timestamp": _iso(at),
            "session_id": self.id,
            "user_id": self.user,
            "model": self.model,
            "messages": self.messages.copy(),
            **self.settings,
            "metadata": self.metadata,
            "label": traffic.name,
        }
        ttft = self.mix.ttft_ms * math.exp(TTFT_LN_SD * _normal(random))
        self.failed = random() < traffic.error_rate
        if self.failed:
            row |= {"latency_ms": round(ttft), "ttft_ms": None, "status": "error"}
            return row, 1_500 + int(2_000 * random())
        tokens = max(1, round(traffic.completion_tokens * math.exp(self.drawn.spread * _normal(random))))
        tokens = min(tokens, self.settings.get("max_tokens", tokens))
        latency = ttft + tokens * self.mix.ms_per_token * math.exp(SPEED_LN_SD * _normal(random))
        row["usage"] = {"completion_tokens": tokens, "provenance": "estimated"}
        row |= {"latency_ms": round(latency), "ttft_ms": round(ttft), "status": "ok"}
        self.calling = bool(self.theme.tools) and not self.calling
        if self.calling:
            return row, round(latency) + TOOL_PAUSE_MS
        pause = min(PAUSE_MOST_MS, PAUSE_MEDIAN_MS * math.exp(PAUSE_LN_SD * _normal(random)))
        return row, round(latency + pause)

    def _ask(self, number: int) -> None:
        """Add what was answered last time and what is said now."""
        theme, talk = self.theme, self.talk
        if self.calling:
            tool = theme.tools[int(self.random() * len(theme.tools))]
            function = {"name": tool.definition["function"]["name"], "arguments": talk.fill(tool.arguments)}
            call = {"id": f"call-{number:016x}", "type": "function", "function": function}
            self.messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": talk.fill(tool.result)})
            return
        first = self.asked == 0
        if not first:
            said = talk.fill(self.answer or talk.next(theme.answers, self.asked))
            self.messages.append({"role": "assistant", "content": said})
        ask, self.answer = _one(theme.openers, self.random) if first else talk.next(theme.follow_ups, self.asked)
        text = talk.fill(ask)
        if not theme.plain:
            text = self.drawn.traffic.book.manner.say(text, talk, first)
        content: Any = text
        if first and theme.image:
            image = {"type": "image_url", "image_url": {"url": talk.fill(theme.image)}}
            content = [{"type": "text", "text": text}, image]
        self.messages.append({"role": "user", "content": content})
        self.asked += 1


def _one(options: list[Any], random: Random) -> Any:
    return options[int(random() * len(options))]


def _normal(random: Random) -> float:
    """A standard normal draw (Box and Muller 1958)."""
    return math.sqrt(-2 * math.log(1 - random())) * math.cos(2 * math.pi * random())


def _iso(at: int) -> str:
    return (EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"

"""A mix: which classes of request a synthetic log holds, in what shares, over which days, on which models."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from workloads.synth.book import Book, load_book
from workloads.synth.fields import Fields, load_yaml
from workloads.synth.fill import Slots, Template

PRESETS = Path(__file__).parents[1] / "presets"


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """One class of requests.

    Shares are of rows and add up to 1 over the mix. `turns` and `models` hold (value, weight) pairs;
    `completion_tokens` is the median; `max_tokens`, `latency_budget_ms` and `apps` are lists to choose from, empty
    where a row has none.
    """

    name: str
    share: float
    book: Book
    complex_rate: float
    error_rate: float
    turns: list[tuple[int, float]]
    models: list[tuple[str, float]]
    completion_tokens: float
    max_tokens: list[int]
    latency_budget_ms: list[int]
    apps: list[str]
    system: list[Template]

    @property
    def mean_turns(self) -> float:
        """Rows an average conversation of this class has."""
        return sum(turns * weight for turns, weight in self.turns) / sum(weight for _, weight in self.turns)


@dataclass(frozen=True, slots=True)
class Mix:
    """A validated mix; `weekend` is the traffic of a Saturday or Sunday against a weekday."""

    name: str
    description: str
    start: date
    days: int
    users: int
    weekend: float
    ttft_ms: float
    ms_per_token: float
    classes: list[TrafficClass]


def preset_names() -> list[str]:
    """The names of the bundled mixes."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_mix(mix: str | Path) -> Mix:
    """Read a mix from a YAML file, or a bundled one by its name.

    Raises:
        BackrouteError: no such file or preset, an unknown key, or a value out of range, with the nearest names.
    """
    name = str(mix)
    path = Path(mix)
    if path.suffix not in (".yaml", ".yml"):
        path = PRESETS / f"{name}.yaml"
    raw = Fields(name, load_yaml(path, "mix", name, preset_names()))
    models = raw.weights("model")
    classes = [_traffic_class(key, fields, models, path.parent) for key, fields in raw.mappings("classes").items()]
    if not classes:
        raise raw.wrong("classes", None, "a mapping of at least one class")
    total = sum(one.share for one in classes)
    latency = raw.fields("latency")
    start, days = raw.date("start"), _whole(raw, "days")
    if days > (date.max - start).days:
        raise raw.wrong("days", days, "a number of days that ends before the year 10000")
    loaded = Mix(
        name=raw.text("name"),
        description=raw.text("description"),
        start=start,
        days=days,
        users=_whole(raw, "users"),
        weekend=raw.number("weekend", above=0),
        ttft_ms=latency.number("ttft_ms", above=0),
        ms_per_token=latency.number("ms_per_token", above=0),
        classes=[_normalised(one, total) for one in classes],
    )
    latency.done()
    raw.done()
    return loaded


def _traffic_class(name: str, raw: Fields, models: dict[str, float], folder: Path) -> TrafficClass:
    own_models = raw.weights("model") if "model" in raw.raw else models
    slots = Slots(raw.where, {}, {})
    loaded = TrafficClass(
        name=name,
        share=raw.number("share", above=0),
        book=load_book(raw.text("prompts"), folder),
        complex_rate=raw.share("complex_rate"),
        error_rate=raw.share("error_rate"),
        turns=_turns(raw),
        models=list(own_models.items()),
        completion_tokens=raw.number("completion_tokens", above=0),
        max_tokens=_wholes(raw, "max_tokens"),
        latency_budget_ms=_wholes(raw, "latency_budget_ms"),
        apps=raw.texts("apps", []),
        system=[slots.compile(text.strip(), "system") for text in raw.texts("system", [])],
    )
    raw.get("model")
    raw.done()
    return loaded


def _normalised(one: TrafficClass, total: float) -> TrafficClass:
    values = {field: getattr(one, field) for field in TrafficClass.__slots__}
    return TrafficClass(**(values | {"share": one.share / total}))


def _whole(raw: Fields, key: str) -> int:
    value = raw.number(key, above=0)
    if value != int(value):
        raise raw.wrong(key, value, "a whole number above 0")
    return int(value)


def _wholes(raw: Fields, key: str) -> list[int]:
    values = raw.texts(key, [])
    if not all(value.isdecimal() and int(value) > 0 for value in values):
        raise raw.wrong(key, values, "a list of whole numbers above 0")
    return [int(value) for value in values]


def _turns(raw: Fields) -> list[tuple[int, float]]:
    weights = raw.weights("turns")
    if not all(turns.isdecimal() and 0 < int(turns) <= 50 for turns in weights):
        raise raw.wrong("turns", weights, "a mapping of whole numbers from 1 to 50 to weights")
    return [(int(turns), weight) for turns, weight in weights.items()]

"""What of the world's state a scenario simulates, from Python or from a YAML file."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml

from problems import BackrouteError, nearest
from simulator.state.cascades import Cascade
from simulator.state.guards import BLOCK, PERIODS_US, Budget, DrawnOutages, Guards, Limit, Outage, Sticky
from simulator.state.latency import LatencyLimits
from simulator.state.retries import Retries
from simulator.state.tiers import Tiers

if TYPE_CHECKING:
    from simulator.state.cached_input import CachedInput

WHERE_SHOWN: Literal["where_shown"] = "where_shown"  # prompt caches are simulated where the log shows cached input
Part = TypeVar("Part")


@dataclass(frozen=True)
class CacheSettings:
    """The prompt cache, simulated for every arm alike.

    Args:
        hit_rate: the share of live prefixes that are read in the end, for all providers or by provider. Left out, it is
            calibrated on the log, and 1 for providers whose cache reads the log does not show.
        breakpoints: whether the caller marks prefixes for caches that want it, as Anthropic's does: at the end of the
            system prompt and of the last message. Left out, as the log's own calls do, and true where it has none.
        lifetime: "5m", or "1h" where the provider sells it.
    """

    hit_rate: Mapping[str, float] = field(default_factory=dict)
    breakpoints: bool | None = None
    lifetime: str = "5m"


@dataclass(frozen=True)
class State:
    """What a scenario keeps state of; prompt caches where the log shows them, the others only where asked for.

    `cache`, `retries`, `tiers` and `latency` hold for every arm of a replay, and of `guards` rate limits and outages;
    budgets, sticky sessions, latency bounds and the cascade are policies of the one scenario that states them.

    Args:
        cache: settings, None for no simulated cache, or WHERE_SHOWN: see `decided`.
        guards, retries, cascade, tiers, latency: see there.
    """

    cache: CacheSettings | Literal["where_shown"] | None = WHERE_SHOWN
    guards: Guards = field(default_factory=Guards)
    retries: Retries | None = None
    cascade: Cascade | None = None
    tiers: Tiers | None = None
    latency: LatencyLimits | None = None

    def __bool__(self) -> bool:
        """Whether anything is simulated, as far as the log has no say in it."""
        parts = (self.caches, self.retries, self.cascade, self.tiers, self.latency)
        return bool(self.guards) or any(part is not None for part in parts)

    @property
    def caches(self) -> CacheSettings | None:
        """The settings of prompt caches that are simulated, as far as the log has no say in it."""
        return self.cache if isinstance(self.cache, CacheSettings) else None

    @property
    def caches_alone(self) -> bool:
        """Whether prompt caches are simulated and nothing else."""
        return self.caches is not None and self == State(self.cache)

    def decided(self, cached_input: CachedInput) -> State:
        """The state over one log: whether its caches are simulated is known then."""
        if self.cache != WHERE_SHOWN:
            return self
        return replace(self, cache=CacheSettings() if cached_input.much and not cached_input.obstacle else None)

    @property
    def of_the_world(self) -> State:
        """The part that a baseline shares, since no policy can choose it away."""
        # Rules are the router's: what they let wait is its choice, what meta lets wait is a fact.
        tiers = None if self.tiers is None else replace(self.tiers, rules=())
        return State(self.cache, self.guards.of_the_world, self.retries, None, tiers, self.latency)


def load_state(path: str | Path) -> State:
    """Read a YAML file of state settings: see docs/state.md.

    Raises:
        BackrouteError: the file cannot be read, a key is unknown (the nearest is named), or a value cannot be meant.
    """
    where = str(path)
    try:
        said = yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as error:
        raise BackrouteError(where, f"cannot be read ({error.strerror})", fix="check the path") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BackrouteError(where, f"not valid YAML ({' '.join(str(error).split())})", fix="mend the file") from None
    return parse_state(said, where)


def parse_state(said: Any, where: str = "state") -> State:
    """State settings from the mapping that a YAML file holds.

    Raises:
        BackrouteError: see `load_state`.
    """
    held = _mapping(said, where, tuple(each.name for each in fields(State)))
    parts: dict[str, Callable[[Any, str], Any]] = {
        "cache": _cache,
        "guards": _guards,
        "retries": lambda value, at: _checked(_build(Retries, value, at), at),
        "cascade": lambda value, at: _checked(_build(Cascade, value, at), at),
        "tiers": lambda value, at: _build(Tiers, value, at),
        "latency": lambda value, at: _build(LatencyLimits, value, at),
    }
    return State(**{name: parts[name](value, f"{where}: {name}") for name, value in held.items()})


def _cache(said: Any, where: str) -> CacheSettings | None:
    if said == "none" or said is False:
        return None
    if not isinstance(said, Mapping | bool):
        raise BackrouteError(where, f"not a mapping ({said!r})", fix="{} simulates caches, none does not")
    held = {} if said is True else dict(_mapping(said, where, tuple(each.name for each in fields(CacheSettings))))
    rate = held.get("hit_rate")
    if isinstance(rate, int | float) and not isinstance(rate, bool):
        held["hit_rate"] = {"": float(rate)}
    built = _build(CacheSettings, held, where)
    for provider, value in built.hit_rate.items():
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise BackrouteError(f"{where}: hit_rate", f"not a share ({provider or 'all'}: {value!r})", fix="0 to 1")
    if built.lifetime not in ("5m", "1h"):
        raise BackrouteError(f"{where}: lifetime", f"not a lifetime ({built.lifetime!r})", fix="5m or 1h")
    return built


def _guards(said: Any, where: str) -> Guards:
    held = dict(_mapping(said, where, (*(each.name for each in fields(Guards) if each.name != "drawn_outages"),)))
    drawn, scheduled = [], []
    for place, each in enumerate(_list(held.pop("outages", []), f"{where}: outages")):
        at = f"{where}: outages[{place}]"
        if isinstance(each, Mapping) and "from" in each:
            scheduled.append(_outage(each, at))
        else:
            drawn.append(_build(DrawnOutages, each, at, also=("from", "to")))
    budgets = tuple(
        _budget(_build(Budget, each, f"{where}: budgets[{place}]"), f"{where}: budgets[{place}]")
        for place, each in enumerate(_list(held.pop("budgets", []), f"{where}: budgets"))
    )
    limits = tuple(
        _limit(_build(Limit, each, f"{where}: limits[{place}]"), f"{where}: limits[{place}]")
        for place, each in enumerate(_list(held.pop("limits", []), f"{where}: limits"))
    )
    sticky = held.pop("sticky", None)
    rest = _build(Guards, held, where)
    return Guards(
        budgets,
        limits,
        tuple(scheduled),
        tuple(drawn),
        None if sticky in (None, False) else _build(Sticky, {} if sticky is True else sticky, f"{where}: sticky"),
        rest.max_latency_ms,
        rest.obey_latency_budget,
        rest.fallback,
    )


def _budget(built: Budget, where: str) -> Budget:
    if built.per not in PERIODS_US:
        fix = nearest(built.per, PERIODS_US) or "hour or day"
        raise BackrouteError(f"{where}: per", f"not a period ({built.per!r})", fix=fix)
    if built.then != BLOCK and "/" not in built.then:
        raise BackrouteError(f"{where}: then", f"not a model ({built.then!r})", fix="provider/model, or block")
    return built


def _limit(built: Limit, where: str) -> Limit:
    if built.rpm is None and built.tpm is None:
        raise BackrouteError(where, "no rpm and no tpm", fix="give requests or tokens per minute")
    for name in ("rpm", "tpm"):
        value = getattr(built, name)
        if value is not None and not value > 0:
            raise BackrouteError(f"{where}: {name}", f"not above zero ({value})", fix="requests or tokens per minute")
    return built


def _outage(said: Mapping[str, Any], where: str) -> Outage:
    held = _mapping(said, where, ("of", "from", "to"))
    if "of" not in held or "to" not in held:
        raise BackrouteError(where, "not whole", fix="give of, from and to")
    start, end = (_instant(held[name], f"{where}: {name}") for name in ("from", "to"))
    if end <= start:
        raise BackrouteError(where, f"it ends before it begins ({held['to']})", fix="mend the times")
    return Outage(str(held["of"]), start, end)


def _instant(value: Any, where: str) -> int:
    try:
        when = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise BackrouteError(where, f"not a time ({value!r})", fix="for example 2026-06-01T10:00Z") from None
    utc = when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
    return round((utc - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1))


def _checked(built: Part, where: str) -> Part:
    if isinstance(built, Cascade):
        ways = [built.escalate_pct is not None, built.score is not None, built.correct is not None]
        if sum(ways) != 1:
            what = f"{'none' if not any(ways) else 'several'} of escalate_pct, score and correct"
            raise BackrouteError(where, what, effect="how often it escalates is not known", fix="give exactly one")
    if isinstance(built, Retries) and built.attempts < 1:
        raise BackrouteError(f"{where}: attempts", f"not at least 1 ({built.attempts})", fix="for example 3")
    for each in fields(built):  # type: ignore[arg-type]
        value = getattr(built, each.name)
        shares = value.values() if isinstance(value, Mapping) else [value]
        for share in shares if each.name.endswith("_pct") else ():
            if share is not None and (not isinstance(share, int | float) or not 0 <= share <= 100):
                raise BackrouteError(f"{where}: {each.name}", f"not a percentage ({share!r})", fix="0 to 100")
    return built


_KINDS: dict[str, tuple[type, ...]] = {
    "float": (int, float),
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
    "Mapping[str, float]": (dict,),
    "tuple[str, ...]": (list, tuple),
}


def _build(kind: type[Part], said: Any, where: str, *, also: tuple[str, ...] = ()) -> Part:
    """A frozen dataclass from a mapping, each value of the type its field names."""
    known = {each.name: str(each.type) for each in fields(kind)}  # type: ignore[arg-type]
    held = _mapping(said, where, (*known, *also))
    for name, value in held.items():
        wanted = [part.strip() for part in known[name].split("|")] if name in known else []
        fits = any(isinstance(value, _KINDS[part]) for part in wanted if part in _KINDS)
        if not fits or (isinstance(value, bool) and "bool" not in wanted):
            words = " or ".join(part.replace("tuple[str, ...]", "list").replace("None", "null") for part in wanted)
            raise BackrouteError(f"{where}: {name}", f"not a {words} ({value!r})", fix=f"give a {words}")
        if name != "below" and isinstance(value, int | float) and not 0 <= value < math.inf:
            raise BackrouteError(f"{where}: {name}", f"not a number from zero up ({value!r})", fix="give one")
    held = {name: tuple(value) if isinstance(value, list) else value for name, value in held.items()}
    try:
        return kind(**held)
    except TypeError:
        needed = [each.name for each in fields(kind) if each.name not in held]  # type: ignore[arg-type]
        raise BackrouteError(where, f"without {needed[0]}", fix=f"add {needed[0]}") from None


def _mapping(said: Any, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(said, Mapping):
        raise BackrouteError(where, f"not a mapping ({said!r})", fix=f"its keys are {', '.join(keys)}")
    for key in said:
        if key not in keys:
            fix = nearest(str(key), keys) or f"the keys are {', '.join(keys)}"
            raise BackrouteError(where, f"unknown key {key!r}", fix=fix)
    return dict(said)


def _list(said: Any, where: str) -> list[Any]:
    if not isinstance(said, list):
        raise BackrouteError(where, f"not a list ({said!r})", fix="begin each entry with a dash")
    return said

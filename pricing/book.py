"""The price book: what every model costs, from when, by whose word, and what it can do."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from pricing.entries import (
    Capabilities,
    Discount,
    ModelFacts,
    Overlay,
    PriceChange,
    PriceEntry,
    Rate,
    SourceAge,
    TierRule,
)
from pricing.names import Found, Names, without_snapshot
from pricing.overlay import load_overlay
from pricing.published import published_entries, snapshot_providers, source_name
from problems import BackrouteError, nearest

_DATA = Path(__file__).parent / "data"
_FIELDS = tuple(field.name for field in fields(Capabilities))

# The digest's part of published models, with what it was made of: the same for every book of one process.
_PUBLISHED: dict[str, tuple[Any, bytes]] = {}

# What providers call ordinary, list-price service: OpenAI default, auto and scale (capacity bought apart); Anthropic
# standard and standard_only; Groq on_demand and auto.
STANDARD_TIERS = frozenset({"", "standard", "standard_only", "default", "auto", "on_demand", "scale"})


class PriceBook:
    """Dated, sourced prices: the published lists of genai-prices under price files of ours and of the user.

    Names are `provider/model`. Nothing here touches the network.
    """

    def __init__(self, providers: list[Any], overlays: Sequence[Overlay]) -> None:
        self._overlays = list(overlays)
        self._facts: dict[str, list[ModelFacts]] = {}
        added: dict[str, str] = {}
        for overlay in self._overlays:
            for name, facts in overlay.models.items():
                self._facts.setdefault(name, []).append(facts)
                provider = name.partition("/")[0]
                for alias in (name.partition("/")[2], *facts.names):
                    added[f"{provider}/{alias}".lower()] = name
        self._names = Names(providers, added)
        self._discounts = [self._known(discount, o.source) for o in self._overlays for discount in o.discounts]
        self._entries: dict[str, list[PriceEntry]] = {}
        self._rounded: dict[str, list[tuple[str, str, Rate, Rate]]] = {}

    @classmethod
    def load(cls, overlay: Sequence[Path | str] = ()) -> "PriceBook":
        """The bundled book, with the user's own price files on top (later files win).

        Raises:
            BackrouteError: a price file is missing or wrong.
        """
        bundled = [load_overlay(path, named=path.name) for path in sorted(_DATA.glob("prices-*.yaml"))]
        return cls(snapshot_providers(), bundled + [load_overlay(Path(path)) for path in overlay])

    @cached_property
    def date(self) -> dt.date:
        """The book's own date: the newest day on which any of its files was checked."""
        return max(overlay.as_of for overlay in self._overlays if overlay.as_of)

    def resolve(self, name: str | None, provider: str | None = None) -> str | None:
        """The canonical `provider/model` of a name as logs spell it; None when unknown. Case does not matter.

        A provider in the name ("azure/gpt-4o") or beside it decides where the bill comes from; a bare name goes to the
        provider whose models are called so, if there is one.
        """
        found = self._names.find(name, provider)
        return found.canonical if found else None

    def require(self, name: str, where: str) -> str:
        """Resolve, or raise.

        Raises:
            BackrouteError: the name is unknown; `where` names the place that holds it.
        """
        found = self.resolve(name)
        if found is None:
            fix = self._like(name) or "name it provider/model, or add it to a price file"
            raise BackrouteError(where, f"unknown model ({name!r})", effect="it has no price", fix=fix)
        return found

    def _like(self, name: str) -> str:
        """The nearest names: of one without its provider those that hold it, then those spelt alike."""
        bare = name.rpartition("/")[2]
        if bare != name and (hint := nearest(name, self.models())):
            return hint
        sought = _letters(bare)
        held = sorted((tail for tail in self._tails if sought and sought in _letters(tail)), key=lambda t: (len(t), t))
        return f"did you mean {' or '.join(map(repr, held[:3]))}?" if held else nearest(bare, self._tails)

    def same_model(self, a: str, b: str) -> bool:
        """Whether two canonical names are equal, or one is a dated snapshot of the other."""
        return a == b or without_snapshot(a) == b or a == without_snapshot(b)

    def models(self) -> list[str]:
        """Every canonical name the book prices or describes, sorted."""
        return sorted({found.canonical for found in self._names.published.values()} | self._facts.keys())

    def entries(self, model: str) -> list[PriceEntry]:
        """A model's price entries, every tier, in order of precedence: the last that applies wins.

        Raises:
            BackrouteError: the name is unknown.
        """
        found = self._found(model)
        if found.canonical not in self._entries:
            self._entries[found.canonical] = list(self._compiled(found))
        return self._entries[found.canonical]

    def launched(self, model: str) -> dt.date | None:
        """The UTC day the model was first sold, before which it is unpriced; None: not stated, so no limit."""
        days = [facts.launched for facts in self._model_facts(self._found(model)) if facts.launched]
        return days[-1] if days else None

    def history(self, model: str) -> list[PriceEntry]:
        """A model's stated prices with the days they are charged from and until, each tier by itself, oldest first.

        Discounts and multiples of tiers, which state no price, are not among them.

        Raises:
            BackrouteError: the name is unknown.
        """
        launched, found = self.launched(model), list[PriceEntry]()
        for entry in self.entries(model):
            if not entry.rates:
                continue
            last = entry.until or dt.date.max
            since = self._since(entry, last, launched) if entry.tier == "standard" else entry.effective_from
            found.append(replace(entry, effective_from=since))
        found.sort(key=lambda each: (each.tier != "standard", each.tier, each.effective_from or dt.date.min))
        ends: list[dt.date | None] = [
            next((then.effective_from for then in found[at + 1 :] if _replaces(then, now)), None)
            for at, now in enumerate(found)
        ]
        return [replace(each, until=each.until or end) for each, end in zip(found, ends, strict=True)]

    def quote(self, model: str, at: dt.datetime | dt.date, tier: str | None = None) -> PriceEntry | None:
        """The price in force at an instant (a day: at 00:00 UTC) for a service tier, every rate stated; None: unpriced.

        A tier's own published prices come first, laid over the standard ones; then a sourced multiple of the standard
        price. A tier with neither is unpriced, never standard. A discount comes off whichever it is.

        Raises:
            BackrouteError: the name is unknown.
        """
        listed = self._listed(model, at, tier)
        return listed and self._discounted(listed, at)

    def discounts(self, model: str) -> list[Discount]:
        """The discounts a model has, in order of precedence: its own after those of its provider, later files last.

        Raises:
            BackrouteError: the name is unknown.
        """
        name = self._found(model).canonical
        mine = [d for d in self._discounts if d.provider == name.partition("/")[0] and _names(d, name)]
        return sorted(mine, key=lambda discount: discount.model is not None)

    def _known(self, discount: Discount, source: str) -> Discount:
        """The discount by its model's canonical name."""
        if discount.model is None:
            return discount
        name = self.require(discount.model, f"{source}: discounts")
        return replace(discount, model=name, provider=name.partition("/")[0])

    def _discounted(self, listed: PriceEntry, at: dt.datetime | dt.date) -> PriceEntry:
        moment = at.astimezone(dt.UTC) if isinstance(at, dt.datetime) and at.tzinfo else at
        day = moment.date() if isinstance(moment, dt.datetime) else moment
        for discount in reversed(self.discounts(listed.model)):
            if discount.on(day):
                rates = {n: rate.times(1 - discount.pct / Decimal(100)).rounded() for n, rate in listed.rates.items()}
                source = f"{listed.source}, {discount.pct.normalize():f}% off by {discount.source}"
                return replace(listed, rates=rates, source=source)
        return listed

    def _listed(self, model: str, at: dt.datetime | dt.date, tier: str | None) -> PriceEntry | None:
        """The price before any discount."""
        moment = at if isinstance(at, dt.datetime) else dt.datetime(at.year, at.month, at.day)
        moment = moment if moment.tzinfo is None else moment.astimezone(dt.UTC)
        day, clock, served = moment.date(), moment.time(), self.tier_name(tier)
        launched = self.launched(model)
        active = [entry for entry in self.entries(model) if entry.on(day) and entry.during(clock)]
        standard = next((entry for entry in reversed(active) if entry.tier == "standard"), None)
        if standard is None or (launched is not None and day < launched):
            return None
        standard = replace(standard, effective_from=self._since(standard, day, launched))
        if served == "standard":
            return standard
        if own := [entry for entry in active if entry.tier == served]:
            rates = dict(standard.rates)
            for entry in own:
                rates.update(entry.rates)
            return replace(own[-1], rates=rates)
        for rule in reversed(self.tier_rules(model, served)):
            if rule.effective_from is None or rule.effective_from <= day:
                rates = {name: rate.times(rule.multiplier).rounded() for name, rate in standard.rates.items()}
                return replace(standard, rates=rates, tier=served, source=rule.source)
        return None

    def _since(self, entry: PriceEntry, day: dt.date, launched: dt.date | None) -> dt.date | None:
        """The day from which the book charges this entry: its own, else the end of the one before, else the launch."""
        if entry.effective_from is not None:
            return entry.effective_from
        ended = [e.until for e in self.entries(entry.model) if e.tier == "standard" and e.until and e.until <= day]
        return max(ended, default=launched)

    def tier_name(self, tier: str | None) -> str:
        """A provider's service tier as the book calls it: "standard" for list-price service and for None."""
        name = (tier or "").strip().lower()
        return "standard" if name in STANDARD_TIERS else name

    def tier_rules(self, model: str, tier: str) -> list[TierRule]:
        """The sourced multiples of the standard price that this tier has for this model, in order of precedence."""
        return [rule for rule in self.all_tier_rules(model) if rule.tier == tier]

    def all_tier_rules(self, model: str) -> list[TierRule]:
        """The sourced multiples of every tier that this model has."""
        provider, _, name = self._found(model).canonical.partition("/")
        rules = [rule for overlay in self._overlays for rule in overlay.tiers]
        return [rule for rule in rules if rule.provider == provider and (not rule.models or name in rule.models)]

    def capabilities(self, model: str) -> Capabilities:
        """What the model can serve; None where nobody says.

        Raises:
            BackrouteError: the name is unknown.
        """
        found = self._found(model)
        known: dict[str, Any] = {}
        if found.info is not None and found.info.context_window is not None:
            known = {"context_window": found.info.context_window, "source": source_name()}
        for facts in self._model_facts(found):
            known.update(facts.capabilities)
        return Capabilities(**{name: known.get(name) for name in _FIELDS})

    @cached_property
    def rounded(self) -> list[tuple[str, str, Rate, Rate]]:
        """Prices that rounding to six decimals changed: (model, rate, as published, as charged)."""
        return [change for model in self.models() if self.entries(model) for change in self._rounded[model]]

    @cached_property
    def digest(self) -> str:
        """sha256 over every compiled price, tier and launch, for a run's manifest."""
        hashed = hashlib.sha256()
        for model in self.models():
            hashed.update(self._said_of(model))
        for overlay in self._overlays:
            hashed.update(f"{overlay.tiers} {overlay.discounts}\n".encode())
        return hashed.hexdigest()

    def _said_of(self, model: str) -> bytes:
        """What the digest takes in of a model; that of a published model which no file speaks of is made once."""
        found = self._found(model)
        plain = not self._model_facts(found)
        if plain and (held := _PUBLISHED.get(model)) is not None and held[0] is found.info:
            return held[1]
        said = [f"{model} {self.launched(model)}\n"]
        for e in self.entries(model):
            said.append(f"{e.tier} {e.effective_from} {e.until} {e.window} {sorted(e.rates.items())}\n")
        whole = "".join(said).encode()
        if plain:
            _PUBLISHED[model] = found.info, whole
        return whole

    def changes(self, since: dt.date, until: dt.date) -> list[PriceChange]:
        """Standard prices (at noon UTC) that changed after `since` and up to `until`, by day and model."""
        found = []
        for model in self.models():
            launch = self.launched(model)
            dated: list[PriceEntry | Discount] = [*self.entries(model), *self.discounts(model)]
            days = {day for each in dated for day in (each.effective_from, each.until) if day} | {launch} - {None}
            for day in sorted(day for day in days if day and since < day <= until):
                noon = dt.datetime.combine(day, dt.time(12))
                before, after = self.quote(model, noon - dt.timedelta(days=1)), self.quote(model, noon)
                old = before.usd_per_mtok if before else {}
                new = after.usd_per_mtok if after else {}
                said = after or before
                found += [
                    PriceChange(model, day, bucket, old.get(bucket), new.get(bucket), said.source)
                    for bucket in sorted(old.keys() | new.keys())
                    if said is not None and old.get(bucket) != new.get(bucket)
                ]
        return sorted(found, key=lambda change: (change.on, change.model))

    def stale(self, today: dt.date) -> list[SourceAge]:
        """The age of every source of prices on a day, oldest first; genai-prices is as old as our check against it."""
        ages = [SourceAge(o.source, o.as_of, _days(o.as_of, today), len(o.models)) for o in self._overlays]
        checked = max((o.as_of for o in self._overlays if o.as_of and o.source.startswith("prices-")), default=None)
        ages.append(SourceAge(source_name(), checked, _days(checked, today), len(self._names.published)))
        return sorted(ages, key=lambda age: -1 if age.days is None else age.days, reverse=True)

    @cached_property
    def _tails(self) -> list[str]:
        """Names that stand for a model without its provider."""
        tails = dict.fromkeys(model.partition("/")[2] for model in self.models())
        return [tail for tail in tails if self.resolve(tail) is not None]

    def _found(self, model: str) -> Found:
        found = self._names.find(model)
        if found is None:
            raise BackrouteError("price book", f"unknown model ({model!r})", fix=nearest(model, self.models()))
        return found

    def _model_facts(self, found: Found) -> list[ModelFacts]:
        """What price files say, first of the model whose prices it shares, then of itself."""
        return self._facts.get(found.home, []) + (
            self._facts.get(found.canonical, []) if found.canonical != found.home else []
        )

    def _compiled(self, found: Found) -> Iterator[PriceEntry]:
        facts = self._model_facts(found)
        shared = next((fact.same_prices_as for fact in reversed(facts) if fact.same_prices_as), None)
        info = self._found(shared).info if shared else found.info
        changed = self._rounded.setdefault(found.canonical, [])
        published = published_entries(found.canonical, info) if info is not None else iter(())
        for entry in [*published, *(price for fact in facts for price in fact.prices)]:
            rates = {name: rate.rounded() for name, rate in entry.rates.items()}
            changed += [(found.canonical, n, entry.rates[n], rates[n]) for n in rates if rates[n] != entry.rates[n]]
            yield replace(entry, model=found.canonical, rates=rates)


def _names(discount: Discount, canonical: str) -> bool:
    return discount.model is None or discount.model in (canonical, without_snapshot(canonical))


def _letters(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _days(then: dt.date | None, today: dt.date) -> int | None:
    return None if then is None else (today - then).days


def _replaces(later: PriceEntry, earlier: PriceEntry) -> bool:
    """Whether an entry that comes after another in time or precedence takes its place."""
    return (later.model, later.tier, later.window) == (earlier.model, earlier.tier, earlier.window)

"""Price files of ours and of the user: YAML with dated, sourced, append-only entries."""

import re
from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from pricing.entries import RATE_NAMES, Discount, ModelFacts, Overlay, PriceEntry, Rate, TierRule
from problems import BackrouteError, nearest

_PRICE_KEYS = {f"{name}_usd_per_mtok": name for name in RATE_NAMES}
_CAPABILITIES: dict[str, type] = {
    "context_window": int,
    "max_output_tokens": int,
    "tools": bool,
    "images": bool,
    "json_mode": bool,
    "reasoning": bool,
    "retires_on": date,
    "superseded_by": str,
    "source": str,
}
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def load_overlay(path: Path, *, named: str | None = None) -> Overlay:
    """Read one price file.

    Args:
        path: YAML with `as_of`, `models`, `service_tiers` and `discounts`; see `pricing/data/prices-openai.yaml`.
        named: how errors and sources call the file; its path when None.

    Raises:
        BackrouteError: the file cannot be read, a key is unknown, or a value is not what its key says.
    """
    where = named or str(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BackrouteError(where, f"cannot read the price file ({error.strerror})", fix="check the path") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bytes that are not UTF-8, or a 13th month
        problem = " ".join(str(error).split())
        raise BackrouteError(where, f"not valid YAML ({problem})", fix="mend the file") from None
    top = _mapping(data, where, ("as_of", "models", "service_tiers", "discounts"))
    models = _mapping(top.get("models", {}), f"{where}: models")
    return Overlay(
        source=where,
        as_of=_day(top, "as_of", where),
        models={_canonical(name, where): _model(name, block, f"{where}: {name}") for name, block in models.items()},
        tiers=[
            _tier(block, f"{where}: service_tiers[{index}]")
            for index, block in enumerate(_list(top, "service_tiers", where))
        ],
        discounts=[
            _discount(block, f"{where}: discounts[{index}]")
            for index, block in enumerate(_list(top, "discounts", where))
        ],
    )


def _canonical(name: object, where: str) -> str:
    if not isinstance(name, str) or not all(name.partition("/")):
        raise BackrouteError(where, f"not a model name ({name!r})", fix="write it as provider/model")
    return name


def _model(name: str, block: object, where: str) -> ModelFacts:
    keys = ("launched", "names", "same_prices_as", "source", "prices", "capabilities")
    facts = _mapping(block, where, keys)
    source = _text(facts, "source", where)
    capabilities = _mapping(facts.get("capabilities", {}), f"{where}: capabilities", tuple(_CAPABILITIES))
    for key, value in capabilities.items():
        if type(value) is not _CAPABILITIES[key]:
            kind = _CAPABILITIES[key].__name__
            raise BackrouteError(f"{where}: capabilities.{key}", f"not a {kind} ({value!r})", fix=f"give a {kind}")
    prices = [
        _entry(name, price, f"{where}: prices[{index}]", source)
        for index, price in enumerate(_list(facts, "prices", where))
    ]
    # The last entry that applies wins, so the file's own order must not let an old price hide a newer one.
    prices.sort(key=lambda entry: entry.effective_from or date.min)
    return ModelFacts(
        launched=_day(facts, "launched", where),
        names=tuple(str(alias) for alias in _list(facts, "names", where)),
        same_prices_as=_text(facts, "same_prices_as", where),
        prices=prices,
        capabilities=dict(capabilities),
    )


def _entry(model: str, block: object, where: str, source: str | None) -> PriceEntry:
    keys = ("effective_from", "until", "utc_window", "tier", "source", "note", *_PRICE_KEYS)
    price = _mapping(block, where, keys)
    rates = {name: _rate(price[key], f"{where}: {key}") for key, name in _PRICE_KEYS.items() if key in price}
    if not rates:
        raise BackrouteError(where, "no price in this entry", fix="add input_usd_per_mtok and output_usd_per_mtok")
    start, until = _day(price, "effective_from", where), _day(price, "until", where)
    if start is not None and until is not None and until <= start:
        raise BackrouteError(where, f"until ({until}) is not after effective_from ({start})", fix="mend the dates")
    return PriceEntry(
        model=model,
        rates=rates,
        source=_text(price, "source", where) or source or where,
        effective_from=start,
        until=until,
        window=_window(price["utc_window"], f"{where}: utc_window") if "utc_window" in price else None,
        tier=(_text(price, "tier", where) or "standard").lower(),
        note=_text(price, "note", where) or "",
    )


def _tier(block: object, where: str) -> TierRule:
    rule = _mapping(block, where, ("provider", "tier", "multiplier", "models", "effective_from", "source"))
    for key in ("provider", "tier", "multiplier", "source"):
        if key not in rule:
            raise BackrouteError(where, f"no {key}", fix=f"add {key}")
    return TierRule(
        provider=str(rule["provider"]),
        tier=str(rule["tier"]).lower(),
        multiplier=_money(rule["multiplier"], f"{where}: multiplier"),
        source=str(rule["source"]),
        models=tuple(str(model) for model in _list(rule, "models", where)),
        effective_from=_day(rule, "effective_from", where),
    )


def _discount(block: object, where: str) -> Discount:
    rule = _mapping(block, where, ("model", "provider", "pct", "effective_from", "until", "source"))
    if ("model" in rule) == ("provider" in rule):
        raise BackrouteError(where, "neither a model nor a provider, or both", fix="name one: model or provider")
    for key in ("pct", "source"):
        if key not in rule:
            raise BackrouteError(where, f"no {key}", fix=f"add {key}")
    name, provider = _text(rule, "model", where), _text(rule, "provider", where)
    start, until = _day(rule, "effective_from", where), _day(rule, "until", where)
    if start is not None and until is not None and until <= start:
        raise BackrouteError(where, f"until ({until}) is not after effective_from ({start})", fix="mend the dates")
    return Discount(
        provider=provider or _canonical(name, where).partition("/")[0],
        model=name,
        pct=_percent(rule["pct"], f"{where}: pct"),
        source=str(rule["source"]),
        effective_from=start,
        until=until,
    )


def _percent(value: object, where: str) -> Decimal:
    try:
        pct = Decimal(str(value)) if type(value) in (int, float) else Decimal("NaN")
    except InvalidOperation:
        pct = Decimal("NaN")
    if not pct.is_finite() or not -1000 <= pct <= 100:
        raise BackrouteError(where, f"not a percentage off ({value!r})", fix="write 15 for 15% off, -10 for 10% on top")
    return pct


def _rate(value: object, where: str) -> Rate:
    if not isinstance(value, dict):
        return Rate(_money(value, where))
    tiered = _mapping(value, where, ("base", "above"))
    steps = []
    for index, block in enumerate(_list(tiered, "above", where)):
        step = _mapping(block, f"{where}: above[{index}]", ("input_tokens", "usd_per_mtok"))
        tokens = step.get("input_tokens")
        if type(tokens) is not int or tokens < 0:
            raise BackrouteError(f"{where}: above[{index}]", f"not a token count ({tokens!r})", fix="give input_tokens")
        steps.append((tokens, _money(step.get("usd_per_mtok"), f"{where}: above[{index}].usd_per_mtok")))
    return Rate(_money(tiered.get("base"), f"{where}: base"), tuple(sorted(steps)))


def _money(value: object, where: str) -> Decimal:
    try:
        number = Decimal(str(value)) if type(value) in (int, float, str) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number < 10**9:
        raise BackrouteError(where, f"not a price ({value!r})", fix="give a number of USD, zero or more")
    return number


def _window(value: object, where: str) -> tuple[time, time]:
    block = _mapping(value, where, ("from", "to"))
    clocks = []
    for key in ("from", "to"):
        clock = block.get(key)
        if not isinstance(clock, str) or not _CLOCK.fullmatch(clock):
            raise BackrouteError(where, f"{key} is not a time of day ({clock!r})", fix='write it quoted, as "16:30"')
        clocks.append(time.fromisoformat(clock))
    return clocks[0], clocks[1]


def _mapping(value: object, where: str, known: Iterable[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BackrouteError(where, f"not a mapping ({value!r:.60})", fix="write key: value lines")
    for key in value:
        if known is not None and key not in known:
            raise BackrouteError(where, f"unknown key ({key!r})", fix=nearest(str(key), known) or "remove it")
    return value


def _list(block: dict[str, Any], key: str, where: str) -> list[Any]:
    value = block.get(key, [])
    if not isinstance(value, list):
        raise BackrouteError(f"{where}: {key}", f"not a list ({value!r:.60})", fix="write - items")
    return value


def _text(block: dict[str, Any], key: str, where: str) -> str | None:
    value = block.get(key)
    if value is not None and not isinstance(value, str):
        raise BackrouteError(f"{where}: {key}", f"not a text ({value!r})", fix="quote it")
    return value


def _day(block: dict[str, Any], key: str, where: str) -> date | None:
    value = block.get(key)
    if value is not None and type(value) is not date:
        raise BackrouteError(f"{where}: {key}", f"not a day ({value!r})", fix="write it as 2026-01-31, without quotes")
    return value

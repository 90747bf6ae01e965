"""Our integers against genai-prices' own decimals, on every recorded usage block it can price."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot

from pricing import BUCKETS, AsOf, PriceBook, charge

KEYS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens",
        "output_reasoning_tokens")  # fmt: skip


def recorded(path: Path) -> list[tuple[Any, Any, dict[str, int]]]:
    """(provider, model, token usage) as genai-prices' extractors read them; audio, images and searches left out."""
    snapshot = get_snapshot()
    found = []
    with gzip.open(path) as lines:
        for line in lines:
            row = json.loads(line)
            try:
                provider = snapshot.find_provider(None, None, row["uri"])
            except LookupError:
                continue
            for extractor in provider.extractors or []:
                try:
                    usage = snapshot.extract_usage(row["response"], provider.id, api_flavor=extractor.api_flavor)
                    model = usage.model or provider.find_model(str(row["model"]), all_providers=snapshot.providers)
                except (AttributeError, LookupError, ValueError):  # it trips over a few shapes itself
                    continue
                counts = {key: int(usage.usage.reported_value(key)) for key in KEYS}
                # A few extracted blocks report more cached tokens than tokens, which genai-prices refuses to price.
                if model is not None and min(buckets(counts)) >= 0:
                    found.append((provider, model, counts))
                break
    return found


def buckets(usage: dict[str, int]) -> tuple[int, ...]:
    read, write, hour = (usage[key] for key in ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"))
    thought = usage["output_reasoning_tokens"]
    return usage["input_tokens"] - read - write, read, write - hour, hour, usage["output_tokens"] - thought, thought


@pytest.mark.parametrize("moment", ["2026-11-23T12:00", "2026-11-23T02:00", "2026-09-09T20:00"])
def test_every_recorded_usage_block_costs_what_genai_prices_says(
    book: PriceBook, shared_data: Path, moment: str
) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    rows = recorded(shared_data / "provider_responses" / "responses.jsonl.gz")
    names = [book.resolve(f"{provider.id}/{model.id}") for provider, model, _ in rows]
    usage = [buckets(counts) for *_, counts in rows]
    columns = {b: pa.array([row[i] * 1000 for row in usage], pa.int64()) for i, b in enumerate(BUCKETS)}
    ours = charge(book, pa.array(names), pa.table(columns), at=AsOf.parse(at)).total.to_pylist()
    told: Counter[str] = Counter()
    unpriced = []
    for (provider, model, counts), name, total in zip(rows, names, ours, strict=True):
        prices = model.get_prices(at)
        if prices.input_mtok is None or (prices.output_mtok is None and counts["output_tokens"]):
            told["no token price"] += 1
            # Of what it leaves unpriced, only OpenRouter's `:free` variants have a price here: none.
            free = provider.id == "openrouter" and model.id.endswith(":free")
            assert total == 0 if free else total is None or not any(counts.values())
            continue
        theirs = model.calc_price(Usage(**counts), provider, genai_request_timestamp=at).total_price
        if total is None:
            unpriced.append((provider.id, model.id, name))
        else:
            told["equal"] += 1
            assert Decimal(total).scaleb(-12) == theirs, (name, counts)
    assert unpriced == []
    assert told["equal"] > 1_500


def test_every_published_price_equals_genai_prices_at_a_few_instants(book: PriceBook) -> None:
    """All token-priced models of all providers, after rounding to six decimals, with every bucket in use."""
    told = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            for at in (datetime(2026, 11, 23, 2, tzinfo=UTC), datetime(2026, 10, 19, 0, 30, tzinfo=UTC)):
                quote = book.quote(f"{provider.id}/{model.id}", at)
                prices = model.get_prices(at)
                if quote is None or prices.input_mtok is None or prices.output_mtok is None:
                    continue
                if set(vars(prices)) & {"output_citation_mtok", "requests_kcount", "input_text_mtok"}:
                    continue
                counts = dict(zip(KEYS, (210_000, 20_000, 30_000, 10_000, 5_000, 1_000), strict=True))
                theirs = model.calc_price(Usage(**counts), provider, genai_request_timestamp=at).total_price
                rates = quote.usd_per_mtok
                ours = sum(
                    rate.at(210_000) * count
                    for bucket, count in zip(BUCKETS, buckets(counts), strict=True)
                    if (rate := rates[bucket])
                )
                assert abs(Decimal(ours) - theirs * 1_000_000) <= Decimal("0.3"), (provider.id, model.id)
                told += 1
    assert told > 4_000


@pytest.mark.parametrize("moment", ["2026-11-23T12:00", "2027-01-02T12:00"])
def test_every_published_service_tier_equals_genai_prices(book: PriceBook, moment: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    told = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            for key, tier in (("processing", "batch"), ("service_tier", "flex"), ("service_tier", "priority")):
                quote = book.quote(f"{provider.id}/{model.id}", at, tier)
                variants = [v for v in model.price_variants or [] if v.when == {key: tier}]
                if quote is None or not any(v.constraint is None or v.constraint.active(at) for v in variants):
                    continue
                theirs = model.get_prices(at, {key: tier})
                for name, rate in quote.rates.items():
                    price = getattr(theirs, f"{name}_mtok")
                    assert rate.base == round(getattr(price, "base", price), 6), (provider.id, model.id, tier, name)
                told += 1
    assert told > 120

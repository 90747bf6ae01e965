"""A small claim and list prices, for the tests of claims and their audit."""

from decimal import Decimal

from simulator.claim import ModelPrices

GPT_4O, MINI = "openai/gpt-4o", "openai/gpt-4o-mini"
SONNET, LLAMA = "anthropic/claude-sonnet-4-5", "groq/llama-3.1-8b-instant"


def prices(input_usd: str, output_usd: str, cache_read: str | None = None) -> ModelPrices:
    return ModelPrices(Decimal(input_usd), Decimal(output_usd), None if cache_read is None else Decimal(cache_read))


LIST = {
    GPT_4O: prices("2.50", "10.00", "1.25"),
    MINI: prices("0.15", "0.60", "0.075"),
    SONNET: prices("3.00", "15.00", "0.30"),
    LLAMA: prices("0.05", "0.08"),
}
SMALL = """
name: small
source: a test
baseline: {model: openai/gpt-4o, usd: 1000}
routed: [{slice: all, model: openai/gpt-4o-mini, usd: 100}]
"""

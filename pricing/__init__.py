"""What a call costs: usage buckets, token counting, the price book and the charge."""

from pricing.asof import AsOf
from pricing.book import STANDARD_TIERS, PriceBook
from pricing.charge import Charges, charge
from pricing.counting import (
    CountingRule,
    MessageCounts,
    TokenCount,
    count_messages,
    count_output,
    count_outputs,
    counting_rule,
)
from pricing.entries import BUCKETS, Capabilities, PriceChange, PriceEntry, Rate, SourceAge
from pricing.tokenizers import count_texts

__all__ = [
    "BUCKETS",
    "STANDARD_TIERS",
    "AsOf",
    "Capabilities",
    "Charges",
    "CountingRule",
    "MessageCounts",
    "PriceBook",
    "PriceChange",
    "PriceEntry",
    "Rate",
    "SourceAge",
    "TokenCount",
    "charge",
    "count_messages",
    "count_output",
    "count_outputs",
    "count_texts",
    "counting_rule",
]

"""One live call: what is sent, the most it can cost, and what it did cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import pyarrow as pa

from pricing import BUCKETS, AsOf, PriceBook, charge
from problems import BackrouteError
from router.providers.base import Answer
from workloads.counts import MOST_TOKENS

# Without a cap of the request's own: generous for an answer, and a bound on what one call can cost.
ANSWER_TOKENS = 4_096
# A token is at least a byte of text; roles, separators and a provider's own preamble come on top.
MESSAGE_TOKENS, REQUEST_TOKENS = 16, 64

Message = Mapping[str, str]


@dataclass(frozen=True)
class Call:
    """One request to one model.

    Args:
        id: unique within the run and the same after a resume.
        provider: who is called.
        model: the provider's name for it.
        messages: role and content, the system prompt among them.
        cap: output tokens, reasoning included.
        most_pico: the most it can cost.
        name: the model's canonical name, which it is priced by.
    """

    id: str
    provider: str
    model: str
    messages: Sequence[Message]
    cap: int
    most_pico: int
    name: str


class Tariff:
    """Prices of live calls: the book's latest, as they are made now.

    Args:
        book: the prices.
        spelled: the provider's own name of a model by its canonical one, where a rules file says it.
    """

    def __init__(self, book: PriceBook, spelled: Mapping[str, str] | None = None) -> None:
        self._book, self._spelled = book, dict(spelled or {})

    def call(self, call_id: str, name: str, messages: Sequence[Message], cap: int | None = None) -> Call:
        """A call to the model of a canonical name; `cap` is the request's own, in tokens.

        Raises:
            BackrouteError: the model has no price, so that no cap on spending could hold.
        """
        limit = self._book.capabilities(name).max_output_tokens
        bound = min(cap or ANSWER_TOKENS, limit or MOST_TOKENS)
        provider, _, model = self._spelled.get(name, name).partition("/")
        return Call(call_id, provider, model, messages, bound, self.most(name, messages, bound), name)

    def most(self, name: str, messages: Sequence[Message], cap: int) -> int:
        """Picodollars that no answer of at most `cap` tokens to these messages can exceed."""
        text = sum(len(message["content"].encode()) + MESSAGE_TOKENS for message in messages) + REQUEST_TOKENS
        return self.price(name, text, cap)

    def price(self, name: str, input_tokens: int, output_tokens: int) -> int:
        """Picodollars for this many uncached tokens in and this many out, whichever kind of output is dearer.

        Raises:
            BackrouteError: the model has no price.
        """
        quote = self._book.quote(name, self._book.date)
        rates = quote.usd_per_mtok if quote else {}
        spent = Decimal(0)
        sides = ((input_tokens, ("input_uncached",)), (output_tokens, ("output_text", "output_reasoning")))
        for tokens, buckets in sides:
            priced = [rate.at(input_tokens) for bucket in buckets if (rate := rates.get(bucket))]
            if not priced:
                fix = "add a price with --prices"
                raise BackrouteError(name, "no price in the book", effect="no cap on spending could hold", fix=fix)
            spent += tokens * max(priced)
        return int((spent * 10**6).to_integral_value(ROUND_CEILING))

    def cost(self, call: Call, answer: Answer) -> int:
        """What an answer cost, picodollars; where its usage or its tier's price is unknown, the most it can have."""
        counts = {bucket: getattr(answer.usage, bucket) for bucket in BUCKETS}
        thousandths = {bucket: None if count is None else 1000 * count for bucket, count in counts.items()}
        usage = pa.table({bucket: pa.array([count], pa.int64()) for bucket, count in thousandths.items()})
        tier = pa.array([answer.served_tier], pa.string())
        charged = charge(self._book, pa.array([call.name]), usage, at=AsOf.parse("latest"), tier=tier).total[0].as_py()
        return call.most_pico if charged is None else int(charged)

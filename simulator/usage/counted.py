"""Token counts of a log's texts, or those that a content-free profile holds in their place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
import pyarrow as pa

from pricing import (
    CountingRule,
    MessageCounts,
    TokenCount,
    count_messages,
    count_output,
    count_outputs,
    counting_rule,
)
from pricing.counting import NOT_COUNTED
from problems import BackrouteError
from simulator.counts import Array
from simulator.stored.made import Made


class CountedInput:
    """Input tokens of a batch's requests by any model's counting rule.

    Args:
        requests: arrival columns; messages are the texts, or a profile's counts of them: a struct with thousandths of a
            token by counting rule.
        made: what was counted before, where the batch lies on disk.
    """

    def __init__(self, requests: pa.RecordBatch, made: Made | None = None) -> None:
        texts = not pa.types.is_struct(requests.schema.field("messages").type)
        self._held = None if texts else requests["messages"]
        self._counts = MessageCounts(
            lambda: requests["messages"], requests.num_rows, None if made is None else made.numbers
        )
        self._kept: dict[str, int] = {}

    def count(self, model: str, rows: Array) -> TokenCount:
        """The tokens of the requests of these numbers; see `pricing.count_messages`.

        Raises:
            BackrouteError: a profile that was made without this model's tokenizer.
        """
        if self._held is None:
            return self._counts.count(model, rows)
        return _from_profile(model, self._held.take(pa.array(rows)))

    def count_together(
        self, models: Sequence[str], rows: Sequence[Array], strings: Sequence[str | None] | None = None
    ) -> None:
        """Count at once what each model will be asked of its requests, which copies no texts where that is all."""
        if self._held is None:
            self._counts.count_together(models, rows, strings)

    def keep(self, made: Made) -> None:
        """Hand on the counts that were made since the last time."""
        for name, column in self._counts.columns.items():
            counted = int((column != NOT_COUNTED).sum())
            if counted > self._kept.get(name, 0):
                made.put(name, pa.array(column, mask=column == NOT_COUNTED))
                self._kept[name] = counted

    def read_from(self, requests: pa.RecordBatch) -> None:
        """Look at these requests' texts, which are the same, when one has to be looked at, and hold none until then."""
        self._counts.messages = lambda: requests["messages"]
        self._counts.forget_texts()


def counted_outputs(
    models: Sequence[str], rows: Sequence[Array], completions: pa.Array, strings: Sequence[str | None] | None = None
) -> list[TokenCount]:
    """Output tokens of each model's answers, or a profile's counts of them, likewise; see `pricing.count_outputs`."""
    if pa.types.is_struct(completions.type):
        return [_from_profile(model, completions.take(pa.array(at))) for model, at in zip(models, rows, strict=True)]
    return count_outputs(models, rows, completions, strings)


def counts_of(texts: pa.Array, models: Iterable[str], *, output: bool) -> pa.StructArray:
    """What a profile holds in place of texts: their counts for each model, null where there is no text.

    Args:
        texts: messages, or completions where `output`.
        models: whose counting rules are wanted; several models share one.
        output: which of the two the texts are.
    """
    by_rule = {rule_key(counting_rule(model)): model for model in sorted(models)}
    count = count_output if output else count_messages
    columns = [count(model, texts).tokens for model in by_rule.values()]
    return pa.StructArray.from_arrays(columns, names=list(by_rule), mask=texts.is_null())


def rule_key(rule: CountingRule) -> str:
    """A counting rule's name in a profile: its tokenizer, and a hash of all that makes its counts."""
    said = msgspec.json.encode((rule.tokenizer, rule.chat, rule.ratio, rule.output_extra))
    return f"{rule.tokenizer} {hashlib.blake2b(said, digest_size=4).hexdigest()}"


def _from_profile(model: str, texts: pa.StructArray) -> TokenCount:
    rule = counting_rule(model)
    key = rule_key(rule)
    if texts.type.get_field_index(key) < 0:
        fix = f"make it again: `backroute profile LOG --model {model}`"
        raise BackrouteError("profile", f"it holds no token counts for {model}'s tokenizer", fix=fix)
    # Flattening, not field(), keeps the nulls of the struct itself.
    tokens = texts.flatten()[texts.type.get_field_index(key)]
    return TokenCount(tokens, rule.provenance, rule.log_sd)

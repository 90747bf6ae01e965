"""How many tokens a model reads and writes: exact where its tokenizer is public, else an estimate with its error."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray

from pricing.tokenizers import count_texts, installed

_DATA = Path(__file__).parent / "data" / "tokenizers.yaml"


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """Tokens that a chat format adds: per request, per message, per name, and where there is no system prompt."""

    per_request: int
    per_message: int
    per_name: int
    without_system: int = 0
    counts_roles: bool = True


@dataclass(frozen=True, slots=True)
class CountingRule:
    """How a model's tokens are counted: `ratio` times those of `tokenizer`, with a log standard deviation.

    `ratio` None: the tokenizer is the model's own and the count exact. `output_extra`: tokens billed beside an answer's
    text. `source` says where the figures come from.
    """

    tokenizer: str
    chat: ChatFormat
    ratio: float | None
    log_sd: float
    output_extra: int
    source: str

    @property
    def provenance(self) -> Literal["tokenizer", "estimated"]:
        """What a count by this rule rests on."""
        return "tokenizer" if self.ratio is None else "estimated"


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Token counts of one model's rows.

    Args:
        tokens: int64, thousandths of a token; null where a text is unknown.
        provenance: "tokenizer" when exact, else "estimated".
        relative_sd: standard deviation of each estimate relative to it; 0 when exact.
    """

    tokens: pa.Array
    provenance: Literal["tokenizer", "estimated"]
    relative_sd: float


@cache
def counting_rule(model: str) -> CountingRule:
    """The rule for a model, by its name; unknown models have a general prior, so there always is one."""
    chats, rules = _data()
    rule = next(rule for rule in rules if re.search(rule["pattern"], model.lower()))
    if "stand_in" in rule and not installed(rule["tokenizer"]):
        rule = rule | rule["stand_in"]
    return CountingRule(
        tokenizer=rule["tokenizer"],
        chat=ChatFormat(**chats[rule["chat"]]),
        ratio=rule.get("ratio"),
        log_sd=rule.get("log_sd", 0.0),
        output_extra=rule.get("output_extra", 0),
        source=rule["source"],
    )


def count_messages(model: str, messages: pa.Array | pa.ChunkedArray) -> TokenCount:
    """Input tokens of chat requests as the model's provider counts them, before tools and images.

    `per_request + Σ (per_message + tokens(role) + tokens(text) [+ per_name + tokens(name)])`, the figures of
    `data/tokenizers.yaml`; for OpenAI's 3, 3 and 1, exact on all but 2 of 110 recorded text-only calls.

    Args:
        model: the model whose tokenizer counts.
        messages: list<struct<role, name, text>> per request; a request with an unknown (null) text is unknown.
    """
    rule = counting_rule(model)
    flat = messages.combine_chunks() if isinstance(messages, pa.ChunkedArray) else messages
    parts = pc.list_flatten(flat)
    request = pc.list_parent_indices(flat).to_numpy().astype(np.intp, copy=False)
    role, name, text = (pc.struct_field(parts, field) for field in ("role", "name", "text"))
    chat = rule.chat
    around = np.full(len(parts), chat.per_message, np.int64)
    if chat.counts_roles:
        around += _counted(rule, role)
    if chat.per_name:
        # A name that repeats the role costs one token less, on all five recorded calls that have one.
        repeated = pc.fill_null(pc.equal(name, role), False).to_numpy(zero_copy_only=False)
        around += np.where(_known(name), chat.per_name + _counted(rule, name) - repeated, 0)
    overhead = chat.per_request + _summed(around, request, len(flat))
    if chat.without_system:
        prompted = pc.fill_null(pc.is_in(role, pa.array(["system", "developer"])), False).to_numpy(zero_copy_only=False)
        overhead += chat.without_system * (_summed(prompted.astype(np.int64), request, len(flat)) == 0)
    unknown = _summed((~_known(text)).astype(np.int64), request, len(flat)) > 0
    unknown |= flat.is_null().to_numpy(zero_copy_only=False)
    return _count(rule, _summed(_counted(rule, text), request, len(flat)), overhead, unknown)


def count_output(model: str, completions: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> TokenCount:
    """Output tokens of answers as the model's provider counts them, hidden reasoning and tool calls aside.

    Args:
        model: the model whose tokenizer counts.
        completions: the answers' texts; null stays null, and an empty answer counts nothing.
    """
    rule = counting_rule(model)
    counts = count_texts(rule.tokenizer, completions)
    text = pc.fill_null(counts, 0).to_numpy()
    extra = np.where(text > 0, rule.output_extra, 0)
    return _count(rule, text, extra, counts.is_null().to_numpy(zero_copy_only=False))


def _count(
    rule: CountingRule, text: NDArray[np.int64], overhead: NDArray[np.int64], unknown: NDArray[np.bool_]
) -> TokenCount:
    scaled = text * 1000 if rule.ratio is None else np.rint(text * (1000 * rule.ratio)).astype(np.int64)
    tokens = pa.array(scaled + overhead * 1000, mask=unknown)
    return TokenCount(tokens, rule.provenance, rule.log_sd)


def _counted(rule: CountingRule, texts: pa.Array) -> NDArray[np.int64]:
    return pc.fill_null(count_texts(rule.tokenizer, texts), 0).to_numpy()  # type: ignore[no-any-return]


def _known(column: pa.Array) -> NDArray[np.bool_]:
    return column.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _summed(values: NDArray[np.int64], request: NDArray[np.intp], requests: int) -> NDArray[np.int64]:
    """Each request's sum over its messages; exact, since the floats of bincount hold integers up to 2⁵³."""
    return np.bincount(request, weights=values, minlength=requests).astype(np.int64)


@cache
def _data() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return data["chats"], data["rules"]

"""How many tokens a model reads and writes: exact where its tokenizer is public, else an estimate with its error."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from weakref import ref

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray

from pricing.tokenizers import count_texts, installed

NOT_COUNTED = -1
RECENT = 16  # batches whose texts stay in memory once they were looked at, since other tokenizers may count them next
ALONE = 2  # messages, a system prompt among them, of a request without history
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


class MessageCounts:
    """Input tokens of chat requests for any models; each text is counted once by each tokenizer that is asked for.

    Args:
        messages: gives list<struct<role, name, text>> per request, when a text has to be looked at.
        requests: how many.
        before: gives a column of `columns` by its name, where it was counted before.
    """

    def __init__(
        self,
        messages: Callable[[], pa.Array | pa.ChunkedArray],
        requests: int,
        before: Callable[[str], NDArray[np.int64] | None] | None = None,
    ) -> None:
        self.messages, self._requests, self._before = messages, requests, before
        # What was counted, by name: tokens of each request's texts by tokenizer, and of what is around them by format;
        # NOT_COUNTED where no model asked for it.
        self.columns: dict[str, NDArray[np.int64]] = {}
        self._said: _Said | None = None

    def count(self, model: str, rows: NDArray[np.int64] | None = None) -> TokenCount:
        """See `count_messages`; of the requests of these numbers, or of all."""
        rule = counting_rule(model)
        at = np.arange(self._requests) if rows is None else rows
        tokens = self._text_tokens(rule.tokenizer, at)
        around = self._column(f"around {rule.tokenizer} {rule.chat}", lambda: self._parsed().around(rule))
        unknown = self._column("unknown", lambda: self._parsed().unknown)
        return _count(rule, tokens, around[at], unknown[at] == 1)

    def count_together(
        self, models: Sequence[str], rows: Sequence[NDArray[np.int64]], strings: Sequence[str | None] | None = None
    ) -> None:
        """Count the texts of each model's requests, of all those together that share a tokenizer.

        Args:
            models, rows: the numbers of each model's requests.
            strings: the texts of all messages, where the caller has them as strings of Python's.
        """
        by_tokenizer: dict[str, list[NDArray[np.int64]]] = {}
        for model, some in zip(models, rows, strict=True):
            by_tokenizer.setdefault(counting_rule(model).tokenizer, []).append(some)
        for tokenizer, held in by_tokenizer.items():
            self._text_tokens(tokenizer, np.sort(np.concatenate(held)), strings)

    def forget_texts(self) -> None:
        """Ask for the messages again when a text has to be looked at."""
        self._said = None

    def _parsed(self) -> _Said:
        said = self._said
        if said is None:
            said = self._said = _Said(self.messages())
            _recent.append(ref(self))
            if len(_recent) > RECENT and (oldest := _recent.popleft()()) is not None:
                oldest.forget_texts()
        return said

    def _column(self, name: str, make: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
        if name not in self.columns:
            held = None if self._before is None else self._before(name)
            self.columns[name] = make() if held is None else held
        return self.columns[name]

    def _text_tokens(
        self, tokenizer: str, rows: NDArray[np.int64], strings: Sequence[str | None] | None = None
    ) -> NDArray[np.int64]:
        sums = self._column(f"texts {tokenizer}", lambda: np.full(self._requests, NOT_COUNTED))
        missing = rows[sums[rows] == NOT_COUNTED]
        if len(missing):
            sums[missing] = self._parsed().tokens(tokenizer, missing, strings)
        return sums[rows]


_recent: deque[ref[MessageCounts]] = deque()


class _Said:
    """Messages taken apart."""

    def __init__(self, messages: pa.Array | pa.ChunkedArray) -> None:
        flat = messages.combine_chunks() if isinstance(messages, pa.ChunkedArray) else messages
        parts = pc.list_flatten(flat)
        role, self._name, self._text = (pc.struct_field(parts, field) for field in ("role", "name", "text"))
        self._role = role.dictionary_encode()
        self._request = pc.list_parent_indices(flat).to_numpy().astype(np.intp, copy=False)
        self._requests = len(flat)
        unknown = (self._summed(~_known(self._text)) > 0) | flat.is_null().to_numpy(zero_copy_only=False)
        self.unknown = unknown.astype(np.int64)

    def tokens(
        self, tokenizer: str, rows: NDArray[np.int64], strings: Sequence[str | None] | None = None
    ) -> NDArray[np.int64]:
        """Tokens of the texts of the requests of these numbers; `strings` are those of all requests."""
        wanted = np.zeros(self._requests, bool)
        wanted[rows] = True
        parts = np.flatnonzero(wanted[self._request])
        texts = self._text
        if len(parts) < len(texts):
            texts, strings = texts.take(pa.array(parts)), strings and [strings[part] for part in parts.tolist()]
        conversations = len(parts) > ALONE * len(rows)
        counted = _counted(tokenizer, texts, strings=strings, again=conversations)
        return self._summed(counted, self._request[parts])[rows]

    def around(self, rule: CountingRule) -> NDArray[np.int64]:
        """Tokens that a chat format adds to each request's texts."""
        chat = rule.chat
        around = np.full(len(self._role), chat.per_message, np.int64)
        if chat.counts_roles:
            around += _counted(rule.tokenizer, self._role)
        if chat.per_name and self._name.null_count < len(self._name):
            # A name that repeats the role costs one token less, on all five recorded calls that have one.
            repeated = pc.fill_null(pc.equal(self._name, self._role.dictionary_decode()), False)
            named = chat.per_name + _counted(rule.tokenizer, self._name) - repeated.to_numpy(zero_copy_only=False)
            around += np.where(_known(self._name), named, 0)
        found = chat.per_request + self._summed(around)
        if chat.without_system:
            prompting = pc.is_in(self._role, pa.array(["system", "developer"]))
            prompted = pc.fill_null(prompting, False).to_numpy(zero_copy_only=False)
            found += chat.without_system * (self._summed(prompted) == 0)
        return found

    def _summed(self, values: NDArray[Any], request: NDArray[np.intp] | None = None) -> NDArray[np.int64]:
        """Each request's sum over its messages; exact, since the floats of bincount hold integers up to 2⁵³."""
        at = self._request if request is None else request
        return np.bincount(at, weights=values, minlength=self._requests).astype(np.int64)


def count_messages(model: str, messages: pa.Array | pa.ChunkedArray) -> TokenCount:
    """Input tokens of chat requests as the model's provider counts them, before tools and images.

    `per_request + Σ (per_message + tokens(role) + tokens(text) [+ per_name + tokens(name)])`, the figures of
    `data/tokenizers.yaml`; for OpenAI's 3, 3 and 1, exact on all but 2 of 110 recorded text-only calls.

    Args:
        model: the model whose tokenizer counts.
        messages: list<struct<role, name, text>> per request; a request with an unknown (null) text is unknown.
    """
    return MessageCounts(lambda: messages, len(messages)).count(model)


def count_output(model: str, completions: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> TokenCount:
    """Output tokens of answers as the model's provider counts them, hidden reasoning and tool calls aside.

    Args:
        model: the model whose tokenizer counts.
        completions: the answers' texts; null stays null, and an empty answer counts nothing.
    """
    rule = counting_rule(model)
    counts = count_texts(rule.tokenizer, completions)
    return _output(rule, pc.fill_null(counts, 0).to_numpy(), ~_known(counts))


def count_outputs(
    models: Sequence[str],
    rows: Sequence[NDArray[np.int64]],
    completions: pa.Array,
    strings: Sequence[str | None] | None = None,
) -> list[TokenCount]:
    """See `count_output`: of each model's rows; texts of models that share a tokenizer are counted together.

    Args:
        models, rows: the numbers of each model's answers.
        completions: all answers' texts.
        strings: the same as strings of Python's, where the caller has them.
    """
    rules, counts = list(map(counting_rule, models)), np.zeros(len(completions), np.int64)
    for tokenizer in dict.fromkeys(rule.tokenizer for rule in rules):
        alike = [some for rule, some in zip(rules, rows, strict=True) if rule.tokenizer == tokenizer]
        at, texts, said = np.sort(np.concatenate(alike)), completions, strings
        if len(at) < len(texts):
            texts, said = texts.take(pa.array(at)), strings and [strings[row] for row in at.tolist()]
        counts[at] = _counted(tokenizer, texts, strings=said)
    unknown = ~_known(completions)
    return [_output(rule, counts[some], unknown[some]) for rule, some in zip(rules, rows, strict=True)]


def _output(rule: CountingRule, text: NDArray[np.int64], unknown: NDArray[np.bool_]) -> TokenCount:
    return _count(rule, text, np.where(text > 0, rule.output_extra, 0), unknown)


def _count(
    rule: CountingRule, text: NDArray[np.int64], overhead: NDArray[np.int64], unknown: NDArray[np.bool_]
) -> TokenCount:
    scaled = text * 1000 if rule.ratio is None else np.rint(text * (1000 * rule.ratio)).astype(np.int64)
    tokens = pa.array(scaled + overhead * 1000, mask=unknown)
    return TokenCount(tokens, rule.provenance, rule.log_sd)


def _counted(tokenizer: str, texts: pa.Array, **options: Any) -> NDArray[np.int64]:
    return pc.fill_null(count_texts(tokenizer, texts, **options), 0).to_numpy()  # type: ignore[no-any-return]


def _known(column: pa.Array) -> NDArray[np.bool_]:
    return column.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


@cache
def _data() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    data = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return data["chats"], data["rules"]

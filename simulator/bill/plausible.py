"""Usage that cannot be true: stated counts that do not fit their own text, by model and source, with the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import PriceBook, count_messages, count_output, counting_rule
from simulator.bill.guessed import Guess, guessed_constant, same_count
from simulator.counts import THOUSAND, Array
from simulator.models import Codes, ModelIndex
from simulator.money import grouped
from simulator.sums.merge import merge_fields
from simulator.usage.logged import FALLBACK_MODEL
from simulator.usage.sample import Sample, id_hashes
from workloads import INPUT_BUCKETS

LOOKED_AT = 300  # rows whose text is counted, per model, source and side
LONG_TEXT = 40  # characters: no tokenizer makes nothing of it
SPECIAL_TOKENS = 8  # beside an answer's text: ends, channels, roles
# A stated count below its text: by the model's own tokenizer, and by an estimate of it.
EXACT_PART, ESTIMATED_PART, SLACK = 0.85, 0.5, 16
FEWEST_BELOW, SHARE_BELOW = 3, 0.01

Group = tuple[str, str | None]  # model as logged, provider as logged

WORDS = {
    "constant": "counts are {constant} x the {unit}, {rounding}: a guess, not a tokenizer's",
    "same_count": "counts are all {constant}, whatever the text",
    "copied_from_input": "output counts are the input counts again",
    "zero": "a count of 0 beside a text of {LONG_TEXT} characters and more",
    "above_bytes": "more tokens than the answer has bytes, which no tokenizer can make, or the log cuts answers short",
    "below_text": "fewer tokens than the text itself has: a cached part or the end of a stream may be left out",
}


@dataclass(frozen=True)
class Doubt:
    """Counts of one model and source that cannot be the provider's.

    Args:
        model: as logged.
        provider: as logged, or None.
        side: input or output.
        kind: constant, same_count, copied_from_input, zero, above_bytes or below_text.
        words: what is wrong, in words.
        rows: rows looked at of which it is true.
        looked_at: rows looked at.
        of: rows of the log that state such counts beside their text, whether looked at or not.
        constant: the constant behind the counts, where there is one.
        requests: up to three request ids that show it.
    """

    model: str
    provider: str | None
    side: str
    kind: str
    words: str
    rows: int
    looked_at: int
    of: int
    constant: float | None
    requests: tuple[str, ...]

    @property
    def extent(self) -> str:
        """How many rows it is true of: "1 of 9 requests", "all 300 requests looked at, a sample of 900"."""
        rows = f"all {self.rows:,}" if self.rows == self.looked_at > 1 else f"{self.rows:,} of {self.looked_at:,}"
        if self.looked_at == self.of:
            return f"{rows} request{'' if self.of == 1 else 's'}"
        return f"{rows} requests looked at, a sample of {self.of:,}"

    def as_dict(self) -> dict[str, Any]:
        """The doubt for JSON."""
        return asdict(self)


@dataclass
class Side:
    """What is seen of one model, source and side."""

    sample: Sample = field(default_factory=lambda: Sample(LOOKED_AT))
    impossible: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[str]] = field(default_factory=dict)

    def merge(self, more: Side) -> None:
        """Add what was seen in a later part of the log."""
        merge_fields(self, more, but=("shown",))
        for kind, ids in more.shown.items():
            self.shown[kind] = (self.shown.get(kind, []) + ids)[:3]


class Doubts:
    """Gathers the evidence batch by batch, and says which counts to doubt.

    Only counts that pass for the provider's are looked at; a log that says "estimated" is honest.

    Args:
        book, index: of the run.
        sides: the evidence, which is added to; parts of a log merge by key.
    """

    def __init__(self, book: PriceBook, index: ModelIndex, sides: dict[tuple[Group, str], Side] | None = None) -> None:
        self._book, self._index = book, index
        self._sides = {} if sides is None else sides

    def add(self, requests: pa.RecordBatch, outcomes: pa.RecordBatch, source: Codes, keys: Array | None = None) -> None:
        """Look at one batch: `source` are its models' codes in the index, `keys` its `id_hashes`, where known."""
        if all(outcomes[f"{side}_provenance"].null_count == len(source) for side in ("input", "output")):
            return
        sides = {side: stated_counts(outcomes, side) for side in ("input", "output")}
        claims = {side: stated.claimed & with_text(requests, outcomes, side) for side, stated in sides.items()}
        if not any(claimed.any() for claimed in claims.values()):
            return
        hashes = id_hashes(requests["request_id"]) if keys is None else keys
        for group, code, here in groups(requests, source):
            name = self._index.name(code)
            for side, stated in sides.items():
                rows = here[claims[side][here]]
                if not len(rows):
                    continue
                held = self._sides.setdefault((group, side), Side())
                for kind, fits in certain(requests, outcomes, side, stated.tokens, rows, name, self._book).items():
                    held.seen[kind] += len(rows)
                    held.impossible[kind] += len(fits)
                    shown = held.shown.setdefault(kind, [])
                    shown += requests["request_id"].take(pa.array(fits[: 3 - len(shown)])).to_pylist()
                chosen = rows[held.sample.wanted(hashes[rows])]
                if len(chosen):
                    held.sample.add(_measured(requests, outcomes, side, chosen, hashes, name))

    def found(self) -> list[Doubt]:
        """Every doubt, by model, source and side."""
        return [
            Doubt(*group, side, kind, words, rows, looked_at, of, constant, shown)
            for (group, side), held in sorted(self._sides.items(), key=lambda item: str(item[0]))
            for kind, words, rows, looked_at, of, constant, shown in self._of(side, held)
        ]

    def _of(self, side: str, held: Side) -> Iterator[tuple[str, str, int, int, int, float | None, tuple[str, ...]]]:
        for kind, rows in held.impossible.items():
            if rows:
                words = WORDS[kind].format(LONG_TEXT=LONG_TEXT)
                yield kind, words, rows, held.seen[kind], held.seen[kind], None, tuple(held.shown[kind])
        sample = held.sample.rows()
        if not sample.num_rows:
            return
        columns = {name: sample[name].to_numpy() for name in sample.column_names if name != "request_id"}
        ids = sample["request_id"]
        for kind, guess in _whole(side, columns, bool(columns["exact"][0])):
            shown = tuple(ids.take(pa.array(np.flatnonzero(guess.fit)[:3])).to_pylist())
            words = WORDS[kind].format(unit=guess.unit, rounding=guess.rounding, constant=f"{guess.constant or 0:g}")
            yield kind, words, int(guess.fit.sum()), sample.num_rows, held.sample.seen, guess.constant, shown


def _whole(side: str, columns: dict[str, Array], exact: bool) -> Iterator[tuple[str, Guess]]:
    """What is true of the sample as a whole: a guess, a copy, counts below their texts."""
    stated, counted = columns["stated"], columns["counted"]
    units = {name: columns[name] for name in columns if name.startswith(("words", "characters"))}
    guess, kind = guessed_constant(stated, units, counted), "constant"
    if guess is None:
        guess, kind = same_count(stated, counted), "same_count"
    if guess is not None:
        yield kind, guess
    if side == "output" and (copied := _copied(stated, columns["other"], counted)) is not None:
        yield "copied_from_input", copied
    low = below_text(stated, counted, exact)
    if guess is None and low.sum() >= max(FEWEST_BELOW, SHARE_BELOW * len(stated)):
        yield "below_text", Guess(low, None, "", "")


def _copied(stated: Array, other: Array, counted: Array) -> Guess | None:
    honest = np.abs(stated - counted) <= 0.05 * counted + SPECIAL_TOKENS
    same = (stated == other) & ~honest & (stated > 0)
    return Guess(same, None, "", "") if same.sum() >= max(5, 0.9 * len(stated)) else None


def below_text(stated: Array, counted: Array, exact: bool) -> Array:
    """Bool per row: a stated count too low for its text's own `counted` tokens, by more than tokenizers differ."""
    return np.asarray((stated > 0) & (stated < (EXACT_PART if exact else ESTIMATED_PART) * counted - SLACK))


@dataclass(frozen=True)
class Stated:
    """The counts of one side: `tokens` float64, and bool `claimed` where they pass for the provider's."""

    tokens: Array
    claimed: Array


def stated_counts(outcomes: pa.RecordBatch, side: str) -> Stated:
    """One side's stated tokens: all input buckets, or the visible part of the output."""
    buckets = INPUT_BUCKETS if side == "input" else ("output_text",)
    tokens = np.sum([pc.fill_null(outcomes[bucket], 0).to_numpy() for bucket in buckets], axis=0).astype(float)
    said = pc.fill_null(pc.equal(outcomes[f"{side}_provenance"], "provider"), False)
    fine = pc.fill_null(pc.equal(outcomes["status"], "ok"), False)
    return Stated(tokens, pc.and_(said, fine).to_numpy(zero_copy_only=False))


def with_text(requests: pa.RecordBatch, outcomes: pa.RecordBatch, side: str) -> Array:
    """Bool per request: the log holds the text behind this side's counts; a profile holds none."""
    texts = requests["messages"] if side == "input" else outcomes["completion"]
    if pa.types.is_struct(texts.type):
        return np.zeros(len(texts), bool)
    return np.asarray(texts.is_valid().to_numpy(zero_copy_only=False))


def groups(requests: pa.RecordBatch, source: Codes) -> Iterator[tuple[Group, int, Array]]:
    """(model and provider as logged, code, row indices) of each pair in a batch."""
    models = requests["model"].fill_null("(no model)").dictionary_encode()
    hosts = requests["provider"].dictionary_encode()
    model, host = np.asarray(models.indices, np.int64), np.asarray(hosts.indices.fill_null(-1), np.int64)
    first, where = grouped(model * (len(hosts.dictionary) + 1) + host + 1)
    for number, row in enumerate(first.tolist()):
        group = (models.dictionary[model[row]].as_py(), hosts.dictionary[host[row]].as_py() if host[row] >= 0 else None)
        yield group, int(source[row]), np.flatnonzero(where == number)


def certain(
    requests: pa.RecordBatch,
    outcomes: pa.RecordBatch,
    side: str,
    stated: Array,
    rows: Array,
    name: str | None,
    book: PriceBook,
) -> dict[str, Array]:
    """Rows (indices) whose counts are impossible whatever the tokenizer, by kind; cheap, so done for every row."""
    at = pa.array(rows)
    if side == "input":
        # Every message counts something, so a prompt of any length will do.
        characters = pc.fill_null(pc.utf8_length(requests["prompt"].take(at)), 0).to_numpy()
        return {"zero": rows[(stated[rows] == 0) & (characters >= LONG_TEXT)]}
    answers = outcomes["completion"].take(at)
    characters, size = pc.utf8_length(answers).to_numpy(), pc.binary_length(answers).to_numpy()
    # Some providers call all of a short answer reasoning.
    hidden = pc.fill_null(outcomes["output_reasoning"].take(at), 0).to_numpy()
    found = {"zero": rows[(stated[rows] + hidden == 0) & (characters >= LONG_TEXT)]}
    # Hidden reasoning and tool calls are billed as output that the text does not show; many a log forgets the tools,
    # and then a call stands beside a short text or none.
    if name is not None and book.capabilities(name).reasoning is False:
        plain = ~pc.fill_null(requests["has_tools"].take(at), True).to_numpy(zero_copy_only=False)
        found["above_bytes"] = rows[plain & (characters >= LONG_TEXT) & (stated[rows] > size + SPECIAL_TOKENS)]
    return found


def counted_text(requests: pa.RecordBatch, outcomes: pa.RecordBatch, side: str, rows: Array, name: str | None) -> Array:
    """Float64 tokens of the texts of some rows, by the model's tokenizer or its nearest; 0 where there is none."""
    model, at = name or FALLBACK_MODEL, pa.array(rows)
    if side == "input":
        found = count_messages(model, requests["messages"].take(at))
    else:
        found = count_output(model, outcomes["completion"].take(at))
    return np.asarray(pc.fill_null(found.tokens, 0).to_numpy(), float) / THOUSAND


def _measured(
    requests: pa.RecordBatch, outcomes: pa.RecordBatch, side: str, rows: Array, hashes: Array, name: str | None
) -> pa.Table:
    at = pa.array(rows)
    other = "output" if side == "input" else "input"
    columns: dict[str, Any] = {
        "key": pa.array(hashes[rows], pa.uint64()),
        "request_id": requests["request_id"].take(at),
        "stated": stated_counts(outcomes, side).tokens[rows],
        "other": stated_counts(outcomes, other).tokens[rows],
        "counted": counted_text(requests, outcomes, side, rows, name),
        "exact": np.full(len(rows), name is not None and counting_rule(name).provenance == "tokenizer"),
    }
    if side == "input":
        said = [[part["text"] or "" for part in each] for each in requests["messages"].take(at).to_pylist()]
        prompts = [text or "" for text in requests["prompt"].take(at).to_pylist()]
        columns["words of all messages"] = [sum(len(text.split()) for text in each) for each in said]
        columns["words of the prompt"] = [len(text.split()) for text in prompts]
        columns["characters of all messages"] = [sum(map(len, each)) for each in said]
        columns["characters of all messages, a line apart"] = [sum(map(len, each)) + len(each) - 1 for each in said]
        columns["characters of the prompt"] = [len(text) for text in prompts]
    else:
        answers = outcomes["completion"].take(at).to_pylist()
        columns["words"] = [len(text.split()) for text in answers]
        columns["characters"] = [len(text) for text in answers]
    return pa.table(columns)

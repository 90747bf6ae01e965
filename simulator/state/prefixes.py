"""Prefixes of prompts as hashes: where two requests begin alike, their nodes have equal hashes up to there.

A node is a place in a prompt: the end of a message, a place on a grid of bytes, or the end of a trace's block. Its hash
is that of everything before it, a polynomial over the bytes modulo 2^64, so that any prefix costs one subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import count_texts, counting_rule
from simulator.counts import THOUSAND, Array

BLOCK_TOKENS = 512  # of Mooncake's traces: github.com/kvcache-ai/Mooncake, FAST'25
SESSION_BLOCK_TOKENS = 128
FIRST_CUT = 2048  # bytes; shorter prefixes than about 500 tokens are not cached anywhere but at message ends
CUTS_PER_OCTAVE = 8
CHUNK_BYTES = 4 * 2**20
AROUND_MESSAGE = 4  # tokens of a chat template around each message, its role's among them
TOKENIZER = "o200k_base"  # for shares of a prompt; the arm's own total is what they are shares of

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 2**64)
_BYTES = np.random.default_rng(20_260).integers(1, 2**63, 256, dtype=np.uint64)

PREFIXES = "prefixes"  # a profile's column of them
PREFIX_LISTS = pa.list_(
    pa.struct([("hash", pa.uint64()), ("share", pa.float64()), ("kind", pa.int8()), ("from_end", pa.int16())])
)
INNER, END, SYSTEM, LAST = 0, 1, 2, 3  # inside a message, its end, the system prompt's end, the last message's end


class _Blocks(msgspec.Struct):
    hash_ids: list[int] | None = None


@dataclass(frozen=True)
class Nodes:
    """Prefix nodes of some requests, those of a request together and from short to long.

    Args:
        row: int64, which request.
        hash: uint64, of everything up to here.
        share: float64, the part of the request's input tokens up to here, 0 to 1.
        kind: int8: INNER, END, SYSTEM or LAST.
        from_end: int16, how many message ends lie between here and the last, that one not counted.
    """

    row: Array
    hash: Array
    share: Array
    kind: Array
    from_end: Array

    @classmethod
    def of(cls, requests: pa.RecordBatch, input_milli: Array, first_row: int = 0) -> Nodes:
        """The nodes of a batch: from a trace's `hash_ids`, else from the messages, else from session and length.

        A profile holds those of the log it was made of.

        Args:
            requests: arrival columns.
            input_milli: int64, the logged input in thousandths of a token; 0 where unknown.
            first_row: the number of the batch's first request in the log.
        """
        if PREFIXES in requests.schema.names:
            return cls.of_lists(requests[PREFIXES], first_row)
        text = requests["messages"].is_valid().to_numpy(zero_copy_only=False)
        if pa.types.is_struct(requests["messages"].type):  # the counts of a profile that holds no prefixes
            text = np.zeros(len(text), bool)
        blocks = [_from_blocks(requests["meta"], input_milli)]
        traced = np.unique(blocks[0].row)
        text[traced] = False
        by_length = ~text & requests["session_id"].is_valid().to_numpy(zero_copy_only=False) & (input_milli > 0)
        by_length[traced] = False
        if text.any():
            blocks.append(_from_messages(requests, input_milli, np.flatnonzero(text)))
        if by_length.any():
            blocks.append(_from_sessions(requests["session_id"], input_milli, np.flatnonzero(by_length)))
        found = cls.joined(blocks)
        order = np.argsort(found.row, kind="stable")
        return found.take(order).moved(found.row[order] + first_row)

    @classmethod
    def of_lists(cls, lists: pa.ListArray, first_row: int = 0) -> Nodes:
        """The nodes of `lists`, whose first request has a number in the log."""
        held = lists.flatten()
        return cls(
            pc.list_parent_indices(lists).to_numpy().astype(np.int64) + first_row,
            *(held.field(name).to_numpy() for name in ("hash", "share", "kind", "from_end")),
        )

    def lists(self, rows: int) -> pa.ListArray:
        """A list of its nodes for each of so many requests."""
        columns = {name: pa.array(getattr(self, name)) for name in ("hash", "share", "kind", "from_end")}
        ends = np.searchsorted(self.row, np.arange(rows + 1)).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), pa.StructArray.from_arrays(columns.values(), columns))

    def moved(self, row: Array) -> Nodes:
        """The same nodes under other request numbers."""
        return Nodes(row, self.hash, self.share, self.kind, self.from_end)

    @classmethod
    def joined(cls, parts: list[Nodes]) -> Nodes:
        """Several as one, in their order."""
        names = ("row", "hash", "share", "kind", "from_end")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def take(self, which: Array) -> Nodes:
        """Some of them, by mask or index."""
        return Nodes(self.row[which], self.hash[which], self.share[which], self.kind[which], self.from_end[which])


def _from_blocks(meta: pa.Array, input_milli: Array) -> Nodes:
    """A trace's blocks: equal ids are equal prefixes, so an id is a hash already."""
    decode = msgspec.json.Decoder(_Blocks).decode
    marked = pc.fill_null(pc.match_substring(meta, '"hash_ids"'), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(marked)
    ids = [decode(text).hash_ids or [] for text in meta.take(pa.array(rows)).to_pylist()]
    counts = np.array([len(each) for each in ids], np.int64)
    row = np.repeat(rows, counts)
    place = _places(counts)
    hashed = _mix(np.array([i for each in ids for i in each], np.int64).astype(np.uint64))
    tokens = np.minimum((place + 1) * BLOCK_TOKENS * THOUSAND, input_milli[row])
    full = (place + 1) * BLOCK_TOKENS * THOUSAND <= input_milli[row]
    return _ended(row, hashed, tokens / np.maximum(input_milli[row], 1), full)


def _from_sessions(session_id: pa.Array, input_milli: Array, rows: Array) -> Nodes:
    """Lengths alone: each call of a session is taken to begin as the one before it did, for as long as both are."""
    names = session_id.take(pa.array(rows)).dictionary_encode()
    own = np.array([_text_hash(name) for name in names.dictionary.to_pylist()], np.uint64)[np.asarray(names.indices)]
    whole = input_milli[rows] // THOUSAND
    counts = np.maximum(whole // SESSION_BLOCK_TOKENS, 1)
    place = _places(counts)
    row = np.repeat(rows, counts)
    hashed = _mix(np.repeat(own, counts) + _mix(place.astype(np.uint64)))
    tokens = np.minimum((place + 1) * SESSION_BLOCK_TOKENS * THOUSAND, input_milli[row])
    return _ended(row, hashed, tokens / input_milli[row], np.ones(len(row), bool))


def _ended(row: Array, hashed: Array, share: Array, full: Array) -> Nodes:
    """Nodes of lengths: what a breakpoint at the prompt's end leaves to a longer prompt are its full blocks."""
    kind = np.full(len(row), END, np.int8)
    last = np.full(int(row.max(initial=-1)) + 1, -1, np.int64)
    last[row[full]] = np.flatnonzero(full)
    kind[last[last >= 0]] = LAST
    return Nodes(row, hashed, share, kind, np.zeros(len(row), np.int16))


def _from_messages(requests: pa.RecordBatch, input_milli: Array, rows: Array) -> Nodes:
    """Texts: the ends of messages, and a grid of bytes between them that grows with the prompt."""
    taken = pa.array(rows)
    messages, tools = requests["messages"].take(taken), requests["has_tools"].take(taken)
    flat = messages.flatten()
    text = pc.fill_null(flat.field("text"), "")
    of = pc.list_parent_indices(messages).to_numpy().astype(np.int64)
    counts = np.bincount(of, minlength=len(rows)).astype(np.int64)
    sizes = pc.binary_length(text).to_numpy().astype(np.int64)
    counted = count_texts(TOKENIZER, text, again=True).to_numpy()
    tokens = counted * np.repeat(_ratios(requests, taken), counts) + AROUND_MESSAGE
    system = pc.is_in(flat.field("role"), pa.array(["system", "developer"])).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(counts)])
    ends = _running(sizes, starts, counts)  # bytes of the request up to each message's end
    tokens_to = _running(tokens, starts, counts)
    whole = np.where(counts > 0, tokens_to[np.maximum(starts[1:] - 1, 0)], 0.0) if len(of) else np.zeros(len(rows))

    # Tools come first in a prompt and are not in the log: what the messages do not account for.
    total = input_milli[rows] / THOUSAND
    has_tools = pc.fill_null(tools, False).to_numpy(zero_copy_only=False)
    front = np.where(has_tools & (total > whole), 1 - whole / np.maximum(total, 1), 0.0)

    last = _places(counts) == np.repeat(counts, counts) - 1
    kind = np.where(last, LAST, END).astype(np.int8)
    led = np.concatenate([~system[1:], [True]]) if len(system) else system
    kind[system & led & ~last] = SYSTEM
    node_row, at, node_kind, node_tokens = of, ends, kind, tokens_to
    back = (np.repeat(counts, counts) - 1 - _places(counts)).astype(np.int16)

    grid_row, grid_at = _grid(ends[np.maximum(starts[1:] - 1, 0)] if len(of) else np.zeros(0), counts)
    if len(grid_row):
        message = _message_of(grid_row, grid_at, of, ends)
        before = np.where(message > starts[grid_row], ends[message - 1], 0)
        part = (grid_at - before) / np.maximum(sizes[message], 1)
        grid_tokens = tokens_to[message] - tokens[message] * (1 - part)
        inner = grid_at < ends[message]
        node_row, at = np.concatenate([of, grid_row[inner]]), np.concatenate([ends, grid_at[inner]])
        node_kind = np.concatenate([kind, np.full(int(inner.sum()), INNER, np.int8)])
        node_tokens = np.concatenate([tokens_to, grid_tokens[inner]])
        back = np.concatenate([back, np.zeros(int(inner.sum()), np.int16)])
        order = np.argsort((node_row << 34) + at, kind="stable")
        node_row, at, node_tokens = node_row[order], at[order], node_tokens[order]
        node_kind, back = node_kind[order], back[order]
    hashed = _prefix_hashes(text, np.concatenate([[0], np.cumsum(sizes)])[starts], node_row, at)
    hashed = _mix(hashed + has_tools[node_row].astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93))
    share = front[node_row] + (1 - front[node_row]) * node_tokens / np.maximum(whole[node_row], 1)
    return Nodes(rows[node_row], hashed, np.clip(share, 0.0, 1.0), node_kind, back)


def _ratios(requests: pa.RecordBatch, taken: pa.Array) -> Array:
    """Tokens of each request's logged model for one of TOKENIZER: what tools take depends on it."""
    models = requests["model"].take(taken).dictionary_encode()
    rules = [counting_rule(name) for name in models.dictionary.to_pylist()]
    ratios = np.array([*(rule.ratio or 1.0 for rule in rules), 1.0])
    return np.asarray(ratios[models.indices.fill_null(len(rules)).to_numpy()])


def _grid(sizes: Array, counts: Array) -> tuple[Array, Array]:
    """(request, byte) of every grid place inside each request; the grid is the same for all."""
    sizes = np.where(counts > 0, sizes, 0)
    edges = _edges(int(sizes.max(initial=0)))
    each = np.searchsorted(edges, sizes, side="left")
    row = np.repeat(np.arange(len(sizes)), each)
    return row, edges[_places(each)]


def _edges(most: int) -> Array:
    octaves = max(1, int(np.ceil(np.log2(max(most, FIRST_CUT) / FIRST_CUT))) + 1)
    steps = 1 + np.arange(CUTS_PER_OCTAVE) / CUTS_PER_OCTAVE
    return (FIRST_CUT * np.outer(2 ** np.arange(octaves), steps)).astype(np.int64).ravel()


def _message_of(row: Array, at: Array, of: Array, ends: Array) -> Array:
    """The message that holds each place."""
    return np.asarray(np.searchsorted((of << 34) + ends, (row << 34) + at, side="left"))


def _prefix_hashes(text: pa.Array, begins: Array, row: Array, at: Array) -> Array:
    """Hash of each request's first `at` bytes; requests are hashed some megabytes at a time."""
    held = text.buffers()[2]
    offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1].astype(np.int64)
    data = np.frombuffer(held, np.uint8)[offsets[0] : offsets[-1]] if held is not None else np.zeros(0, np.uint8)
    out = np.zeros(len(row), np.uint64)
    first = np.searchsorted(row, np.arange(len(begins)))  # each request's first node
    start = 0
    while start < len(begins) - 1:
        stop = max(start + 1, int(np.searchsorted(begins, begins[start] + CHUNK_BYTES, side="right")) - 1)
        low, high = int(begins[start]), int(begins[stop])
        powers, inverses = _powers(1 << max(16, (high - low).bit_length()))
        summed = np.zeros(high - low + 1, np.uint64)
        np.cumsum(_BYTES[data[low:high]] * powers[: high - low], out=summed[1:])
        nodes = slice(int(first[start]), int(first[stop]) if stop < len(first) else len(row))
        begin = begins[row[nodes]] - low
        out[nodes] = (summed[begin + at[nodes]] - summed[begin]) * inverses[begin]
        start = stop
    return _mix(out + at.astype(np.uint64))


@cache
def _powers(length: int) -> tuple[Array, Array]:
    ones = np.full((2, length), 1, np.uint64)
    ones[0, 1:], ones[1, 1:] = _BASE, _INVERSE
    powers = np.multiply.accumulate(ones, axis=1)
    return np.asarray(powers[0]), np.asarray(powers[1])


def _running(values: Array, starts: Array, counts: Array) -> Array:
    """Sums from each request's first message up to each message."""
    summed: Array = np.concatenate([np.zeros(1, values.dtype), np.cumsum(values)])
    return np.asarray(summed[1:] - np.repeat(summed[starts[:-1]], counts))


def _places(counts: Array) -> Array:
    """0, 1, 2 ... within each group."""
    counts = counts.astype(np.int64)
    return np.asarray(np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts))


def _text_hash(text: str) -> int:
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _mix(x: Array) -> Array:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every input bit moves every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))

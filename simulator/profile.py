"""A content-free copy of a log that replays to the same totals: lengths, counts, scores, answers, hashed ids."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pricing import PriceBook
from problems import BackrouteError, ProblemLog
from problems.problem import shown
from router import LLMRouter
from router.best_value import BestValue
from router.conditions import Condition, Mentions, Meta, OneOf, leaves
from router.features import NAMES, Features, answer_column, score_column
from router.scored import Score
from router.semantic.tasks import Scorer, task_model
from simulator.counts import THOUSAND
from simulator.models import ModelIndex
from simulator.prepared import Prepared
from simulator.state.pieces import prefixes
from simulator.state.prefixes import LAST, PREFIX_LISTS, PREFIXES
from simulator.usage.counted import counts_of
from simulator.usage.logged import FALLBACK_MODEL
from simulator.usage.observed import task_codes
from workloads import INPUT_BUCKETS, OUTCOME, REQUEST, Log
from workloads.log import BATCH_ROWS, Batches
from workloads.own_tables import DAMAGED, LARGEST, MOST_COUNTED, checked_batches, told

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
OF_TEXT = (Mentions, Meta, Score, BestValue)  # conditions whose answers a profile must hold
MARK = b"backroute_profile"
NEVER_NULL = ("request_id",)
MOST: Mapping[str, float] = (
    dict(LARGEST)
    | {"input_tokens": MOST_COUNTED, "prefixes.share": 1, "prefixes.kind": LAST}
    | dict.fromkeys(("messages", "completion"), MOST_COUNTED * THOUSAND)
)
HASH_CHARACTERS = 24
AGAIN = "make it again with `backroute profile`"
LEFT_OUT = {"system", "prompt", "meta", "feedback"}
IDS = ("request_id", "session_id", "user_id")
NAMED = ("model", "provider", "service_tier", "served_tier")
# A model, provider or tier is called so; anything else in its place may be a text.
NAME = re.compile(r"[\w.:/@+-]{1,80}")


@dataclass
class Profile:
    """How a profile is made.

    Args:
        salt: the secret behind the hashes; who lacks it cannot try ids against them.
        book: knows which model names are names.
        conditions: those to answer, by column.
        scorers: the models of texts whose scores to hold, by digest.
        models: whose tokenizers count the texts.
        prefixes: hold where prompts begin alike, for a log that shows cached input.
    """

    salt: bytes
    book: PriceBook
    conditions: dict[str, Condition] = field(default_factory=dict)
    scorers: dict[str, Scorer] = field(default_factory=dict)
    models: set[str] = field(default_factory=lambda: {FALLBACK_MODEL})
    target: str = FALLBACK_MODEL
    prefixes: bool = False

    def hashed(self, kind: str, value: str) -> str:
        """HMAC-SHA256 of a value under the salt, cut to 96 bits; equal values of one kind stay equal."""
        said = f"{kind}\x00{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self.salt, said, hashlib.sha256).hexdigest()[:HASH_CHARACTERS]

    def name(self, kind: str, value: str) -> str:
        """A name that could only be a name; its hash otherwise."""
        known = kind == "model" and self.book.resolve(value) is not None and len(value) <= 80
        plain = NAME.fullmatch(value) is not None and shown(value) == value
        return value if plain or (known and shown(value) == value) else f"hidden-{self.hashed(kind, value)}"

    def of_batch(self, requests: pa.RecordBatch, outcomes: pa.RecordBatch) -> pa.Table:
        """One batch of the profile."""
        columns: dict[str, pa.Array] = {}
        for schema, batch in ((REQUEST, requests), (OUTCOME, outcomes)):
            for name in schema.names:
                if name in ("messages", "completion"):
                    columns[name] = counts_of(batch[name], self.models, output=name == "completion")
                elif name not in LEFT_OUT:
                    columns[name] = self._plain(name, batch[name])
        features = Features.of_batch(requests, self.target, self.book)
        columns |= {name: features[name] for name in ("length", "input_tokens")}
        columns |= {name: condition.evaluate(features) for name, condition in self.conditions.items()}
        for scorer in self.scorers.values():
            for output, scores in zip(scorer.outputs, features.scores(scorer).T, strict=True):
                columns[score_column(scorer, output)] = pa.array(scores, mask=np.isnan(scores))
        if self.prefixes:
            columns[PREFIXES] = self._prefixes(requests, outcomes)
        return pa.table(columns)

    def _prefixes(self, requests: pa.RecordBatch, outcomes: pa.RecordBatch) -> pa.ListArray:
        """The places where prompts may begin alike, their hashes hashed again with the salt."""
        nodes = prefixes(Prepared.batch(requests, outcomes, ModelIndex(self.book)))
        key = self.salt[: hashlib.blake2b.MAX_KEY_SIZE]
        own, at = np.unique(nodes.hash, return_inverse=True)
        said = b"".join(hashlib.blake2b(each.tobytes(), key=key, digest_size=8).digest() for each in own)
        return replace(nodes, hash=np.frombuffer(said, np.uint64)[at]).lists(requests.num_rows)

    def _plain(self, name: str, column: pa.Array) -> pa.Array:
        if name not in (*IDS, *NAMED, "label"):
            return column
        encoded = column.dictionary_encode()
        said = encoded.dictionary.to_pylist()
        if name in IDS:
            said = [self.hashed(name, value) for value in said]
        elif name == "label":
            said = [value if task_codes(pa.array([value]))[0] >= 0 else self.hashed(name, value) for value in said]
        else:
            said = [self.name(name, value) for value in said]
        return pa.array(said, pa.string()).take(encoded.indices)


def write_profile(
    log: Log,
    path: Path,
    *,
    book: PriceBook,
    salt: bytes,
    routers: Iterable[LLMRouter] = (),
    models: Iterable[str] = (),
    problems: ProblemLog | None = None,
) -> int:
    """Write a log's content-free copy; returns its rows.

    Args:
        log: the log; it is read twice.
        path: the Parquet file.
        book: prices, for names and for `estimated_cost_usd`.
        salt: the secret behind the hashes.
        routers: the rules that the copy shall answer.
        models: further models that it shall be replayed on, as baselines for example.
        problems: where rows that cannot be read go.

    Raises:
        BackrouteError: a rule that is a Python function, an unknown model, or a file that cannot be written.
    """
    held = list(routers)
    leaves = list(_leaves(held))
    # The bundled task model always: thresholds on tasks can then be tried on the profile.
    scorers = [task_model(), *(leaf.scorer for leaf in leaves if isinstance(leaf, Score))]
    profile = Profile(
        salt,
        book,
        {answer_column(leaf): leaf for leaf in leaves if not isinstance(leaf, Score)},
        {scorer.digest: scorer for scorer in scorers},
    )
    targets = [name for router in held for rule in router.rules for name in (rule.target, *rule.fallback)]
    profile.models |= {book.require(name, "profile") for name in [*models, *targets]}
    index = ModelIndex(book)
    for requests, outcomes in log.batches():
        index.of_log(requests["model"], requests["provider"])
        profile.prefixes |= any(pc.max(outcomes[bucket]).as_py() for bucket in INPUT_BUCKETS[1:])
    profile.models |= set(index.names)
    rows, writer = 0, None
    found = ProblemLog() if problems is None else problems
    try:
        for requests, outcomes in log.batches(problems=found):
            table = profile.of_batch(requests, outcomes)
            rows += table.num_rows
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True)
            writer.write_table(table)
        if writer is None:
            raise BackrouteError(log.name, "no request to profile", fix="`backroute inspect` says what it holds")
        about = {"version": VERSION, "formats": sorted(log.formats), "set_aside": found.set_aside}
        writer.add_key_value_metadata({MARK: json.dumps(about | {"log": profile.hashed("log", log.digest)}).encode()})
    except OSError as error:
        raise BackrouteError(str(path), f"cannot be written ({error.strerror})", fix="give another file") from error
    finally:
        if writer is not None:
            writer.close()
    return rows


def _leaves(routers: Iterable[LLMRouter]) -> Iterator[Condition]:
    """The conditions that look at something a profile leaves out; numbers and flags stand in its columns."""
    for router in routers:
        for rule in router.rules[:-1]:
            if not isinstance(rule.condition, Condition):
                what = "its condition is a Python function, whose answers a profile cannot name"
                raise BackrouteError(f"rule {rule.name!r}", what, fix="write it with conditions of `router`")
            for each in leaves(rule.condition):
                if isinstance(each, OF_TEXT) or (isinstance(each, OneOf) and each.column in NAMES):
                    yield each


def is_profile(path: Path) -> bool:
    """Whether a file is a profile of this module's."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                return False
        return MARK in (pq.read_metadata(path).metadata or {})
    except DAMAGED:
        return False


class _About(msgspec.Struct):
    """What a profile says of itself."""

    version: int
    formats: list[str]
    set_aside: int
    log: str


def _about(path: Path) -> _About:
    with told(path, AGAIN):
        said = pq.read_metadata(path).metadata[MARK]
    try:
        version = msgspec.json.decode(said, type=dict[str, Any])["version"]
        if version == VERSION:
            return msgspec.json.decode(said, type=_About)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise BackrouteError(str(path), f"a damaged profile ({error})", fix=AGAIN) from None
    what = f"a profile of another version ({version})"
    raise BackrouteError(str(path), what, fix="make it again with this version, or update backroute")


def _written_as(found: pa.Schema) -> pa.Schema:
    """The columns of a profile as they were written; how many counts, answers and scores there are is its own."""
    held = pa.schema([("length", pa.int32()), ("input_tokens", pa.float64())])
    for each in (*REQUEST, *OUTCOME):
        if each.name in ("messages", "completion") and each.name in found.names:
            counts = found.field(each.name).type
            names = [part.name for part in counts] if pa.types.is_struct(counts) else []
            held = held.append(pa.field(each.name, pa.struct([(name, pa.int64()) for name in names])))
        elif each.name not in LEFT_OUT:
            held = held.append(each)
    for name in found.names:
        kinds = (("when ", pa.bool_()), ("score ", pa.float64()), (PREFIXES, PREFIX_LISTS))
        held_as = next((kind for begins, kind in kinds if name.startswith(begins)), None)
        if held_as is not None:
            held = held.append(pa.field(name, held_as))
    return held


class ProfileLog(Log):
    """A profile, read as the log it was made of.

    Its requests have no texts, and more columns than `workloads.REQUEST`: `length`, `input_tokens`, the answers to the
    conditions it was made with; `messages` and `completion` hold token counts by counting rule.

    Raises:
        BackrouteError: no profile, or one of a later version.
    """

    def __init__(self, path: Path) -> None:
        if not is_profile(path):
            raise BackrouteError(str(path), "no profile", fix="`backroute profile LOG -o FILE` makes one")
        self._path = path
        self._about = _about(path)
        super().__init__([], None, None)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """See `Log.name`."""
        return str(self._path)

    def batches(self, *, problems: ProblemLog | None = None, rows: int = BATCH_ROWS) -> Batches:  # noqa: ARG002
        """See `Log.batches`; what could not be read was set aside when the profile was made."""
        self.formats.clear()
        for batch in checked_batches(self._path, _written_as, AGAIN, never_null=NEVER_NULL, largest=MOST, rows=rows):
            own = [name for name in batch.schema.names if name not in REQUEST.names and name not in OUTCOME.names]
            yield _columns(batch, [*REQUEST.names, *own]), _columns(batch, OUTCOME.names)
            self.formats["profile"] += batch.num_rows
        self.recognised = {"profile": f"{self._path}: made from {', '.join(self._about.formats)}"}
        self.digest = self._about.log

    def stamp(self) -> object:
        """See `Log.stamp`."""
        held = self._path.stat()
        return (held.st_size, held.st_mtime_ns)

    def blocks(self) -> None:
        """None: a profile is small, and read as it lies."""
        return

    def requests(self) -> pd.DataFrame:
        """See `Log.requests`."""
        return self._whole(0)

    def outcomes(self) -> pd.DataFrame:
        """See `Log.outcomes`."""
        return self._whole(1)

    def _whole(self, which: int) -> pd.DataFrame:
        frame: pd.DataFrame = pa.Table.from_batches([both[which] for both in self.batches()]).to_pandas()
        return frame


def _columns(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    types = {each.name: each.type for each in (*REQUEST, *OUTCOME)}
    held = [batch[name] if name in batch.schema.names else pa.nulls(batch.num_rows, types[name]) for name in names]
    return pa.RecordBatch.from_arrays(held, names=names)

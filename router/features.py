"""What rules may look at: columns derived from what is known when a request arrives, computed once each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import PriceBook, count_messages
from problems import BackrouteError, nearest
from problems.problem import shown
from workloads import REQUEST

NUMBERS = ("length", "input_tokens", "estimated_cost_usd", "latency_budget_ms", "n_messages", "max_output_tokens")
FLAGS = ("has_tools", "has_images", "json_mode")
NAMES = ("user_id", "model")

# Derived from the text, so unknown, not absent, where the log does not hold it.
NEED_TEXT = frozenset({"length", "input_tokens", "estimated_cost_usd"})

# The median answer of gpt-4o to AlpacaEval's 805 open-ended prompts is near 300 o200k tokens: alpaca_eval, Apache-2.0.
TYPICAL_OUTPUT_TOKENS = 300

TYPES: dict[str, pa.DataType] = {field.name: field.type for field in REQUEST}


class Said(Protocol):
    """A condition, as far as a profile names it."""

    def to_yaml(self) -> dict[str, Any]:
        """The mapping that stands under `when` in a rules file."""


def answer_column(condition: Said) -> str:
    """The column in which a content-free profile holds a condition's answers: `when ` and its YAML, as JSON."""
    return f"when {msgspec.json.encode(condition.to_yaml()).decode()}"


def score_column(scorer: Scoring, output: str) -> str:
    """The column in which a content-free profile holds a score: the model's version, by its digest, and the output."""
    return f"score {scorer.digest[:16]} {output}"


class Scoring(Protocol):
    """A model of texts, as far as features need it."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """What is scored, in the order of the columns."""

    @property
    def digest(self) -> str:
        """A hash that changes whenever a score could."""

    def scores(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Float64 (texts, outputs)."""


# Takes a key and what makes its value, and gives the value made then or before.
Kept = Callable[[tuple[Hashable, ...], Callable[[], Any]], Any]


class Features:
    """The columns of some requests: those of `workloads.REQUEST` as they are, the others derived on first use.

    A column that is not given is filled as the log reader would: flags are false, the messages are the system prompt
    and the routing text, whatever else is null.

    Args:
        columns: arrival columns by name, each an Arrow array of `rows` values.
        rows: how many requests.
        cost_model: the model, "provider/model", whose prices `estimated_cost_usd` uses.
        book: those prices; the bundled ones when left out.
        kept: hands out what was derived from these requests before; nothing is kept when left out.
    """

    def __init__(
        self,
        columns: Mapping[str, pa.Array],
        rows: int,
        cost_model: str,
        book: PriceBook | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.rows = rows
        self._given_columns: Any = columns
        self._names = frozenset(columns)
        self._columns: dict[str, pa.Array] = {}
        self._request: Mapping[str, Any] = {}
        self._cost_model = cost_model
        self._book = book
        self._kept = kept
        self._scores: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
        self._profiled = "length" in columns  # a log leaves it to be derived from its text

    @classmethod
    def of_batch(
        cls, requests: pa.RecordBatch, cost_model: str, book: PriceBook | None = None, kept: Kept | None = None
    ) -> Features:
        """The features of a record batch in `workloads.REQUEST`'s columns."""
        features = cls({}, requests.num_rows, cost_model, book, kept)
        # Each is taken as it is asked for, since texts may have to be read from disk.
        features._given_columns, features._names = requests, frozenset(requests.schema.names)
        features._profiled = "length" in features._names
        return features

    @classmethod
    def of_request(cls, request: Mapping[str, Any], cost_model: str, book: PriceBook | None = None) -> Features:
        """The features of one live request, given as arrival columns by name; `meta` may be a mapping.

        Raises:
            BackrouteError: an unknown field; on use, a field whose value its column cannot hold.
        """
        for name in request:
            if name not in TYPES:
                fix = nearest(str(name), TYPES) or f"the fields are {', '.join(TYPES)}"
                raise BackrouteError("route", f"unknown request field {name!r}", fix=fix)
        features = cls({}, 1, cost_model, book)
        features._request = request
        return features

    def __getitem__(self, name: str) -> pa.Array:
        """One column, one value per request; null where the request does not state it or the log does not hold it."""
        column = self._columns.get(name)
        if column is None:
            if name in self._names:
                column = self._given_columns[name]
            elif name in self._request:
                column = self._given(name)
            elif self._kept is None or name == "estimated_cost_usd":  # which prices change
                column = self._derived(name)
            else:
                column = self._kept(("column", name), lambda: self._derived(name))
            self._columns[name] = column
        return column

    def kept(self, condition: Said, evaluate: Callable[[], pa.BooleanArray]) -> pa.BooleanArray:
        """A condition's answers, evaluated once for all rules over a batch; it must look at nothing but the request."""
        return evaluate() if self._kept is None else self._kept(("when", answer_column(condition)), evaluate)

    def answered(self, condition: Said) -> pa.BooleanArray | None:
        """A condition's answers where the batch comes from a content-free profile, which lacks what it looks at.

        Raises:
            BackrouteError: the profile was made without this condition.
        """
        if not self._profiled:
            return None
        name = answer_column(condition)
        if name not in self._names:
            what = f"it holds no answers to a condition of the rules ({name.removeprefix('when ')})"
            raise BackrouteError("profile", what, fix="make it again: `backroute profile LOG --rules` with these rules")
        return self[name]

    def _given(self, name: str) -> pa.Array:
        value = self._request[name]
        try:
            return _column(name, [value])
        except UnicodeEncodeError:
            return _column(name, [mended(value)])

    def _derived(self, name: str) -> pa.Array:
        if name == "length":
            return pc.utf8_length(self["prompt"])
        if name == "input_tokens":
            return pc.divide(pc.cast(count_messages("openai/gpt-4o", self["messages"]).tokens, pa.float64()), 1000.0)
        if name == "estimated_cost_usd":
            return self.usd_on(self._cost_model)
        if name == "n_messages":
            return pc.list_value_length(self["messages"])
        if name == "messages":
            return self._spelled_out()
        if name == "latency_budget_ms":  # the log reader finds it there, too
            codes, held = self._meta_values(name)
            return _column(name, [held[code] for code in codes.tolist()])
        if name in FLAGS:
            return pa.array(np.zeros(self.rows, bool))
        return pa.nulls(self.rows, TYPES[name])

    def _spelled_out(self) -> pa.Array:
        """The messages of requests given as a routing text and maybe a system prompt."""
        both = zip(self["system"].to_pylist(), self["prompt"].to_pylist(), strict=True)
        said = [
            None if prompt is None else [("system", None, system)] * (system is not None) + [("user", None, prompt)]
            for system, prompt in both
        ]
        return pa.array(said, TYPES["messages"])

    def usd_on(self, model: str) -> pa.DoubleArray:
        """What each request would roughly cost on a model: list prices of the book's date, not what replay charges.

        Raises:
            BackrouteError: a model without a price.
        """
        book = self._book or _bundled_book()
        quote = book.quote(book.require(model, "estimated_cost_usd"), book.date)
        rates = quote.usd_per_mtok if quote else {}
        per_input, per_output = rates.get("input_uncached"), rates.get("output_text")
        if per_input is None or per_output is None:
            what = f"the model has no price on {book.date} ({model})"
            raise BackrouteError("estimated_cost_usd", what, fix="end with a priced model, or add it to a price file")
        output = pc.fill_null(self["max_output_tokens"], TYPICAL_OUTPUT_TOKENS)
        return pc.add(
            pc.multiply(self["input_tokens"], float(per_input.base) / 1e6),
            pc.multiply(output.cast(pa.float64(), safe=False), float(per_output.base) / 1e6),
        )

    def scores(self, scorer: Scoring) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Float64 (rows, outputs) of a model over the routing texts, once for all conditions; NaN without a text.

        Raises:
            BackrouteError: a content-free profile that was made without this version of the model.
        """
        held = self._scores.get(scorer.digest)
        if held is None and self._profiled:
            held = self._scores[scorer.digest] = self._profiled_scores(scorer)
        if held is None:
            held = self._scored(scorer) if self._kept is None else self._kept(
                ("scores", scorer.digest), lambda: self._scored(scorer)
            )  # fmt: skip
            self._scores[scorer.digest] = held
        return held

    def _scored(self, scorer: Scoring) -> np.ndarray[Any, np.dtype[np.float64]]:
        texts = self["prompt"].to_pylist()
        there = [row for row, text in enumerate(texts) if text is not None]
        held = np.full((self.rows, len(scorer.outputs)), np.nan)
        if there:
            held[there] = scorer.scores([texts[row] for row in there])
        return held

    def _profiled_scores(self, scorer: Scoring) -> np.ndarray[Any, np.dtype[np.float64]]:
        names = [score_column(scorer, output) for output in scorer.outputs]
        if missing := [name for name in names if name not in self._names]:
            what = f"it holds no scores of a model that the rules ask ({missing[0].removeprefix('score ')})"
            raise BackrouteError("profile", what, fix="make it again: `backroute profile LOG --rules` with these rules")
        columns = [pc.fill_null(self[name], float("nan")).to_numpy() for name in names]
        return np.stack(columns, axis=1)

    @cached_property
    def folded_text(self) -> bytes | None:
        """The one request's routing text in UTF-8, lower case wherever that is an ASCII letter; null without text.

        RE2 folds by Unicode's simple case folding, in which two letters beyond ASCII fall on an ASCII one: the Kelvin
        sign and the long s.
        """
        text = self["prompt"][0].as_py()
        if text is None:
            return None
        if not text.isascii():
            text = text.replace("\u212a", "k").replace("\u017f", "s")
        return text.encode().lower()  # type: ignore[no-any-return]

    def meta_matches(self, key: str, matches: Callable[[Any], bool]) -> pa.BooleanArray:
        """Where the value of a key in the request's meta, None where it has none, passes a test: once per value."""
        if self.rows == 1:  # a live request: Arrow and numpy would take longer
            text = self["meta"][0].as_py()
            value = parsed_meta(text).get(key) if text and _may_hold(text, key) else None
            return pa.array([matches(value)], pa.bool_())
        codes, held = self._meta_values(key)
        return pa.array(np.array([matches(value) for value in held], bool)[codes])

    def _meta_values(self, key: str) -> tuple[np.ndarray[Any, np.dtype[np.int32]], list[Any]]:
        """The distinct values of a key, None first, and each request's place among them; made once for all rules."""
        if self._kept is None:
            return self._read_meta(key)
        return self._kept(("meta", key), lambda: self._read_meta(key))  # type: ignore[no-any-return]

    def _read_meta(self, key: str) -> tuple[np.ndarray[Any, np.dtype[np.int32]], list[Any]]:
        encoded, written = self["meta"].dictionary_encode(), _reader(key)
        texts = encoded.dictionary.to_pylist()
        places: dict[bytes, int] = {b"": 0}
        values: list[Any] = [None]
        codes = np.zeros(len(texts) + 1, np.int32)  # the last for requests without meta
        for at, text in enumerate(texts):
            if not _may_hold(text, key):
                continue
            raw = written(text)
            if raw not in places:
                places[raw] = len(values)
                values.append(msgspec.json.decode(raw))
            codes[at] = places[raw]
        return codes[np.asarray(encoded.indices.fill_null(len(texts)))], values


def _may_hold(text: str, key: str) -> bool:
    """Whether a JSON object may have a key; whoever wrote it may have escaped any letter."""
    return f'"{key}"' in text or "\\" in text


def parsed_meta(text: str) -> dict[str, Any]:
    """A request's meta from its JSON.

    Raises:
        BackrouteError: it is no JSON object.
    """
    return _decoded(_MAPPING, text)  # type: ignore[no-any-return]


_MAPPING = msgspec.json.Decoder(dict[str, Any])


@lru_cache(maxsize=1024)
def _reader(key: str) -> Callable[[str], bytes]:
    """Gives the value of one key of a JSON object as it is written, and skips all others; b"" where it is missing."""
    try:
        held = msgspec.field(name=key, default=msgspec.Raw())
        only = msgspec.json.Decoder(msgspec.defstruct("Only", [("held", msgspec.Raw, held)]))
    except ValueError:  # a key that JSON has to escape
        return lambda text: msgspec.json.encode(known[key]) if key in (known := parsed_meta(text)) else b""
    return lambda text: bytes(_decoded(only, text).held)


def _decoded(decoder: msgspec.json.Decoder[Any], text: str) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise BackrouteError("meta", f"no JSON object ({shown(text)})", fix="give meta as a mapping") from None


def _column(name: str, values: list[Any]) -> pa.Array:
    try:
        if name == "meta":
            values = [_json(value) if isinstance(value, Mapping) else value for value in values]
        return pa.array(values, TYPES[name])
    except UnicodeEncodeError:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        what = f"`{name}` cannot be {shown(values[0])}"
        raise BackrouteError("route", what, fix=f"give {TYPES[name]}, or None") from error


def _json(meta: Mapping[str, Any]) -> str | None:
    """A mapping as the log would hold it: numpy's numbers as numbers, what JSON has no form for as text."""
    return msgspec.json.encode(dict(meta), enc_hook=plain).decode() if meta else None


def plain(value: Any) -> Any:
    """What JSON has no form for: numpy's numbers as numbers, anything else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)


def mended(value: Any) -> Any:
    """Half a surrogate pair, as JavaScript cuts strings, becomes U+FFFD, as in the log reader."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {mended(key): mended(held) for key, held in value.items()}
    return [mended(held) for held in value] if isinstance(value, list | tuple) else value


@cache
def _bundled_book() -> PriceBook:
    return PriceBook.load()

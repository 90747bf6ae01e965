"""What rules may look at: columns derived from what is known when a request arrives, computed once each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pricing import PriceBook, count_messages
from problems import BackrouteError
from workloads import MESSAGE, REQUEST

# The median answer of gpt-4o to AlpacaEval's 805 open-ended prompts is near 300 o200k tokens: alpaca_eval, Apache-2.0.
TYPICAL_OUTPUT_TOKENS = 300


class Features:
    """The columns of some requests: those of `workloads.REQUEST` as they are, the others derived on first use.

    Args:
        columns: arrival columns by name, each an Arrow array of the same length; a missing one is all null.
        rows: how many requests.
        book: prices, for `estimated_cost_usd`; the bundled ones are loaded on first use when left out.
        cost_model: the model whose prices `estimated_cost_usd` uses.
    """

    NEED_TEXT: ClassVar[frozenset[str]] = frozenset({"length", "prompt", "input_tokens", "estimated_cost_usd"})

    def __init__(
        self,
        columns: Mapping[str, pa.Array],
        rows: int,
        *,
        book: PriceBook | None = None,
        cost_model: str | None = None,
    ) -> None:
        self._columns = dict(columns)
        self.rows = rows
        self._book = book
        self._cost_model = cost_model

    @classmethod
    def of_batch(
        cls, requests: pa.RecordBatch, *, book: PriceBook | None = None, cost_model: str | None = None
    ) -> Features:
        """The features of a record batch in `workloads.REQUEST`'s columns."""
        columns = dict(zip(requests.schema.names, requests.columns, strict=True))
        return cls(columns, requests.num_rows, book=book, cost_model=cost_model)

    @classmethod
    def of_request(
        cls, request: Mapping[str, Any], *, book: PriceBook | None = None, cost_model: str | None = None
    ) -> Features:
        """The features of one live request, given as arrival columns by name; `meta` may be a mapping."""
        columns: dict[str, pa.Array] = {}
        for name, value in request.items():
            if name not in REQUEST.names:
                known = ", ".join(REQUEST.names)
                raise BackrouteError("route", f"unknown request field {name!r}", fix=f"the fields are {known}")
            if name == "meta" and isinstance(value, Mapping):
                value = msgspec.json.encode(value, enc_hook=str).decode() if value else None
            columns[name] = pa.array([value], REQUEST.field(name).type)
        if "messages" not in columns and request.get("prompt") is not None:
            message = [{"role": "user", "name": None, "text": request["prompt"]}]
            columns["messages"] = pa.array([message], pa.list_(MESSAGE))
        return cls(columns, 1, book=book, cost_model=cost_model)

    def __getitem__(self, name: str) -> pa.Array:
        """One column, one value per request; null where the request does not state it or the log does not hold it."""
        column = self._columns.get(name)
        if column is None:
            column = self._derive(name)
            self._columns[name] = column
        return column

    def _derive(self, name: str) -> pa.Array:
        if name == "length":
            return pc.utf8_length(self["prompt"])
        if name == "input_tokens":
            return pc.divide(pc.cast(count_messages("openai/gpt-4o", self["messages"]).tokens, pa.float64()), 1000.0)
        if name == "estimated_cost_usd":
            return self._estimated_cost()
        return pa.nulls(self.rows, REQUEST.field(name).type)

    def _estimated_cost(self) -> pa.Array:
        if self._cost_model is None:
            raise BackrouteError("estimated_cost_usd", "no rule set says whose price to use", fix="route with a rule set")
        book = self._book or PriceBook.load()
        quote = book.quote(self._cost_model, book.date)
        rates = quote.usd_per_mtok if quote else {}
        per_input, per_output = rates.get("input_uncached"), rates.get("output_text")
        if per_input is None or per_output is None:
            return pa.nulls(self.rows, pa.float64())
        output = pc.fill_null(self["max_output_tokens"], TYPICAL_OUTPUT_TOKENS)
        return pc.add(
            pc.multiply(self["input_tokens"], float(per_input.base) / 1e6),
            pc.multiply(pc.cast(output, pa.float64()), float(per_output.base) / 1e6),
        )

    def meta_matches(self, key: str, matches: Callable[[Mapping[str, Any]], bool]) -> pa.BooleanArray:
        """Where a test of one meta key holds. Each distinct meta is parsed once, and only where the key occurs."""
        column = self["meta"]
        if column.null_count == self.rows:
            return pa.array(np.zeros(self.rows, bool))
        encoded = column.dictionary_encode()
        occurs = pc.match_substring(encoded.dictionary, msgspec.json.encode(key).decode())
        found = [
            bool(here) and matches(msgspec.json.decode(text))
            for text, here in zip(encoded.dictionary.to_pylist(), occurs.to_pylist(), strict=True)
        ]
        return pc.fill_null(pa.array(found, pa.bool_()).take(encoded.indices), False)

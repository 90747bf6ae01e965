"""Model names as small integers, so that arms compare and group as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pricing import PriceBook
from simulator.money import grouped

Codes = np.ndarray[Any, np.dtype[np.int32]]

NO_MODEL = -1


class ModelIndex:
    """Every canonical model name met so far, and its code."""

    def __init__(self, book: PriceBook) -> None:
        self.names: list[str] = []
        self.book = book
        self._codes: dict[str, int] = {}
        self._logged: dict[tuple[str | None, str | None], int] = {}
        self._same: dict[tuple[int, int], bool] = {}

    def code(self, name: str | None) -> int:
        """The code of a canonical name; -1 for None."""
        if name is None:
            return NO_MODEL
        if name not in self._codes:
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes[name]

    def name(self, code: int) -> str | None:
        """The canonical name of a code."""
        return None if code == NO_MODEL else self.names[code]

    def of_log(self, model: pa.Array, provider: pa.Array) -> Codes:
        """Codes of model names as a log has them, with the provider it states; -1 for those no price book knows."""
        models, providers = model.dictionary_encode(), provider.dictionary_encode()
        names, hosts = [None, *models.dictionary.to_pylist()], [None, *providers.dictionary.to_pylist()]
        at, by = (np.asarray(column.indices.fill_null(-1)).astype(np.int64) + 1 for column in (models, providers))
        pair = at * len(hosts) + by
        first, rows = grouped(pair)
        codes = [self._of_pair(names[m], hosts[p]) for m, p in zip(at[first].tolist(), by[first].tolist(), strict=True)]
        return np.asarray(np.array(codes, np.int32)[rows])

    def _of_pair(self, name: str | None, provider: str | None) -> int:
        if (name, provider) not in self._logged:
            self._logged[name, provider] = self.code(self.book.resolve(name, provider))
        return self._logged[name, provider]

    def logged(self) -> list[tuple[str | None, str | None, str | None]]:
        """Every model and provider as the log has them, with the canonical name; in the order they were met."""
        return [(*said, self.name(code)) for said, code in self._logged.items()]

    def holds_under(self, book: PriceBook) -> bool:
        """Whether another price book says of the log's models what counts and doubts depend on: names, and thinking."""

        def thinks(book: PriceBook, name: str) -> bool | None:
            return book.capabilities(name).reasoning

        return book is self.book or all(
            book.resolve(model, provider) == name and (name is None or thinks(book, name) == thinks(self.book, name))
            for model, provider, name in self.logged()
        )

    def resolve(self, name: str | None, provider: str | None) -> str | None:
        """The canonical name of a model as a log has it, which from now on has a code."""
        return self.name(self._of_pair(name, provider))

    def same(self, sources: Codes, targets: Codes) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Bool per request: both are the same model, dated snapshots and aliases included."""
        many = len(self.names) + 1  # and none
        pair = (sources.astype(np.int64) + 1) * many + (targets + 1)
        known = np.zeros(many * many, bool)
        for each in np.flatnonzero(np.bincount(pair, minlength=many * many)).tolist():
            known[each] = self._same_pair(each // many - 1, each % many - 1)
        return np.asarray(known[pair])

    def _same_pair(self, source: int, target: int) -> bool:
        if (source, target) not in self._same:
            known = source != NO_MODEL and target != NO_MODEL
            self._same[source, target] = known and self.book.same_model(self.names[source], self.names[target])
        return self._same[source, target]

    def column(self, codes: Codes) -> pa.DictionaryArray:
        """The names of some codes, null for -1."""
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=codes == NO_MODEL), pa.array(self.names, pa.string())
        )

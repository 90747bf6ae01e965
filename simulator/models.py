"""Model names as small integers, so that arms compare and group as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pricing import PriceBook

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
        at = np.asarray(models.indices.fill_null(-1)).astype(np.int64)
        by = np.asarray(providers.indices.fill_null(-1)).astype(np.int64)
        pairs, rows = np.unique(np.stack([at, by]), axis=1, return_inverse=True)
        names, hosts = models.dictionary.to_pylist(), providers.dictionary.to_pylist()
        codes = [self._of_pair(names[m] if m >= 0 else None, hosts[p] if p >= 0 else None) for m, p in pairs.T.tolist()]
        return np.array(codes, np.int32)[rows.reshape(-1)]

    def _of_pair(self, name: str | None, provider: str | None) -> int:
        if (name, provider) not in self._logged:
            self._logged[name, provider] = self.code(self.book.resolve(name, provider))
        return self._logged[name, provider]

    def same(self, sources: Codes, targets: Codes) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Bool per request: both are the same model, dated snapshots and aliases included."""
        result = sources == targets
        for source, target in np.unique(np.stack([sources, targets])[:, ~result], axis=1).T.tolist():
            if (source, target) not in self._same:
                known = source != NO_MODEL and target != NO_MODEL
                self._same[source, target] = known and self.book.same_model(self.names[source], self.names[target])
            if self._same[source, target]:
                result |= (sources == source) & (targets == target)
        return np.asarray(result & (sources != NO_MODEL))

    def column(self, codes: Codes) -> pa.DictionaryArray:
        """The names of some codes, null for -1."""
        return pa.DictionaryArray.from_arrays(
            pa.array(codes, mask=codes == NO_MODEL), pa.array(self.names, pa.string())
        )

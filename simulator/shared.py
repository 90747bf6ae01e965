"""What the workers of a run are given once, pickled where all of them see it; price books, which are large, apart."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pricing import PriceBook

_BOOKS: WeakValueDictionary[str, PriceBook] = WeakValueDictionary()  # of this process, by their pickles


def share(value: object, path: Path) -> str:
    """Pickle a value for `shared`; where it lies.

    Raises:
        OSError: the folder cannot be written.
    """
    with path.open("wb") as file:
        _Pickler(file, path.parent).dump(value)
    return str(path)


def shared(path: str) -> Any:
    """The value of a pickle; its price books are those that this process has already."""
    collects = gc.isenabled()
    gc.disable()  # to look for cycles in a book as it grows takes longer than to load it
    try:
        with Path(path).open("rb") as file:
            return _Unpickler(file).load()
    finally:
        if collects:
            gc.enable()


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._folder = folder

    def persistent_id(self, value: object) -> str | None:
        if not isinstance(value, PriceBook):
            return None
        path = self._folder / f"book-{id(value)}.pickle"
        if _BOOKS.get(str(path)) is not value:
            path.write_bytes(pickle.dumps(value))
            _BOOKS[str(path)] = value
        return str(path)


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, path: str) -> PriceBook:
        book = _BOOKS.get(path)
        if book is None:
            book = _BOOKS[path] = pickle.loads(Path(path).read_bytes())
        return book

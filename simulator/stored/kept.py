"""Readings of a log that outlast the process: what one came to, written beside its parts and found again."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pyarrow as pa

from simulator.bill.plausible import Doubt
from simulator.models import ModelIndex
from simulator.state.cached_input import CachedInput
from simulator.stored.parts import Part, parts_of
from simulator.stored.told import Told
from simulator.usage.observed import KEPT, Observed
from simulator.usage.sample import Sample
from workloads import Log
from workloads.checked import get, put
from workloads.store import Reading, Store

# All that a reading depends on besides the log: the code that reads and counts, and what it is made with.
PACKAGES = ("problems", "workloads", "pricing", "router", "simulator")
LIBRARIES = ("fastokens", "llama-models", "msgspec", "numpy", "pandas", "pyarrow", "tiktoken", "tzdata", "zstandard")


@cache
def version() -> str:
    """A hash of the code and the libraries that a reading depends on."""
    root, digest = Path(__file__).parents[2], blake2b(digest_size=16)
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*")):
            if file.suffix in (".py", ".yaml", ".json"):
                digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
            elif file.suffix in (".npz", ".gz"):  # which only ever change with the code
                digest.update(f"{file.relative_to(root).as_posix()} {file.stat().st_size}".encode())
    for library in LIBRARIES:
        try:
            digest.update(f"{library} {installed_version(library)}".encode())
        except PackageNotFoundError:
            digest.update(f"{library} -".encode())
    digest.update(f"{platform.python_version()} {platform.machine()}".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Found:
    """What a reading of a log came to.

    Args:
        parts: its batches on disk, in the log's order.
        nbytes: of their columns in memory, texts aside.
        observed: samples of each model's answers.
        doubts: counts that cannot be true.
        told: its problems and notes.
    """

    parts: list[Part]
    nbytes: int
    observed: Observed
    doubts: list[Doubt]
    told: Told


def keep(store: Store, folder: Path, found: Found, log: Log, index: ModelIndex) -> bool:
    """Make a reading of a log complete, to be found by `restore`; whether it was.

    Raises:
        OSError: the folder cannot be written.
    """
    samples = [(key, held, held.rows()) for key, held in found.observed.samples.items()]
    columns = {}
    if rows := [table.select(["key", "output", "input", "cap"]) for _, _, table in samples if table.num_rows]:
        columns = {name: column.combine_chunks() for name, column in _columns(pa.concat_tables(rows))}
    about = {
        "models": [_model(index, *said) for said in index.logged()],
        "parts": [(part.stem, part.columns, part.texts) for part in found.parts],
        "nbytes": found.nbytes,
        "samples": [(*key, held.seen, table.num_rows) for key, held, table in samples],
        "cached_input": asdict(found.observed.cached_input),
        "observed": put(folder, "observed", columns),
        "doubts": [asdict(doubt) for doubt in found.doubts],
        "told": found.told.put_away(),
        "sources": log.names(),
        "formats": dict(log.formats),
        "recognised": log.recognised,
        "digest": log.digest,
    }
    return store.commit(folder, about) is not None


def restore(reading: Reading, log: Log, index: ModelIndex) -> Found | None:
    """What a reading kept; None where the price book knows the log's models otherwise than it did then.

    Raises:
        DamagedError: a file is damaged or gone.
    """
    about, folder = reading.about, reading.folder
    for model in about["models"]:
        index.resolve(model["model"], model["provider"])
    if [_model(index, *said) for said in index.logged()] != about["models"]:
        return None
    columns = get(folder, about["observed"])
    observed, first = Observed(cached_input=CachedInput(**about["cached_input"])), 0
    for name, task, seen, rows in about["samples"]:
        table = pa.table({each: column.slice(first, rows) for each, column in columns.items()})
        observed.samples[name, task] = Sample(KEPT, seen, [table] if rows else [])
        first += rows
    names = dict(zip(about["sources"], log.names(), strict=True))
    log.formats, log.digest = Counter(about["formats"]), about["digest"]
    log.recognised = {name: _renamed(said, names) for name, said in about["recognised"].items()}
    doubts = [Doubt(**held | {"requests": tuple(held["requests"])}) for held in about["doubts"]]
    return Found(
        parts_of(folder, about["parts"]), about["nbytes"], observed, doubts, Told.of(folder, about["told"], names)
    )


def _model(index: ModelIndex, model: str | None, provider: str | None, name: str | None) -> dict[str, Any]:
    """All that a price book says of a logged model and that counts and doubts depend on."""
    thinks = None if name is None else index.book.capabilities(name).reasoning
    return {"model": model, "provider": provider, "name": name, "reasoning": thinks}


def _renamed(said: str, names: dict[str, str]) -> str:
    """A place in a source, by the name it has now."""
    for before, now in sorted(names.items(), key=lambda item: -len(item[0])):
        if said.startswith(f"{before}:"):
            return now + said.removeprefix(before)
    return said


def _columns(table: pa.Table) -> Any:
    return zip(table.column_names, table.columns, strict=True)

"""Checked reading of the generator's YAML files: every value fetched with its kind, every unknown key refused."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from problems import BackrouteError, nearest


class Fields:
    """One mapping of a YAML file; `where` names it in errors, and `done` refuses the keys that nobody asked for."""

    def __init__(self, where: str, raw: Any) -> None:
        if not isinstance(raw, dict):
            raise BackrouteError(where, f"not a mapping ({raw!r})", fix="write it as `key: value` lines")
        self.where = where
        self.raw: Mapping[str, Any] = {str(key): value for key, value in raw.items()}
        self.asked: list[str] = []

    def wrong(self, key: str, value: object, wanted: str) -> BackrouteError:
        """The error for a value that is missing or of the wrong kind."""
        return BackrouteError(f"{self.where}: {key}", f"not {wanted} ({value!r})", fix=f"give {wanted}")

    def get(self, key: str) -> Any:
        """The raw value; None where it is absent."""
        self.asked.append(key)
        return self.raw.get(key)

    def done(self) -> None:
        """Raise for the first key that was never asked for, with the nearest of those that were."""
        for key in self.raw:
            if key not in self.asked:
                known = ", ".join(sorted(set(self.asked)))
                raise BackrouteError(
                    self.where, f"unknown key ({key})", fix=nearest(key, self.asked) or f"known keys: {known}"
                )

    def known(self, value: str, names: Iterable[str], key: str) -> str:
        """The value, which must be one of the names."""
        names = list(names)
        if value not in names:
            raise BackrouteError(
                f"{self.where}: {key}",
                f"unknown name ({value})",
                fix=nearest(value, names) or f"known names: {', '.join(names)}",
            )
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty text; `default` where it is absent."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, value, "a text")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> list[str]:
        """A non-empty list of texts; a single text is a list of one, and numbers are taken as text."""
        value = self.get(key)
        if isinstance(value, str) and value.strip():
            return [value]
        if value is None and default is not None:
            return default
        if not isinstance(value, list) or not value or not all(isinstance(one, str | int | float) for one in value):
            raise self.wrong(key, value, "a list of texts")
        return [str(one) for one in value]

    def options(self, key: str) -> list[tuple[str, str]]:
        """A list of texts, each with what belongs to it: a plain text, or a mapping with `say` and `then`."""
        value = self.get(key)
        pairs = []
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                pair = Fields(f"{self.where}: {key}", one)
                pairs.append((pair.text("say"), pair.text("then")))
                pair.done()
            elif isinstance(one, str | int | float):
                pairs.append((str(one), ""))
        if not pairs:
            raise self.wrong(key, value, "a list of texts")
        return pairs

    def number(self, key: str, default: float | None = None, *, above: float | None = None) -> float:
        """A finite number, greater than `above` where that is given."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not usable or (above is not None and value <= above):
            raise self.wrong(key, value, "a number" if above is None else f"a number above {above:g}")
        return float(value)

    def share(self, key: str) -> float:
        """A number from 0 to 1; 0 where it is absent."""
        value = self.number(key, 0.0)
        if not 0 <= value <= 1:
            raise self.wrong(key, value, "a share from 0 to 1")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where it is absent."""
        value = self.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def pair(self, key: str) -> tuple[float, float]:
        """Two numbers, the lower first."""
        value = self.get(key)
        wanted = "two numbers, the lower first"
        if not isinstance(value, list) or len(value) != 2:
            raise self.wrong(key, value, wanted)
        if not all(isinstance(one, int | float) for one in value) or value[0] > value[1]:
            raise self.wrong(key, value, wanted)
        return float(value[0]), float(value[1])

    def date(self, key: str) -> date:
        """A calendar date, e.g. 2026-06-01."""
        value = self.get(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(key, value, "a date like 2026-06-01")
        return value

    def weights(self, key: str) -> dict[str, float]:
        """A mapping of names to positive weights; a single text is that name alone."""
        value = self.get(key)
        if isinstance(value, str):
            return {value: 1.0}
        if not isinstance(value, dict) or not value:
            raise self.wrong(key, value, "a mapping of names to weights")
        inner = Fields(f"{self.where}: {key}", value)
        return {name: inner.number(name, above=0) for name in inner.raw}

    def fields(self, key: str) -> "Fields":
        """A mapping within; empty where it is absent."""
        value = self.get(key)
        return Fields(f"{self.where}: {key}", {} if value is None else value)

    def mappings(self, key: str) -> dict[str, "Fields"]:
        """A mapping of mappings; empty where it is absent."""
        inner = self.fields(key)
        return {name: Fields(f"{self.where}: {key}.{name}", value) for name, value in inner.raw.items()}


def load_yaml(path: Path, kind: str, name: str, known: Iterable[str]) -> Any:
    """The content of a YAML file. Raises BackrouteError where it is missing, with the nearest name, or not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        if path.is_file():
            raise BackrouteError(name, f"cannot be read ({problem})", fix="give a readable UTF-8 file") from None
        bundled = list(known)
        raise BackrouteError(
            name, f"no {kind} of that name or path", fix=nearest(name, bundled) or f"bundled: {', '.join(bundled)}"
        ) from None
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as problem:
        raise BackrouteError(name, f"not YAML ({' '.join(str(problem).split())})", fix="mend the file") from None

"""From the names that logs hold to the book's own: `provider/model`."""

import re
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_DATA = Path(__file__).parent / "data" / "names.yaml"
_BEDROCK = re.compile(
    r"((us|eu|apac|ap|jp|au|ca|in|us-gov|global|regional)\.)?"
    r"(ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshotai|nvidia|openai|qwen|writer|zai)\..+"
)
_PATH = re.compile(r"^(models|publishers/[^/]+/models|projects/.+/models|arn:aws[\w-]*:bedrock:.+)/(?=[^/]+$)")
_NUMBER = re.compile(r"v?\d{1,4}[kmb]?|20\d{6}")
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_SNAPSHOT = re.compile(
    r"[-@:](20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|(0[1-9]|1[0-2])[0-3]\d|2[3-9](0[1-9]|1[0-2])|latest)$"
)


class Found(NamedTuple):
    """A model of the price data: whose bill it is on, and which provider's list holds its price."""

    canonical: str
    home: str
    info: Any


class Names:
    """Finds models in the price data by the names people use.

    Args:
        providers: `genai_prices.types.Provider` objects.
        added: alias (lower case, `provider/name`) to canonical name, from price files.
    """

    def __init__(self, providers: list[Any], added: dict[str, str]) -> None:
        words = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
        self._providers = {provider.id: provider for provider in providers}
        self._aliases = {alias: home for home, aliases in words["providers"].items() for alias in aliases}
        self._gateways = set(words["gateways"])
        self._makers = {prefix: home for home, prefixes in words["makers"].items() for prefix in prefixes}
        self._qualifiers = set(words["qualifiers"])
        self._added = added
        self._private = {alias.partition("/")[0] for alias in added}
        self._cache: dict[tuple[str | None, str | None], Found | None] = {}

    def find(self, name: str | None, provider: str | None = None) -> Found | None:
        """The model of that name; None when unknown. See `PriceBook.resolve`."""
        key = (name, provider)
        if key not in self._cache:
            self._cache[key] = self._find((name or "").strip().lower(), (provider or "").strip().lower())
        return self._cache[key]

    @cached_property
    def published(self) -> dict[str, Found]:
        """Every model of the price data by its canonical name in lower case."""
        found: dict[str, Found] = {}
        for provider in self._providers.values():
            for info in provider.models:
                canonical = f"{provider.id}/{info.id}"
                found.setdefault(canonical.lower(), Found(canonical, canonical, info))
        return found

    def _find(self, name: str, provider: str) -> Found | None:
        if not name:
            return None
        name = _PATH.sub("", name)
        if provider and provider not in self._gateways:
            home = self._provider(provider)
            if home is None:
                return None
            found = self._within(home, name)
            prefix, _, rest = name.partition("/")
            return found or (self._within(home, rest) if rest and self._provider(prefix) == home else None)
        prefix, _, rest = name.partition("/")
        home = self._provider(prefix) if rest else None
        if home is not None and (found := self._within(home, rest)):
            return found
        if _BEDROCK.fullmatch(name) and (found := self._within("aws", name)):
            return found
        return self._by_model_match(name) or self._unique(name)

    def _provider(self, name: str) -> str | None:
        if name in self._providers or name in self._private:
            return name
        return self._aliases.get(name)

    def _within(self, home: str, name: str) -> Found | None:
        """The model of this name at one provider, or at those whose models it resells."""
        canonical = f"{home}/{name}"
        if canonical in self._added:
            known = self.published.get(self._added[canonical].lower())
            return known or Found(self._added[canonical], self._added[canonical], None)
        if canonical in self.published:
            return self.published[canonical]
        provider = self._providers.get(home)
        if provider is None:
            return None
        for spelled in dict.fromkeys((name, _COMPACT_DATE.sub(r"-\1-\2-\3", name))):
            for owner in (home, *(provider.fallback_model_providers or ())):
                if owner != home and f"{owner}/{spelled}" in self._added:
                    theirs = self._added[f"{owner}/{spelled}"]
                    known = self.published.get(theirs.lower())
                    return Found(f"{home}/{theirs.partition('/')[2]}", theirs, known.info if known else None)
                if info := self._matching(owner, spelled):
                    return Found(f"{home}/{info.id}", f"{owner}/{info.id}", info)
        return None

    def _matching(self, owner: str, name: str) -> Any:
        for info in self._providers[owner].models:
            rest = _unmatched(info.match, name)
            # Fine-tunes end in names of the customer's own.
            if rest is not None and (name.startswith("ft:") or self._plausible(rest)):
                return info
        return None

    def _plausible(self, rest: str) -> bool:
        """Whether what the price data did not look at is only dates, versions and regions.

        Their patterns match prefixes and parts, so that "claude-3-haiku-banana" would be priced as claude-3-haiku.
        """
        words = [word for word in re.split(r"[-_.:@/ ]", rest) if word]
        return all(word in self._qualifiers or _NUMBER.fullmatch(word) for word in words)

    def _by_model_match(self, name: str) -> Found | None:
        for prefix, home in self._makers.items():
            if name.startswith(prefix):
                return self._within(home, name)
        for provider in self._providers.values():
            if provider.model_match is not None and provider.model_match.is_match(name):
                found = self._within(provider.id, name)
                if found:
                    return found
        return None

    def _unique(self, name: str) -> Found | None:
        """A name that is the exact id of a model at one provider only, resellers aside."""
        homes = [alias.partition("/")[0] for alias in self._added if alias.partition("/")[2] == name]
        homes += [
            home
            for home, provider in self._providers.items()
            if f"{home}/{name}" in self.published and not provider.fallback_model_providers
        ]
        return self._within(homes[0], name) if len(set(homes)) == 1 else None


def _unmatched(clause: Any, text: str) -> str | None:
    """What a matching clause leaves unexamined of the text; None when it does not match. The least of its ways."""
    if not clause.is_match(text):
        return None
    if hasattr(clause, "or_") or hasattr(clause, "and_"):
        parts = clause.or_ if hasattr(clause, "or_") else clause.and_
        rests = [rest for part in parts if (rest := _unmatched(part, text)) is not None]
        return min(rests, key=len)
    if hasattr(clause, "equals"):
        return ""
    if hasattr(clause, "regex"):
        match = re.search(clause.regex, text)
        return text if match is None else text[: match.start()] + "-" + text[match.end() :]
    part = next(
        getattr(clause, key) for key in ("starts_with", "ends_with", "contains") if hasattr(clause, key)
    ).lower()
    return text.replace(part, "-", 1)


def without_snapshot(name: str) -> str:
    """A name without the date, or "latest", at its end: gpt-4o-2024-05-13 is a snapshot of gpt-4o."""
    return _SNAPSHOT.sub("", name)

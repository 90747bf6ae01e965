"""A claimed saving as its YAML file states it, checked before anything is computed from it."""

import datetime
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from problems import BackrouteError, nearest

CASE = Path(__file__).with_name("claims") / "case.yaml"
HALF = Decimal("0.5")
LARGEST_USD = Decimal(10) ** 12
# No factor past this one is offered as an explanation: a price a thousand times off explains nothing.
LARGEST_FACTOR = 1000.0

Range = tuple[float, float]
Word = Annotated[str, msgspec.Meta(min_length=1)]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping of the claim file, whose decimals are amounts from zero up."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            least = -LARGEST_USD if name == "claimed_saving_pct" else Decimal(0)
            most = Decimal(100) if name.endswith("_pct") else LARGEST_USD
            if isinstance(value, Decimal) and not (value.is_finite() and least <= value <= most):
                raise ValueError(f"{name} is out of range ({value}); give a number from {least:,} to {most:,}")


class TokenRatio(_Entry, frozen=True):
    """Routed tokens over tokens before, as [low, high]; the default is the same tokens."""

    input: Range = (1.0, 1.0)
    output: Range = (1.0, 1.0)

    def __post_init__(self) -> None:
        for name, (low, high) in (("input", self.input), ("output", self.output)):
            if not 0 < low <= high <= LARGEST_FACTOR:
                raise ValueError(f"{name} is no range ([{low:g}, {high:g}]); write [low, high], above 0 to 1,000")


class ModelPrices(_Entry, frozen=True):
    """One model's prices in USD per million tokens; `cache_read` is None where there is none."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    source: str = "the claim"
    effective_from: datetime.date | None = None


class Baseline(_Entry, frozen=True):
    """What was paid before: `usd` with everything on `model`, but for lines with a `from_model` of their own."""

    model: Word
    usd: Decimal


class Line(_Entry, frozen=True):
    """One slice of the claim: `usd` on `model`, on `from_model` before.

    `share_pct` is of requests, which says nothing of their tokens, so it is shown and not used.
    """

    slice: Word
    model: Word
    usd: Decimal
    share_pct: Decimal | None = None
    from_model: Word | None = None
    token_ratio: TokenRatio | None = None


class Claim(_Entry, frozen=True):
    """A table of spend before and after, as somebody published it.

    `tolerance_pct` is how far each figure may be off, in percent of it; None allows half a dollar either way.
    `prices` is "list", or the claimant's own by model, named as in the claim; the rest are list prices.
    """

    name: Word
    source: Word
    baseline: Baseline
    routed: Annotated[tuple[Line, ...], msgspec.Meta(min_length=1)]
    claimed_saving_pct: Decimal | None = None
    tolerance_pct: Decimal | None = None
    token_ratio: TokenRatio = TokenRatio()
    prices: Literal["list"] | dict[str, ModelPrices] = "list"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline.usd == 0:
            raise ValueError("baseline.usd is zero (0); a saving needs a cost to save from")
        names = [line.slice for line in self.routed]
        if len(set(names)) < len(names):
            raise ValueError(f"two slices have one name ({max(names, key=names.count)}); give each its own")
        shares = [line.share_pct for line in self.routed if line.share_pct is not None]
        # Shares rounded to whole percents may miss 100 by half a point each.
        if len(shares) == len(names) and abs(sum(shares, Decimal(-100))) > HALF * len(names):
            raise ValueError(f"share_pct does not add up to 100 ({sum(shares)}); correct it, or leave it out")
        for name in self.own_prices:
            if name not in self.models:
                fix = nearest(name, self.models) or f"the claim's models are {', '.join(self.models)}"
                raise ValueError(f"prices names a model that the claim does not use ({name}); {fix}")

    def before(self, line: Line) -> str:
        """The model that a line ran on before."""
        return line.from_model or self.baseline.model

    @property
    def own_prices(self) -> dict[str, ModelPrices]:
        """The claimant's own prices; empty where the claim is at list prices."""
        return self.prices if isinstance(self.prices, dict) else {}

    @property
    def models(self) -> list[str]:
        """Every model the claim names, once each, in its order."""
        named = [name for line in self.routed for name in (self.before(line), line.model)]
        return list(dict.fromkeys([self.baseline.model, *named]))

    @property
    def routed_usd(self) -> Decimal:
        """The routed lines, added up."""
        return sum((line.usd for line in self.routed), Decimal(0))


def load_claim(path: Path) -> Claim:
    """Read a claim's YAML file. Raises BackrouteError for a file that cannot be read or holds no claim."""
    try:
        return parse_claim(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise BackrouteError(str(path), what, fix="give the path of a claim in YAML") from None


def parse_claim(text: str, where: str = "claim") -> Claim:
    """Read a claim from YAML text; `where` names it in errors. Raises BackrouteError."""
    loaded: object = None
    try:
        loaded = yaml.safe_load(text)
        return msgspec.convert(loaded, Claim)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), loaded, where) from None
    # safe_load raises a bare ValueError for an impossible date.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        place = f"{where}:{mark.line + 1}" if mark else where
        raise BackrouteError(place, f"is not YAML ({what})", fix="see `backroute audit --help`") from None


def _misfit(said: str, loaded: Any, where: str) -> BackrouteError:
    """A validation error as one of ours: the key in the file, the value there, and the nearest known key."""
    what, _, path = said.partition(" - at `$")
    path = path.rstrip("`").removeprefix(".")
    place, value = f"{where}: {path}" if path else where, loaded
    if unknown := re.search("unknown field `(.+)`", what):
        kinds = dict[str, type[_Entry]](baseline=Baseline, routed=Line, prices=ModelPrices, token_ratio=TokenRatio)
        # The innermost mapping that the path goes through is the one with the unknown key.
        inside = [kinds[name] for name in re.findall(r"\w+", path) if name in kinds]
        known = (inside[-1] if inside else Claim).__struct_fields__
        fix = nearest(unknown[1], known) or f"the keys are {', '.join(known)}"
        return BackrouteError(place, f"unknown key ({unknown[1]!r})", fix=fix)
    if "(" in what:  # raised by __post_init__, which states the value and the fix itself
        return BackrouteError(place, what)
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, TypeError, IndexError):  # a key that holds a dot, or msgspec's [...] for any key
            return BackrouteError(place, what, fix="correct it there")
    return BackrouteError(place, f"{what} ({value!r:.80})", fix="correct it there")

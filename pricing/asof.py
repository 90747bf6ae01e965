"""Which day's prices apply: the book's own date, a given date or instant, or each request's own time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from problems import BackrouteError


@dataclass(frozen=True, slots=True)
class AsOf:
    """A date policy.

    `latest` is the price list of the book's date, `day` that of a given date; in both, a model with off-peak hours is
    charged by each request's own time of day (00:00 UTC where it has none). `instant` prices every request at one
    moment, and `request` each at its own (the book's date where it has none).
    """

    policy: Literal["latest", "day", "instant", "request"] = "latest"
    moment: datetime | None = None  # UTC; None for latest and request

    @classmethod
    def parse(cls, text: "str | date | AsOf") -> "AsOf":
        """Read "latest", "request", "YYYY-MM-DD", an ISO time (UTC unless it says otherwise), or a date or datetime.

        Raises:
            BackrouteError: it is none of these.
        """
        if isinstance(text, AsOf):
            return text
        if isinstance(text, datetime):
            return cls("instant", _utc(text))
        if isinstance(text, date):
            return cls("day", datetime(text.year, text.month, text.day, tzinfo=UTC))
        word = text.strip()
        if word in ("latest", "request"):
            return cls("request" if word == "request" else "latest")
        try:
            if len(word) == len("2026-01-31"):
                return cls.parse(date.fromisoformat(word))
            return cls.parse(datetime.fromisoformat(word))
        except ValueError:
            raise BackrouteError(
                "prices as of", f"not a date ({text!r})", fix="give latest, request or a date such as 2026-01-31"
            ) from None

    def __str__(self) -> str:
        if self.moment is None:
            return self.policy
        return self.moment.date().isoformat() if self.policy == "day" else self.moment.isoformat()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

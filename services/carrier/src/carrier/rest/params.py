"""Form and query parameters, where a name may repeat, and the dates of the 2010 API."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from carrier.errors import bad_parameter


class Params:
    """Parameters in the order they came."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = list(pairs)

    def get(self, name: str) -> str | None:
        """Return the first value of a name; None if it was not given."""
        return next((value for key, value in self.pairs if key == name), None)

    def text(self, name: str) -> str:
        """Return the first value of a name, or an empty text."""
        return self.get(name) or ""

    def all(self, name: str) -> list[str]:
        """Return every non-empty value of a name."""
        return [value for key, value in self.pairs if key == name and value]

    def number(self, name: str, default: int) -> int:
        """Return an integer; ProviderError 20001 for anything else."""
        value = self.get(name)
        if value is None or value == "":
            return default
        if not value.isascii() or not value.lstrip("-").isdigit():
            raise bad_parameter(f"{name} must be a whole number")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """Return true or false; None if it was not given."""
        value = self.text(name).lower()
        return None if not value else value == "true"


def rfc2822(at: float | None) -> str | None:
    """Write Unix seconds as the 2010 API writes dates."""
    return None if at is None else format_datetime(datetime.fromtimestamp(at, UTC))


def moment(name: str, value: str) -> tuple[float, float]:
    """Read a date or time filter as the span it means: a whole UTC day, or one second."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise bad_parameter(f"{name} must be YYYY-MM-DD or an ISO 8601 time") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    span = timedelta(days=1) if len(value) == 10 else timedelta(seconds=1)
    return at.timestamp(), (at + span).timestamp()

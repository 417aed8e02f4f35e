"""Connection overrides: the `#ct=..&rc=..` fragment of a webhook URL. Refuses nothing: bad values fall back."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urldefrag

RETRY_WORDS = frozenset({"4xx", "5xx", "ct", "rt", "all"})


@dataclass(frozen=True)
class Overrides:
    """How one webhook is called. Times in milliseconds."""

    connect_ms: int = 5000
    read_ms: int = 15000
    total_ms: int = 15000
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def retries_after(self, failure: str) -> bool:
        """Tell whether a failure of class `ct`, `rt`, `4xx` or `5xx` is tried again."""
        return failure in self.retry_on or "all" in self.retry_on


def read_overrides(url: str) -> tuple[str, Overrides]:
    """Split a configured URL into what is requested and signed, and how to connect."""
    bare, fragment = urldefrag(url)
    given = dict(parse_qsl(fragment))
    words = frozenset(given.get("rp", "").split(",")) & RETRY_WORDS
    default = Overrides()
    return bare, Overrides(
        connect_ms=_within(given.get("ct"), 100, 10_000, default.connect_ms),
        read_ms=_within(given.get("rt"), 100, 15_000, default.read_ms),
        total_ms=_within(given.get("tt"), 100, 15_000, default.total_ms),
        retries=_within(given.get("rc"), 0, 5, default.retries),
        retry_on=words or default.retry_on,
    )


def _within(text: str | None, low: int, high: int, default: int) -> int:
    if text is None or not text.isdigit():
        return default
    return int(text) if low <= int(text) <= high else default

"""How long to wait before the next try, look or question. All in seconds."""

from __future__ import annotations

from datetime import timedelta

_RETRIES = (0.5, 1, 2, 5, 10, 20, 30)
_LOOKS = (1, 2, 3, 5, 5, 5, 10, 10, 20, 30, 60)
_PRICES = (2, 10, 60, 600, 3600, 6 * 3600, 24 * 3600)


def retry(tries: int, asked: float) -> timedelta:
    """Before a text that could not leave is tried again; at least what the provider `asked` for."""
    return timedelta(seconds=max(_RETRIES[min(tries, len(_RETRIES)) - 1], asked))


def look(looks: int) -> timedelta:
    """Before the next look for a text whose answer was lost."""
    return timedelta(seconds=_LOOKS[min(looks, len(_LOOKS) - 1)])


def price(polls: int) -> timedelta | None:
    """Before the provider is asked again what a text cost; None when it has been asked often enough."""
    return timedelta(seconds=_PRICES[polls]) if polls < len(_PRICES) else None

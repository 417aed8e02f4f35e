"""Who waits for an answer goes first: while many do, what nobody waits for has a small share of the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

_CROWD = 3
"""How many wait at once when there is more to do than can be done at once: one send takes a few milliseconds."""

_SHARE = 0.1
"""Seconds after which work that nobody waits for goes on, however many wait."""

_LASTS = 0.05
"""Seconds a crowd is still one: requests come in groups, and between two of them nobody seems to wait."""


class Foreground:
    """Counts who waits for an answer of this process."""

    def __init__(self) -> None:
        self._waiting = 0
        self._last_crowd = -_LASTS

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Somebody waits while this goes on."""
        self._waiting += 1
        try:
            yield
        finally:
            if self._waiting >= _CROWD:
                self._last_crowd = time.monotonic()
            self._waiting -= 1

    @property
    def crowded(self) -> bool:
        """Whether many wait, or did a moment ago."""
        return self._waiting >= _CROWD or time.monotonic() - self._last_crowd < _LASTS

    async def turn(self) -> None:
        """Return when there is time for something nobody waits for: at once without a crowd, else a moment later."""
        until = time.monotonic() + _SHARE
        while self.crowded and (left := until - time.monotonic()) > 0:  # noqa: ASYNC110 - a crowd ends with time
            await asyncio.sleep(min(left, _LASTS))

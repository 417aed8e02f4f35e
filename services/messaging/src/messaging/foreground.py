"""Who waits for an answer goes first: while a process has more to do than it can, what nobody waits for takes less."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TURN = 0.002
"""Seconds one turn of the event loop takes when there is more to do than can be done at once."""


class Foreground:
    """Counts who waits for an answer of this process."""

    def __init__(self) -> None:
        self._waiting = 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Somebody waits while this goes on."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def crowded(self) -> bool:
        """Whether somebody waits, and not for others alone. It takes one turn of the event loop to tell."""
        if not self._waiting:
            return False
        before = time.perf_counter()
        await asyncio.sleep(0)
        return time.perf_counter() - before > _TURN

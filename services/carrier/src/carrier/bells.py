"""Wakes those who wait for something to arrive at an address. Carries no data: look again when it rings."""

import asyncio


class Bells:
    """One bell for each address somebody waits at."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def listen(self, address: str) -> asyncio.Event:
        """Take the bell before looking, so that nothing slips between looking and waiting."""
        return self._events.setdefault(address, asyncio.Event())

    def ring(self, address: str) -> None:
        """Wake everybody who listens at an address, and who listens at all (the empty one)."""
        for name in (address, ""):
            if event := self._events.pop(name, None):
                event.set()

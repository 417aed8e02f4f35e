"""Hints that an inbox has something new, from the broker to whoever waits here: long polls and subscriptions.

A hint may be missed and carries no content; a wait ends when its token dies, and when this process is stopping.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
from common.bus import Bus
from common.catalogue.messages import MessageReceived
from common.errors import SwitchboardError, Unavailable
from nats.aio.msg import Msg

from mcp_edge.gate import Gate
from mcp_edge.principal import Principal

_LOOK_EVERY = 0.25
"""Seconds between looks at whether the tokens of those who wait still live."""

MOST_WAITS = 64
"""Long polls and subscriptions of one token in one process."""


@dataclass(eq=False, frozen=True, slots=True)
class Watch:
    """Someone who waits: `woken` at each hint, `ended` with the reason when they may wait no longer."""

    principal: Principal
    woken: Callable[[], None]
    ended: Callable[[SwitchboardError], None]


class Nudge:
    """The waiting side of a long poll."""

    def __init__(self) -> None:
        self.hinted = False
        self._event = asyncio.Event()
        self._refusal: SwitchboardError | None = None

    def wake(self) -> None:
        """There may be something new."""
        self.hinted = True
        self._event.set()

    def stir(self) -> None:
        """Something else happened that who waits wants to see."""
        self._event.set()

    def end(self, refusal: SwitchboardError) -> None:
        """Wait no longer, and say why."""
        self._refusal = refusal
        self._event.set()

    def rearm(self) -> None:
        """Forget hints so far: what they spoke of is about to be looked at."""
        self.hinted = False
        if self._refusal is None:
            self._event.clear()

    async def wait(self, seconds: float) -> bool:
        """Whether something happened within `seconds`. Raises the refusal that ended the wait."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._event.wait()
        except TimeoutError:
            return False
        if self._refusal is not None:
            raise self._refusal
        return True


class Wakeups:
    """All who wait in this process, by inbox."""

    def __init__(self, bus: Bus, gate: Gate, stopping: Callable[[], bool]) -> None:
        self._gate, self._stopping = gate, stopping
        self._watches: defaultdict[tuple[str, str], set[Watch]] = defaultdict(set)
        self._waits: Counter[str] = Counter()
        bus.listen(MessageReceived.pattern(), self._heard)
        bus.on_reconnect(self._reconnected)

    def open(self, organisation: str, agent: str, watch: Watch) -> Callable[[], None]:
        """Begin to wait for an inbox; gives what ends it, which may be called twice."""
        token = watch.principal.token
        if self._waits[token] >= MOST_WAITS:
            raise Unavailable(f"this token waits {MOST_WAITS} times already; close some", code="too_many_waits")
        self._waits[token] += 1
        inbox = (organisation, agent)
        self._watches[inbox].add(watch)

        def close() -> None:
            if watch in self._watches[inbox]:
                self._watches[inbox].discard(watch)
                self._waits[token] -= 1
            if not self._watches[inbox]:
                del self._watches[inbox]

        return close

    @contextmanager
    def waiting(self, principal: Principal, organisation: str, agent: str) -> Iterator[Nudge]:
        """A long poll of `principal` for that inbox."""
        nudge = Nudge()
        close = self.open(organisation, agent, Watch(principal, nudge.wake, nudge.end))
        try:
            yield nudge
        finally:
            close()

    def wake(self, organisation: str, agent: str) -> None:
        """Tell all who wait for this inbox."""
        for watch in tuple(self._watches.get((organisation, agent), ())):
            watch.woken()

    async def run(self) -> None:
        """End the waits of dead tokens, and all of them when this process stops, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            for watch in self._everyone():
                refusal = self._refusal(watch)
                if refusal:
                    watch.ended(refusal)

    def _refusal(self, watch: Watch) -> SwitchboardError | None:
        if self._stopping():
            return Unavailable("this server is restarting; ask again", code="restarting")
        try:
            self._gate.still(watch.principal)
        except SwitchboardError as refusal:
            return refusal
        return None

    def _everyone(self) -> list[Watch]:
        return [watch for watches in self._watches.values() for watch in watches]

    async def _heard(self, message: Msg) -> None:
        if self._watches:
            organisation = message.subject.split(".", 2)[1]
            self.wake(organisation, str(orjson.loads(message.data)["data"]["agent"]))

    async def _reconnected(self) -> None:
        """Hints were lost while the broker was away; everyone looks for themselves."""
        for watch in self._everyone():
            watch.woken()

"""Agents that wait for a message: the next text of an inbox goes to who waits, in the transaction that stores it.

A wait lives in the replica that was asked. What another replica stores it hears of, and then looks for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterator

import orjson
from common.bus import Bus
from common.catalogue.messages import LeaseMessages, MessageReceived, Waiting
from nats.aio.msg import Msg

_REMEMBERED = 10_000
"""Texts stored here that are still known when the broker tells of them."""


class Wait:
    """One lease that nothing could be handed to yet."""

    def __init__(self, order: LeaseMessages) -> None:
        self.order = order
        self._news: asyncio.Future[Waiting | None] = asyncio.get_running_loop().create_future()
        self._open = self._taken = self._missed = False
        self.withdrawn = False
        self.over = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether it may be handed something now; while it looks for itself it only learns that it must look again."""
        return self._open

    def look(self) -> None:
        """It looks at the tables from now on."""
        self._news = asyncio.get_running_loop().create_future()
        self._open = self._missed = False

    async def news(self, seconds: float) -> Waiting | None:
        """What it was handed within `seconds`; None to look again, or when the time is over."""
        if self._missed:
            return None
        self._open = True
        await asyncio.wait({self._news}, timeout=seconds)
        self._open = False
        return await self._news if self._taken or self._news.done() else None

    def take(self) -> None:
        """Somebody is about to hand it something: it waits for `answer`, whatever the time."""
        self._open, self._taken = False, True

    def answer(self, handed: Waiting | None) -> None:
        """What it is handed; None to have it look for itself."""
        self._taken = False
        if not self._news.done():
            self._news.set_result(handed)

    def wake(self) -> None:
        """There may be something."""
        self._missed = True
        if self._open:
            self._open = False
            self.answer(None)


class Waits:
    """All waits of this process, by inbox, the oldest first."""

    def __init__(self, bus: Bus) -> None:
        self._of: dict[tuple[str, str], list[Wait]] = {}
        self._stored: OrderedDict[str, None] = OrderedDict()
        self._stopping = False
        bus.listen(MessageReceived.pattern(), self._heard)
        bus.on_reconnect(self._reconnected)

    async def run(self) -> None:
        """Until told to stop; then nobody waits any more."""
        try:
            await asyncio.Event().wait()
        finally:
            self._stopping = True
            self._wake_all()

    @property
    def stopping(self) -> bool:
        """Whether whoever waits should be answered, and none should begin."""
        return self._stopping

    @contextlib.contextmanager
    def waiting(self, order: LeaseMessages) -> Iterator[Wait]:
        """From before the first look on, so that nothing comes unnoticed between a look and a wait."""
        wait, inbox = Wait(order), (order.organisation, order.agent)
        self._of.setdefault(inbox, []).append(wait)
        try:
            yield wait
        finally:
            self._of[inbox].remove(wait)
            if not self._of[inbox]:
                del self._of[inbox]
            wait.over.set()

    def take(self, organisation: str, agent: str) -> Wait | None:
        """Who is to be handed what comes next, if somebody waits.

        The caller must `answer` it once that is committed; with nobody to answer, `wake` who began to wait meanwhile.
        """
        for wait in self._of.get((organisation, agent), ()):
            if wait.open:
                wait.take()
                return wait
        return None

    def wake(self, organisation: str, agent: str, *, but: Wait | None = None) -> None:
        """Have everybody at this inbox look again, except who knows already."""
        for wait in tuple(self._of.get((organisation, agent), ())):
            if wait is not but:
                wait.wake()

    def stored(self, message: str) -> None:
        """This process stored that text, and need not look for it when it hears of it."""
        self._stored[message] = None
        if len(self._stored) > _REMEMBERED:
            self._stored.popitem(last=False)

    async def withdraw(self, organisation: str, agent: str, lease_order: str) -> None:
        """Return once that order does not wait here any more."""
        for wait in [one for one in self._of.get((organisation, agent), ()) if one.order.id == lease_order]:
            wait.withdrawn = True
            wait.wake()
            await wait.over.wait()

    async def _heard(self, message: Msg) -> None:
        if not self._of:
            return
        organisation, received = message.subject.split(".", 2)[1], orjson.loads(message.data)["data"]
        if received["message"] not in self._stored:
            self.wake(organisation, received["agent"])

    async def _reconnected(self) -> None:
        """What others stored meanwhile was not heard of."""
        self._wake_all()

    def _wake_all(self) -> None:
        for organisation, agent in tuple(self._of):
            self.wake(organisation, agent)

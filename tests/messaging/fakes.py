"""A provider of texts in memory: it keeps what it accepted and goes wrong as told. Passes the contract suite."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.catalogue.messages import ProviderStatus
from common.catalogue.values import Money
from common.errors import NotFound, Rejected, SwitchboardError, Unavailable, Unknown
from messaging.domain.matching import SKEW, Listed
from messaging.providers.port import Fate, Leave, Text


@dataclass
class Accepted:
    """A text the provider took."""

    provider_id: str
    text: Text
    at: datetime
    status: ProviderStatus = "queued"
    price: Money | None = None


@dataclass
class Fault:
    """What happens to the next text: accepted or not, and what its sender hears."""

    accepted: bool
    error: SwitchboardError | None
    gate: asyncio.Event | None = None
    """Answer only when this is set."""


@dataclass
class FakeSms:
    """Every text is accepted unless a fault is next."""

    accepted: list[Accepted] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[Text] = field(default_factory=list)
    away: Unavailable | None = None
    """Why nothing can leave."""
    list_error: SwitchboardError | None = None
    on_accept: Callable[[Accepted], None] | None = None

    async def send(self, text: Text, leave: Leave) -> str:
        if self.away:
            raise self.away
        await leave()
        self.asked.append(text)
        fault = self.faults.popleft() if self.faults else Fault(accepted=True, error=None)
        taken = self.take(text) if fault.accepted else None
        if fault.gate:
            await fault.gate.wait()
        if fault.error:
            raise fault.error
        assert taken is not None
        return taken.provider_id

    def take(self, text: Text) -> Accepted:
        taken = Accepted(f"SM{len(self.accepted):032x}", text, datetime.now(UTC))
        self.accepted.append(taken)
        return taken

    async def find(self, text: Text, since: datetime) -> list[Listed]:
        if self.list_error:
            raise self.list_error
        pair = (text.account, text.sender, text.to)
        mine = [one for one in self.accepted if (one.text.account, one.text.sender, one.text.to) == pair]
        return [Listed(one.provider_id, one.text.body, one.at) for one in mine if one.at >= since - SKEW]

    async def fetch(self, account: str, provider_id: str) -> Fate:
        for one in self.accepted:
            if (one.text.account, one.provider_id) == (account, provider_id):
                return Fate(one.status, price=one.price)
        raise NotFound("no such text")

    async def close(self) -> None:
        """Nothing to let go of."""

    def answer_lost(self, *, accepted: bool) -> None:
        """The next text is accepted or not, and its sender hears nothing."""
        self.faults.append(Fault(accepted, Unknown("sent, and no answer came")))

    def refuse(self, code: str = "provider_21211") -> None:
        self.faults.append(Fault(accepted=False, error=Rejected("the provider refused", code=code)))

    def unreachable(self, retry_after: float = 0.01) -> None:
        """Nothing leaves until `away` is None again."""
        self.away = Unavailable("no route", retry_after=retry_after)

    def hold(self, *, accepted: bool = True) -> asyncio.Event:
        """The next text is answered only when the event given is set."""
        gate = asyncio.Event()
        self.faults.append(Fault(accepted, None, gate))
        return gate

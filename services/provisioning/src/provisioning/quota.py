"""Money for a number: held at billing before it is bought, let go when it is not."""

from __future__ import annotations

import contextlib
from typing import Protocol

from common import ids
from common.bus import Bus
from common.catalogue.billing import Authorize, GetPriceBook, SettleHold
from common.catalogue.values import Money
from common.errors import NotFound, Rejected
from common.messages import Actor

_ACTOR = Actor(tier="operator", token="provisioning")  # noqa: S106 - who asks, not a secret


class Quota(Protocol):
    """Whoever allows a month's rent. `hold` names the hold for ever: asking again gives the same answer."""

    async def hold(self, organisation: str, hold: str, agent: str, country: str) -> Money:
        """Hold it, and say what the number costs us a month. `Rejected` with billing's reason."""

    async def let_go(self, organisation: str, hold: str) -> None:
        """It was not spent. Finding nothing held is fine."""


class BillingQuota:
    """Billing, over the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def hold(self, organisation: str, hold: str, agent: str, country: str) -> Money:
        """The decision is billing's; the monthly cost is its price book's."""
        asked = Authorize(
            organisation=organisation,
            actor=_ACTOR,
            id=ids.derived("hold", hold),
            key=hold,
            hold=hold,
            agent=agent,
            charge="number_rent",
            country=country,
        )
        decision = await self._bus.order(asked)
        if not decision.allowed:
            raise Rejected(decision.sentence() or "billing refuses another number", code=decision.code or "refused")
        return await self._monthly(organisation, country) or decision.held

    async def let_go(self, organisation: str, hold: str) -> None:
        """Release the hold."""
        asked = SettleHold(
            organisation=organisation,
            actor=_ACTOR,
            id=ids.derived("let-go", hold),
            key=f"{hold}:let-go",
            hold=hold,
            captured=False,
        )
        with contextlib.suppress(NotFound):
            await self._bus.order(asked)

    async def _monthly(self, organisation: str, country: str) -> Money | None:
        book = await self._bus.query(GetPriceBook(organisation=organisation, actor=_ACTOR))
        return next((line.price for line in book.lines if line.item == f"number_rent/{country}"), None)

"""Old holds: the owner of the act is asked what became of it. Time alone never lets money go.

A hold its owner does not know, or says has ended, is doubted; doubted at two looks in a row, it is let go. Should news
of the act come after all, it is posted all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import structlog
from common import ids
from common.bus import Bus
from common.catalogue.messages import GetOperation, OperationState
from common.catalogue.provisioning import GetSagaHold, HoldState
from common.db import Database, Tx
from common.errors import SwitchboardError

from billing import books
from billing.charges import Charge
from billing.store import charges

PAGE = 100

log = structlog.get_logger()

Ask = Callable[[Charge], Awaitable[OperationState | HoldState]]


class HoldResolver:
    """Looks at every open hold older than `age`, again and again."""

    def __init__(self, database: Database, ask: Ask, *, age: timedelta, every: float) -> None:
        self._database = database
        self._ask = ask
        self._age = age
        self._every = every
        self._doubted: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    async def look(self) -> int:
        """One look at all old holds; says how many were let go."""
        doubted: set[tuple[str, str]] = set()
        released, last = 0, None
        while page := await self._page(last):
            last = page[-1]
            for charge in [charge for charge in page if await self._doubtful(charge)]:
                name = (charge.organisation, charge.hold)
                if name in self._doubted:
                    await self._release(charge)
                    released += 1
                else:
                    doubted.add(name)
        self._doubted = doubted
        return released

    async def _page(self, last: Charge | None) -> list[Charge]:
        return await self._database.read(lambda tx: charges.open_before(tx, tx.now - self._age, last, PAGE))

    async def _doubtful(self, charge: Charge) -> bool:
        """An owner that does not answer leaves the hold as it is."""
        try:
            state = await self._ask(charge)
        except SwitchboardError as error:
            log.warning("hold_owner_silent", kind=charge.kind, error=error.code)
            return False
        return not state.known or state.ended

    async def _release(self, charge: Charge) -> None:
        def release(tx: Tx) -> bool:
            return books.learn(tx, replace(charge, state="released"), ids.trace_parent())

        await self._database.write(release)
        log.warning("hold_let_go", hold=charge.hold, kind=charge.kind)


def owners(bus: Bus) -> Ask:
    """Who knows what became of a hold: the service that asked for it."""

    async def ask(charge: Charge) -> OperationState | HoldState:
        if charge.kind == "number_rent":
            return await bus.query(GetSagaHold(organisation=charge.organisation, saga=charge.hold))
        return await bus.query(GetOperation(organisation=charge.organisation, operation=charge.hold))

    return ask

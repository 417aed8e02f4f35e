"""Finds out what became of texts whose answer was lost, and takes over what a dead replica held. Never sends."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from common.db import Database, Tx
from common.errors import Rejected, SwitchboardError

from messaging import ledger
from messaging.dispatch import Dispatcher
from messaging.domain.matching import Listed
from messaging.ledger import Rules
from messaging.providers import registry
from messaging.providers.port import Text
from messaging.providers.registry import Providers
from messaging.store import operations
from messaging.store.operations import Task

_AT_ONCE = 100

log = structlog.get_logger()


class Resolver:
    """Watches for operations that have become due."""

    def __init__(
        self, database: Database, providers: Providers, dispatcher: Dispatcher, rules: Rules, poll: float
    ) -> None:
        self._database, self._providers, self._dispatcher = database, providers, dispatcher
        self._rules, self._poll = rules, poll

    async def run(self) -> None:
        """Look for due operations for ever."""
        while True:
            await self.pass_once()
            await asyncio.sleep(self._poll)

    async def pass_once(self) -> None:
        """Deal with everything that is due now."""
        due = await self._database.read(lambda tx: operations.due(tx, _AT_ONCE))
        looks = []
        for row in due:
            operation, state, fence = row.operation, row.state, row.fence
            if state == "queued" and self._dispatcher.room:
                await self._take(operation, fence)
            elif state == "in_flight":
                await self._database.write(partial(self._abandoned, operation=operation, fence=fence))
            elif state == "unknown":
                looks.append(self._look(operation, fence))
        await asyncio.gather(*looks)

    async def _take(self, operation: str, fence: int) -> None:
        def take(tx: Tx) -> Task | None:
            if not operations.claim(tx, operation, fence, self._rules.lease):
                return None
            return operations.task(tx, operation)

        task = await self._database.write(take)
        if task:
            self._dispatcher.take(task)

    def _abandoned(self, tx: Tx, operation: str, fence: int) -> None:
        if operations.claim(tx, operation, fence, self._rules.lease):
            row = operations.last_attempt(tx, operation)
            if row is not None:
                ledger.uncertain(tx, row, "whoever was sending it ended without an outcome", self._rules)

    async def _look(self, operation: str, fence: int) -> None:
        """One look into the provider's list, by one replica at a time."""
        if not await self._database.write(lambda tx: operations.claim(tx, operation, fence, self._rules.lease)):
            return
        row = await self._database.read(lambda tx: operations.last_attempt(tx, operation, lock=False))
        if row is None:
            return
        try:
            listed = await self._listed(row)
        except SwitchboardError as error:
            why = f"the provider's list cannot be read: {error.detail}"
            await self._database.write(partial(self._conclude, operation=operation, listed=None, why=why))
            log.warning("list_not_read", provider=row.provider, error=error.detail)
        else:
            await self._database.write(partial(self._conclude, operation=operation, listed=listed, why=""))

    async def _listed(self, row: ledger.Row) -> list[Listed]:
        text = Text(row.attempt, row.account, row.sender, row.recipient, row.body, "")
        try:
            return await registry.named(self._providers, row.provider).find(text, row.started_at)
        except SwitchboardError:
            raise
        except Exception as error:  # an adapter's bug must not end the looks of all others
            log.exception("provider_failed", provider=row.provider)
            raise Rejected(f"our adapter failed: {error!r}") from error

    def _conclude(self, tx: Tx, operation: str, listed: list[Listed] | None, why: str) -> None:
        row = operations.last_attempt(tx, operation)
        if row is None:
            return
        if listed is None:
            ledger.look_again(tx, row, self._rules, absent=row.absent, why=why)
        else:
            ledger.looked(tx, row, listed, self._rules)

"""Asks providers what sent texts cost, with growing pauses, and meets a lost status report on the way."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog
from common.db import Database, Tx
from common.errors import SwitchboardError

from messaging import ledger
from messaging.domain import delays, status
from messaging.foreground import Foreground
from messaging.ledger import Rules
from messaging.providers import registry
from messaging.providers.port import Fate
from messaging.providers.registry import Providers
from messaging.store import messages, operations

_AT_ONCE = 8

log = structlog.get_logger()


class PricePoller:
    """Asks until a text is priced and at its end, or has been asked for often enough."""

    def __init__(
        self, database: Database, providers: Providers, rules: Rules, poll: float, foreground: Foreground
    ) -> None:
        self._database, self._providers, self._rules, self._poll = database, providers, rules, poll
        self._foreground = foreground

    async def run(self) -> None:
        """Ask for ever; without a pause while there is a crowd."""
        while True:
            if await self.pass_once() < _AT_ONCE:
                await asyncio.sleep(self._poll)

    async def pass_once(self) -> int:
        """Ask for what is due now, one at a time while others wait for an answer; says for how many."""
        most = 1 if self._foreground.crowded else _AT_ONCE
        due = await self._database.read(lambda tx: operations.prices_due(tx, most))
        await asyncio.gather(*map(self._ask, due))
        return len(due)

    async def _ask(self, due: sa.Row[Any]) -> None:
        claim = partial(operations.claim_price, attempt=due.attempt, due_at=due.price_due_at, lease=self._rules.lease)
        if await self._database.write(claim):
            fate = await self._fate(due)
            await self._database.write(partial(_keep, attempt=due.attempt, fate=fate))

    async def _fate(self, due: sa.Row[Any]) -> Fate | None:
        try:
            return await registry.named(self._providers, due.provider).fetch(due.account, due.provider_id)
        except SwitchboardError as error:
            log.warning("price_not_fetched", provider=due.provider, error=error.detail)
            return None


def _keep(tx: Tx, attempt: str, fate: Fate | None) -> None:
    row = operations.of_attempt(tx, attempt)
    if row is None:
        return
    if fate:
        ledger.progressed(tx, row, fate.status, fate.error_code)
        if fate.price:
            ledger.priced(tx, row, fate.price)
    known = row.price_micros is not None or (fate is not None and fate.price is not None)
    ended = status.final(messages.status_of(tx, row.message))  # type: ignore[arg-type] # a status of ours
    pause = None if known and ended else delays.price(row.price_polls + 1)
    due = tx.now + pause if pause else None
    operations.change_attempt(tx, attempt, price_polls=row.price_polls + 1, price_due_at=due)

"""Chains what arrives in batches: everything that waits is committed together, and nothing is acknowledged before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from common.consumer import Delivery
from common.db import Database, Tx
from common.errors import SwitchboardError

from audit import domain
from audit.domain import Received
from audit.store import chains, producers

BATCH = 1024
"""Most events of one commit."""

PACE = 0.25
"""Seconds events may gather before they are read: nobody waits for them, and a commit costs as much as ten."""

log = structlog.get_logger()


class Intake:
    """Handles deliveries of any event. One commit at a time; what arrives meanwhile waits for the next."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Received, asyncio.Future[None]]] = []
        self._working: asyncio.Task[None] | None = None

    async def handle(self, delivery: Delivery) -> None:
        """Return once the event is chained durably. `Rejected` when these bytes are no event."""
        event = domain.received(delivery.subject, delivery.body)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            await self._commit(batch)

    async def _commit(self, batch: list[tuple[Received, asyncio.Future[None]]]) -> None:
        try:
            await self._database.write(_chaining([event for event, _ in batch]))
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, SwitchboardError):
                log.exception("batch_not_chained", events=len(batch))
                for one in batch:
                    await self._commit([one])
                return
            _settle(batch, error)
        else:
            _settle(batch, None)


class _chaining:
    """The transaction of one batch."""

    def __init__(self, events: Sequence[Received]) -> None:
        self._events = events

    def __call__(self, tx: Tx) -> int:
        added = chains.append(tx, self._events)
        producers.seen(tx, self._events)
        return added


def _settle(batch: list[tuple[Received, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in batch:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

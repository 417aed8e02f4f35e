"""What people ask about texts, and decide about those nobody could find out: traces, open unknowns, verdicts."""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa
from common.catalogue.messages import (
    DecideUnknown,
    GetOperation,
    ListUnresolved,
    MessageTrace,
    OperationState,
    TraceMessage,
    Unresolved,
    UnresolvedList,
)
from common.catalogue.values import Done
from common.db import Database, Tx
from common.errors import Conflict

from messaging import ledger
from messaging.store import history, messages, operations


class Review:
    """Looks into the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def trace(self, query: TraceMessage) -> MessageTrace:
        """Every step of one message, with its time."""
        return await self._database.read(partial(_trace, query=query))

    async def unresolved(self, query: ListUnresolved) -> UnresolvedList:
        """The texts that wait for a resolver or a person."""

        def listed(tx: Tx) -> UnresolvedList:
            rows = operations.unresolved(tx, query.organisation)
            return UnresolvedList(unresolved=[_open(tx, row) for row in rows])

        return await self._database.read(listed, long=True)

    async def operation(self, query: GetOperation) -> OperationState:
        """Whether money held for an operation may still be needed."""
        state = await self._database.read(lambda tx: operations.state_of(tx, query.organisation, query.operation))
        return OperationState(known=state is not None, ended=state == "ended")

    async def decide(self, order: DecideUnknown) -> Done:
        """A person's word ends what nobody could find out."""
        return await self._database.write(partial(_decide, order=order))


def _trace(tx: Tx, query: TraceMessage) -> MessageTrace:
    row = messages.of_organisation(tx, query.organisation, query.message, query.agent)
    operation = operations.of_message(tx, row.message) if row.direction == "out" else None
    return MessageTrace(
        message=row.message,
        direction=row.direction,
        status=row.status,
        provider_id=operations.provider_id_of(tx, operation) if operation else row.provider_id,
        steps=history.of(tx, row.message),
    )


def _open(tx: Tx, row: sa.Row[Any]) -> Unresolved:
    return Unresolved(
        message=row.message,
        agent=row.agent,
        since=row.unknown_at,
        person_decides_at=row.person_decides_at,
        overdue=tx.now >= row.person_decides_at,
    )


def _decide(tx: Tx, order: DecideUnknown) -> Done:
    messages.of_organisation(tx, order.organisation, order.message)
    operation = operations.of_message(tx, order.message)
    row = operations.last_attempt(tx, operation) if operation else None
    if row is None or row.state not in ("unknown", "taken", "not_taken"):
        raise Conflict("this message is not of unknown outcome", code="not_unknown")
    if row.state != "unknown":
        return _already(row, order)
    by = f"decided by {order.actor.tier} {order.actor.token}".strip()
    if not order.sent:
        ledger.not_taken(tx, row, "decided", f"{by}: {order.reason}")
    elif order.provider_id and operations.taken_ids(tx, row, [order.provider_id]):
        raise Conflict("that provider id belongs to another text", code="provider_id_taken")
    else:
        ledger.taken(tx, row, order.provider_id, f"{by} ({order.reason})")
    return Done()


def _already(row: ledger.Row, order: DecideUnknown) -> Done:
    if (row.state == "taken") != order.sent:
        raise Conflict(f"its outcome is known by now: {row.status}", code="not_unknown")
    return Done(changed=False)

"""The desk where agents collect their messages: handed out under a lease, acknowledged, or only read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from common import ids
from common.catalogue.messages import (
    AcknowledgeMessages,
    GetMessages,
    LeaseMessages,
    Messages,
    MessagesAcknowledged,
    Waiting,
)
from common.catalogue.values import Done, Step
from common.crash import crash
from common.db import Database, Tx
from common.errors import NotFound

from messaging.owners import Owners
from messaging.store import contacts, history, messages, waiting


class Desk:
    """One for all agents; each sees its own messages only."""

    def __init__(self, database: Database, owners: Owners) -> None:
        self._database, self._owners = database, owners
        self._known: set[tuple[str, str]] = set()

    async def lease(self, order: LeaseMessages) -> Waiting:
        """Acknowledge what is dealt with, and hand out the oldest messages nobody holds."""
        await self._require_agent(order.organisation, order.agent)
        # Most who ask find nothing, and begin to wait: they need not wait for a commit first.
        looks = not order.acknowledge
        if looks and await self._database.read(lambda tx: waiting.empty(tx, order.organisation, order.agent)):
            return Waiting(messages=[])
        waiting_ = await self._database.write(lambda tx: _lease(tx, order))
        crash("d1")
        return waiting_

    async def acknowledge(self, order: AcknowledgeMessages) -> Done:
        """All or nothing: one message of another agent, and none is dealt with."""
        await self._require_agent(order.organisation, order.agent)
        done = await self._database.write(lambda tx: _acknowledge(tx, order, order.messages))
        crash("d2")
        return done

    async def read(self, query: GetMessages) -> Messages:
        """A page of history; nothing changes hands."""
        await self._require_agent(query.organisation, query.agent)
        return await self._database.read(lambda tx: _page(tx, query))

    async def _require_agent(self, organisation: str, agent: str) -> None:
        """`NotFound` for an agent this organisation neither has nor had."""
        if (organisation, agent) in self._known:  # an agent that had messages never stops having had them
            return
        if await self._database.read(lambda tx: messages.known_agent(tx, organisation, agent)):
            self._known.add((organisation, agent))
        else:
            await self._owners.route_of(organisation, agent)


def _lease(tx: Tx, order: LeaseMessages) -> Waiting:
    if order.acknowledge:
        messages.lock_agent(tx, order.organisation, order.agent)
        _acknowledge(tx, order, order.acknowledge)
    return _hand_out(tx, order)


def _hand_out(tx: Tx, order: LeaseMessages) -> Waiting:
    """A repeated request is given what it was given before."""
    messages.lock_agent(tx, order.organisation, order.agent)
    lease = ids.derived("lease", order.id)
    held = waiting.held_by(tx, order.organisation, order.agent, lease)
    if held:
        return _shown(held, lease, before=1)
    free = waiting.free(tx, order.organisation, order.agent, order.limit)
    if not free:
        return Waiting(messages=[], next_lease_ends_at=waiting.next_end(tx, order.organisation, order.agent))
    until = tx.now + timedelta(seconds=order.lease_seconds)
    waiting.hold(tx, order.organisation, order.agent, [row.cursor for row in free], lease, until)
    history.notes(tx, [(row.message, _handed(tx, row)) for row in free])
    handed = _shown(free, lease, before=0)
    return handed.model_copy(update={"leased_until": until})


def _handed(tx: Tx, row: sa.Row[Any]) -> Step:
    return Step(at=tx.now, what="handed to the agent", detail=f"time {row.deliveries + 1}")


def _shown(rows: list[sa.Row[Any]], lease: str, *, before: int) -> Waiting:
    """`before`: how many of the counted deliveries are this very one."""
    shown = [messages.shown(row, row.deliveries - before) for row in rows]
    return Waiting(messages=shown, lease=lease, leased_until=rows[0].leased_until)


def _acknowledge(tx: Tx, order: AcknowledgeMessages | LeaseMessages, dealt_with: list[str]) -> Done:
    wanted = set(dealt_with)
    ended = waiting.end(tx, order.organisation, order.agent, wanted)
    _require_owned(tx, order, wanted - set(ended))
    if ended:
        history.notes(tx, [(message, Step(at=tx.now, what="acknowledged by the agent")) for message in ended])
        tx.stage(MessagesAcknowledged.after(order, agent=order.agent, messages=ended))
    return Done(changed=bool(ended))


def _require_owned(tx: Tx, order: AcknowledgeMessages | LeaseMessages, others: set[str]) -> None:
    """What did not wait any more was acknowledged before, or never was this agent's: that undoes everything."""
    if others and (missing := sorted(others - waiting.owned(tx, order.organisation, order.agent, others))):
        raise NotFound(f"no message {missing[0]}; nothing was acknowledged", code="no_message")


def _page(tx: Tx, query: GetMessages) -> Messages:
    if query.thread:
        contacts.require_thread(tx, query.organisation, query.agent, query.thread)
    rows = messages.page(tx, query.organisation, query.agent, thread=query.thread, after=query.after, limit=query.limit)
    shown = [messages.shown(row) for row in rows[: query.limit]]
    cursor = shown[-1].cursor if shown else query.after
    return Messages(messages=shown, cursor=cursor, more=len(rows) > query.limit)

"""The desk where agents collect their messages: handed out under a lease, acknowledged, or only read."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from common.catalogue.messages import (
    AcknowledgeMessages,
    GetMessages,
    LeaseMessages,
    Messages,
    MessagesAcknowledged,
    Waiting,
    WithdrawLease,
)
from common.catalogue.values import Done, Step
from common.crash import crash
from common.db import Database, Tx
from common.errors import NotFound

from messaging import leases
from messaging.owners import Owners
from messaging.store import contacts, history, messages, waiting
from messaging.waits import Waits

_SOONEST = 0.05
"""Seconds after the end of another holder's lease to look again."""

_LOOK_AT_HELD = 1.0
"""Seconds between looks at what another holds: acknowledged, or given back, at another replica, nobody tells us."""


class Desk:
    """One for all agents; each sees its own messages only."""

    def __init__(self, database: Database, owners: Owners, waits: Waits) -> None:
        self._database, self._owners, self._waits = database, owners, waits
        self._known: set[tuple[str, str]] = set()

    async def lease(self, order: LeaseMessages) -> Waiting:
        """Acknowledge what is dealt with, and hand out the oldest messages nobody holds; if there are none, wait."""
        ends = time.monotonic() + order.wait_s
        with self._waits.waiting(order) as wait:  # before anything else, so that no withdrawal comes before it
            await self._require_agent(order.organisation, order.agent)
            while True:
                wait.look()
                found = await self._look(order)
                if order.acknowledge:  # what comes after them in their threads is free now
                    self._waits.wake(order.organisation, order.agent, but=wait)
                left = ends - time.monotonic()
                if found.messages or left <= 0 or wait.withdrawn or self._waits.stopping:
                    break
                order = order.model_copy(update={"acknowledge": []})
                handed = await wait.news(min(left, _next_look(found)))
                if handed and handed.messages:
                    found = handed
                    break
        crash("d1")
        return found

    async def withdraw(self, order: WithdrawLease) -> Done:
        """What was handed to somebody who left is free again; others who wait for it look for it."""
        await self._waits.withdraw(order.organisation, order.agent, order.lease_order)
        freed = await self._database.write(lambda tx: leases.take_back(tx, order))
        if freed:
            self._waits.wake(order.organisation, order.agent)
        return Done(changed=freed)

    async def _look(self, order: LeaseMessages) -> Waiting:
        """Most who ask find nothing, and begin to wait: they need not wait for a commit first."""
        looks = not order.acknowledge
        if looks and await self._database.read(lambda tx: waiting.empty(tx, order.organisation, order.agent)):
            return Waiting(messages=[])
        return await self._database.write(lambda tx: _lease(tx, order))

    async def acknowledge(self, order: AcknowledgeMessages) -> Done:
        """All or nothing: one message of another agent, and none is dealt with."""
        await self._require_agent(order.organisation, order.agent)
        done = await self._database.write(lambda tx: _acknowledge(tx, order, order.messages))
        self._waits.wake(order.organisation, order.agent)
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
    return leases.hand_out(tx, order)


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


def _next_look(found: Waiting) -> float:
    """Seconds until another holder may have let go without our hearing of it; for ever when nobody holds anything."""
    if found.next_lease_ends_at is None:
        return float("inf")
    left = (found.next_lease_ends_at - datetime.now(UTC)).total_seconds()
    return min(_LOOK_AT_HELD, max(0.0, left) + _SOONEST)

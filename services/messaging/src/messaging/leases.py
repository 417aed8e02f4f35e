"""Handing messages out: which are free, who holds them from now on, and how they are taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from common import ids
from common.catalogue.messages import LeaseMessages, Waiting, WithdrawLease
from common.catalogue.values import Step
from common.db import Tx

from messaging.store import history, messages, waiting


def hand_out(tx: Tx, order: LeaseMessages) -> Waiting:
    """A repeated request is given what it was given before."""
    messages.lock_agent(tx, order.organisation, order.agent)
    lease = _of(order.id)
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


def take_back(tx: Tx, order: WithdrawLease) -> bool:
    """Free what was handed to this order: it reached nobody. Whether there was anything."""
    messages.lock_agent(tx, order.organisation, order.agent)
    freed = waiting.free_again(tx, order.organisation, order.agent, _of(order.lease_order))
    history.notes(
        tx, [(message, Step(at=tx.now, what="taken back", detail="its reader had left")) for message in freed]
    )
    return bool(freed)


def _of(order: str) -> str:
    """The lease of an order: asked again, it is given the same."""
    return ids.derived("lease", order)

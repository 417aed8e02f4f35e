"""The inbox: what waits for its agent, who holds it, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from common.db import Tx
from common.statements import Prepared

from messaging.store.tables import messages, waiting

_MINE = (waiting.c.organisation == sa.bindparam("org")) & (waiting.c.agent == sa.bindparam("agent_"))
_HELD = waiting.c.leased_until > sa.bindparam("now", type_=waiting.c.leased_until.type)
_WITH_MESSAGES = (
    sa.select(messages, waiting.c.deliveries, waiting.c.leased_until)
    .join(waiting, waiting.c.message == messages.c.message)
    .where(_MINE)
    .order_by(waiting.c.at, waiting.c.cursor)
)

_ADD = Prepared(sa.insert(waiting))

_OF_LEASE = Prepared(_WITH_MESSAGES.where(waiting.c.lease == sa.bindparam("lease_"), _HELD))

_FREE = Prepared(
    _WITH_MESSAGES.where(waiting.c.thread.not_in(sa.select(waiting.c.thread).where(_MINE, _HELD))).limit(
        sa.bindparam("most", type_=sa.Integer)
    )
)

_HOLD = Prepared(
    sa.update(waiting)
    .where(_MINE, waiting.c.cursor.in_(sa.bindparam("cursors", expanding=True)))
    .values(
        lease=sa.bindparam("lease_"),
        leased_until=sa.bindparam("until", type_=waiting.c.leased_until.type),
        deliveries=waiting.c.deliveries + 1,
    )
)

_FREE_AGAIN = Prepared(
    sa.update(waiting)
    .where(_MINE, waiting.c.lease == sa.bindparam("lease_"), _HELD)
    .values(lease=None, leased_until=None, deliveries=waiting.c.deliveries - 1)
    .returning(waiting.c.message)
)

_ANY = Prepared(sa.select(waiting.c.message).where(_MINE).limit(1))

_NEXT_END = Prepared(sa.select(sa.func.min(waiting.c.leased_until)).where(_MINE, _HELD))

_OWNED = Prepared(
    sa.select(messages.c.message).where(
        messages.c.message.in_(sa.bindparam("wanted", expanding=True)),
        messages.c.organisation == sa.bindparam("org"),
        messages.c.agent == sa.bindparam("agent_"),
        messages.c.direction == "in",
    )
)

_END = Prepared(
    sa.delete(waiting)
    .where(_MINE, waiting.c.message.in_(sa.bindparam("wanted", expanding=True)))
    .returning(waiting.c.cursor, waiting.c.message)
)

_ACKNOWLEDGED = Prepared(
    sa.update(messages)
    .where(messages.c.message.in_(sa.bindparam("ended", expanding=True)))
    .values(acknowledged_at=sa.bindparam("now", type_=messages.c.acknowledged_at.type), status="acknowledged")
)


def add(tx: Tx, organisation: str, agent: str, cursor: int, message: str, thread: str, at: datetime) -> None:
    """A message waits for its agent."""
    row = {
        "organisation": organisation,
        "agent": agent,
        "cursor": cursor,
        "message": message,
        "thread": thread,
        "at": at,
        "deliveries": 0,
    }
    tx.execute(_ADD, row)


def empty(tx: Tx, organisation: str, agent: str) -> bool:
    """Whether nothing waits, held or free."""
    return tx.execute(_ANY, _of(organisation, agent)).first() is None


def held_by(tx: Tx, organisation: str, agent: str, lease: str) -> list[sa.Row[Any]]:
    """What this lease holds now, with the messages themselves, in order."""
    return list(tx.execute(_OF_LEASE, _of(organisation, agent) | {"lease_": lease, "now": tx.now}))


def free(tx: Tx, organisation: str, agent: str, limit: int) -> list[sa.Row[Any]]:
    """The oldest messages that may be handed out, in order.

    A thread of which somebody holds a message is left alone: its later messages wait, so that no thread is ever read
    out of order. Other threads go on.
    """
    return list(tx.execute(_FREE, _of(organisation, agent) | {"most": limit, "now": tx.now}))


def hold(tx: Tx, organisation: str, agent: str, cursors: list[int], lease: str, until: datetime) -> None:
    """These are handed out under this lease, once more than before."""
    tx.execute(_HOLD, _of(organisation, agent) | {"cursors": cursors, "lease_": lease, "until": until})


def free_again(tx: Tx, organisation: str, agent: str, lease: str) -> list[str]:
    """Nobody holds what this lease holds, and it was never handed out; gives its messages."""
    values = _of(organisation, agent) | {"lease_": lease, "now": tx.now}
    return list(tx.execute(_FREE_AGAIN, values).scalars())


def next_end(tx: Tx, organisation: str, agent: str) -> datetime | None:
    """When the first lease in force ends; None when nobody holds anything."""
    found: datetime | None = tx.execute(_NEXT_END, _of(organisation, agent) | {"now": tx.now}).scalar()
    return found


def owned(tx: Tx, organisation: str, agent: str, wanted: set[str]) -> set[str]:
    """Which of these messages were received by this agent."""
    return set(tx.execute(_OWNED, _of(organisation, agent) | {"wanted": list(wanted)}).scalars())


def end(tx: Tx, organisation: str, agent: str, wanted: set[str]) -> list[str]:
    """These wait no longer; gives those that did until now, in order."""
    rows = tx.execute(_END, _of(organisation, agent) | {"wanted": list(wanted)}).all()
    ended = [row.message for row in sorted(rows, key=lambda row: row.cursor)]
    if ended:
        tx.execute(_ACKNOWLEDGED, {"ended": ended, "now": tx.now})
    return ended


def _of(organisation: str, agent: str) -> dict[str, Any]:
    return {"org": organisation, "agent_": agent}

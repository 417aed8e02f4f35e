"""The inbox: what waits for its agent, who holds it, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from common.db import Tx

from messaging.store.tables import messages, waiting


def add(tx: Tx, organisation: str, agent: str, cursor: int, message: str, thread: str) -> None:
    """A message waits for its agent."""
    row = {
        "organisation": organisation,
        "agent": agent,
        "cursor": cursor,
        "message": message,
        "thread": thread,
        "deliveries": 0,
    }
    tx.execute(sa.insert(waiting), row)


def held_by(tx: Tx, organisation: str, agent: str, lease: str) -> list[sa.Row[Any]]:
    """What this lease holds now, with the messages themselves, in order."""
    return _with_messages(tx, _of(organisation, agent) & (waiting.c.lease == lease) & (waiting.c.leased_until > tx.now))


def free(tx: Tx, organisation: str, agent: str, limit: int) -> list[sa.Row[Any]]:
    """The oldest messages that may be handed out, in order.

    A thread of which somebody holds a message is left alone: its later messages wait, so that no thread is ever read
    out of order. Other threads go on.
    """
    mine = _of(organisation, agent)
    held = sa.select(waiting.c.thread).where(mine, waiting.c.leased_until > tx.now)
    return _with_messages(tx, mine & waiting.c.thread.not_in(held), limit)


def hold(tx: Tx, organisation: str, agent: str, cursors: list[int], lease: str, until: datetime) -> None:
    """These are handed out under this lease, once more than before."""
    tx.execute(
        sa.update(waiting)
        .where(_of(organisation, agent), waiting.c.cursor.in_(cursors))
        .values(lease=lease, leased_until=until, deliveries=waiting.c.deliveries + 1)
    )


def next_end(tx: Tx, organisation: str, agent: str) -> datetime | None:
    """When the first lease in force ends; None when nobody holds anything."""
    ends = sa.select(sa.func.min(waiting.c.leased_until)).where(
        _of(organisation, agent), waiting.c.leased_until > tx.now
    )
    found: datetime | None = tx.execute(ends).scalar()
    return found


def owned(tx: Tx, organisation: str, agent: str, wanted: set[str]) -> set[str]:
    """Which of these messages were received by this agent."""
    mine = sa.select(messages.c.message).where(
        messages.c.message.in_(wanted),
        messages.c.organisation == organisation,
        messages.c.agent == agent,
        messages.c.direction == "in",
    )
    return set(tx.execute(mine).scalars())


def end(tx: Tx, organisation: str, agent: str, wanted: set[str]) -> list[str]:
    """These wait no longer; gives those that did until now, in order."""
    gone = sa.delete(waiting).where(_of(organisation, agent), waiting.c.message.in_(wanted))
    rows = tx.execute(gone.returning(waiting.c.cursor, waiting.c.message)).all()
    ended = [row.message for row in sorted(rows, key=lambda row: row.cursor)]
    if ended:
        acknowledged = sa.update(messages).where(messages.c.message.in_(ended))
        tx.execute(acknowledged.values(acknowledged_at=tx.now, status="acknowledged"))
    return ended


def _of(organisation: str, agent: str) -> sa.ColumnElement[bool]:
    return (waiting.c.organisation == organisation) & (waiting.c.agent == agent)


def _with_messages(tx: Tx, wanted: sa.ColumnElement[bool], limit: int | None = None) -> list[sa.Row[Any]]:
    return list(
        tx.execute(
            sa.select(messages, waiting.c.deliveries, waiting.c.leased_until)
            .join(waiting, waiting.c.message == messages.c.message)
            .where(wanted)
            .order_by(waiting.c.cursor)
            .limit(limit)
        )
    )

"""Events already handled, so that a repeat has no second effect."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from common import relay
from common.db import Database, Tx, Utc, insert_or_ignore
from common.messages import Event

RETENTION = timedelta(days=45)
"""Longer than outbox retention, stream age and the longest consumer outage together: a replay must meet its row."""

STREAM_AGE = timedelta(days=7)
LONGEST_OUTAGE = timedelta(days=14)

if RETENTION <= relay.RETENTION + STREAM_AGE + LONGEST_OUTAGE:
    raise AssertionError("an inbox that forgets before the outbox does would handle a replay twice")


def table(metadata: sa.MetaData) -> sa.Table:
    """One row for each event a handler has dealt with."""
    return sa.Table(
        "inbox",
        metadata,
        sa.Column("handler", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("handled_at", Utc, nullable=False),
        sa.Index("inbox_handled_at", "handled_at"),
    )


_inbox = table(sa.MetaData())


def first_time(tx: Tx, handler: str, event: Event) -> bool:
    """Whether this handler sees the event for the first time; from now on, in this transaction, it has."""
    return first_time_id(tx, handler, event.id)


def first_time_id(tx: Tx, handler: str, event_id: str) -> bool:
    """As `first_time`, for readers that know only the id."""
    return (
        tx.execute(insert_or_ignore(tx, _inbox), {"handler": handler, "id": event_id, "handled_at": tx.now}).rowcount
        == 1
    )


async def prune(database: Database) -> int:
    """Forget what no replay can bring back any more."""

    def delete(tx: Tx) -> int:
        old = sa.select(_inbox.c.id).where(_inbox.c.handled_at < tx.now - RETENTION).limit(1000)
        return tx.execute(sa.delete(_inbox).where(_inbox.c.id.in_(old))).rowcount

    deleted = await database.write(delete)
    return deleted + (await prune(database) if deleted >= 1000 else 0)

"""Sagas and their journal. Whoever writes proves its lease by the fencing token it got with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from common.db import Tx, insert_or_ignore

from provisioning.store.tables import journal, sagas

Row = sa.RowMapping

LIVE = ("running", "undoing")


class LeaseLost(Exception):
    """Another worker has this saga now: whatever we hold of it is void."""


@dataclass(frozen=True, slots=True)
class Held:
    """A saga under our lease, as the journal stands."""

    id: str
    kind: str
    state: str
    position: int
    started: bool
    wish: str
    tries: int
    code: str
    reason: str
    fence: int


def begin(
    tx: Tx,
    saga: str,
    kind: str,
    wish: str,
    *,
    organisation: str,
    agent: str,
    intent: str | None = None,
    fingerprint: str = "",
) -> bool:
    """Write a saga down; from now on it ends completed or undone. False when this intent has one already."""
    row: dict[str, Any] = {
        "id": saga,
        "kind": kind,
        "organisation": organisation,
        "agent": agent,
        "intent": intent,
        "fingerprint": fingerprint,
        "state": "running",
        "position": 0,
        "started": False,
        "wish": wish,
        "tries": 0,
        "stuck": False,
        "code": "",
        "reason": "",
        "fence": 0,
        "next_try_at": tx.now,
        "token": "",
        "created_at": tx.now,
    }
    return tx.execute(insert_or_ignore(tx, sagas), row).rowcount == 1


def take(tx: Tx, saga: str, me: str, lease: timedelta) -> Held | None:
    """Lease a saga that is due and that nobody holds; every holder gets a higher fencing token."""
    free = sagas.c.owner.is_(None) | (sagas.c.lease_until <= tx.now)
    due = sa.update(sagas).where(sagas.c.id == saga, sagas.c.state.in_(LIVE), sagas.c.next_try_at <= tx.now, free)
    taken = tx.execute(due.values(owner=me, fence=sagas.c.fence + 1, lease_until=tx.now + lease)).rowcount
    row = find(tx, saga) if taken else None
    return Held(**{name: row[name] for name in Held.__dataclass_fields__}) if row else None


def change(tx: Tx, saga: str, fence: int, lease: timedelta, **values: Any) -> None:
    """Change a saga we still hold, and renew the lease. `LeaseLost`, before anything is written, when we do not."""
    mine = sa.update(sagas).where(sagas.c.id == saga, sagas.c.fence == fence, sagas.c.owner.is_not(None))
    if tx.execute(mine.values(**{"lease_until": tx.now + lease} | values)).rowcount != 1:
        raise LeaseLost(saga)


def note(tx: Tx, saga: str, step: str, mark: str, detail: str = "") -> None:
    """Add a line to the journal, under the lock of `change`."""
    last = tx.execute(sa.select(sa.func.max(journal.c.n)).where(journal.c.saga == saga)).scalar() or 0
    line = {"saga": saga, "n": last + 1, "at": tx.now, "step": step, "mark": mark, "detail": detail}
    tx.execute(sa.insert(journal), line)


def due(tx: Tx, limit: int) -> list[str]:
    """Sagas somebody should go on with, the longest waiting first."""
    free = sagas.c.owner.is_(None) | (sagas.c.lease_until <= tx.now)
    waiting = sa.select(sagas.c.id).where(sagas.c.state.in_(LIVE), sagas.c.next_try_at <= tx.now, free)
    return list(tx.execute(waiting.order_by(sagas.c.next_try_at).limit(limit)).scalars())


def find(tx: Tx, saga: str) -> Row | None:
    """One saga, whoever's it is."""
    return tx.execute(sa.select(sagas).where(sagas.c.id == saga)).mappings().first()


def by_intent(tx: Tx, intent: str) -> Row | None:
    """The saga an order with this intent began."""
    return tx.execute(sa.select(sagas).where(sagas.c.intent == intent)).mappings().first()


def forget_intent(tx: Tx, saga: str) -> None:
    """Let the same arguments begin another saga."""
    tx.execute(sa.update(sagas).where(sagas.c.id == saga).values(intent=None))


def of_agent(tx: Tx, organisation: str, agent: str, kind: str) -> Row | None:
    """The newest saga of this kind for an agent."""
    mine = sa.select(sagas).where(sagas.c.organisation == organisation, sagas.c.agent == agent, sagas.c.kind == kind)
    return tx.execute(mine.order_by(sagas.c.created_at.desc()).limit(1)).mappings().first()


def lines(tx: Tx, saga: str) -> list[Row]:
    """The journal in order."""
    return list(tx.execute(sa.select(journal).where(journal.c.saga == saga).order_by(journal.c.n)).mappings())


def states(tx: Tx, ids: Iterable[str]) -> dict[str, Row]:
    """Those of these sagas that are ours, by id."""
    rows = tx.execute(sa.select(sagas).where(sagas.c.id.in_(list(ids)))).mappings()
    return {row["id"]: row for row in rows}


def hand_token(tx: Tx, saga: str, token: str) -> bool:
    """Take the right to the saga's one token; False when somebody had it before."""
    mine = sa.update(sagas).where(sagas.c.id == saga, sagas.c.state == "completed", sagas.c.token == "")
    return tx.execute(mine.values(token=token)).rowcount == 1

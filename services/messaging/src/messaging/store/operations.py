"""The operations ledger's rows: what is to be sent, who holds it, and every attempt at it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from common import ids
from common.catalogue.values import Channel
from common.db import Tx, insert_or_ignore
from common.statements import Prepared

from messaging.store.tables import attempts, messages, operations

# Statements on every text's way are built once: building one costs as much as running it.

_BEGIN = Prepared(
    sa.update(operations)
    .where(operations.c.operation == sa.bindparam("id"), operations.c.fence == sa.bindparam("held"))
    .where(operations.c.state == "queued")
    .values(state="in_flight", due_at=sa.bindparam("until"), tries=sa.bindparam("tried"))
)

_CHANGE = Prepared(sa.update(operations).where(operations.c.operation == sa.bindparam("id")))

_CHANGE_ATTEMPT = Prepared(sa.update(attempts).where(attempts.c.attempt == sa.bindparam("id")))

_DUE = Prepared(
    sa.select(operations.c.operation, operations.c.state, operations.c.fence)
    .where(operations.c.due_at <= sa.bindparam("now", type_=operations.c.due_at.type))
    .order_by(operations.c.due_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)

_PRICES_DUE = Prepared(
    sa.select(attempts)
    .where(attempts.c.price_due_at <= sa.bindparam("now", type_=attempts.c.price_due_at.type))
    .order_by(attempts.c.price_due_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)

_ADD_ATTEMPT = Prepared(sa.insert(attempts))

_OWNED = Prepared(
    sa.select(attempts.c.provider_id).where(
        attempts.c.provider == sa.bindparam("by"),
        attempts.c.account == sa.bindparam("in_"),
        attempts.c.provider_id.in_(sa.bindparam("ids", expanding=True)),
        attempts.c.attempt != sa.bindparam("not_"),
    )
)


@dataclass(frozen=True, slots=True)
class Task:
    """An accepted text as the one who holds it sees it. Changes only count while `fence` is the row's."""

    operation: str
    fence: int
    organisation: str
    agent: str
    message: str
    thread: str
    contact: str
    channel: Channel
    route: str
    provider: str
    account: str
    sender: str
    recipient: str
    body: str
    segments: int
    tries: int
    deadline: datetime
    created_at: datetime
    traceparent: str


def add(tx: Tx, task: Task, due_at: datetime) -> bool:
    """Open an operation; False when there is one of this id."""
    row = {
        "operation": task.operation,
        "organisation": task.organisation,
        "agent": task.agent,
        "message": task.message,
        "route": task.route,
        "provider": task.provider,
        "account": task.account,
        "state": "queued",
        "due_at": due_at,
        "fence": task.fence,
        "tries": 0,
        "deadline": task.deadline,
        "created_at": task.created_at,
        "traceparent": task.traceparent,
        "looks": 0,
        "absent": 0,
        "person_asked": False,
    }
    return tx.execute(insert_or_ignore(tx, operations), row).rowcount == 1


def due(tx: Tx, limit: int) -> list[sa.Row[Any]]:
    """Open operations somebody must look at now: id, state and fence, the longest overdue first."""
    return tx.execute(_DUE, {"now": tx.now, "most": limit}).all()


def claim(tx: Tx, operation: str, fence: int, lease: timedelta) -> bool:
    """Hold an operation that is due, until the lease ends; False when another was faster."""
    mine = (operations.c.operation == operation) & (operations.c.fence == fence) & (operations.c.due_at <= tx.now)
    return tx.execute(sa.update(operations).where(mine).values(fence=fence + 1, due_at=tx.now + lease)).rowcount == 1


def task(tx: Tx, operation: str) -> Task:
    """What there is to send."""
    row = tx.execute(
        sa.select(operations, *_OF_MESSAGE)
        .join(messages, messages.c.message == operations.c.message)
        .where(operations.c.operation == operation)
    ).one()
    return Task(**{name: getattr(row, name) for name in Task.__slots__})


def begin(tx: Tx, task: Task, lease: timedelta) -> bool:
    """From queued to in flight; False when the task is no longer held."""
    mine = {"id": task.operation, "held": task.fence, "until": tx.now + lease, "tried": task.tries + 1}
    return tx.execute(_BEGIN, mine).rowcount == 1


def attempt_of(task: Task) -> str:
    """What the next attempt at it is called, before and after it is made."""
    return ids.derived("attempt", task.operation, str(task.tries + 1))


def add_attempt(tx: Tx, task: Task) -> None:
    """A request is about to leave."""
    row = {
        "attempt": attempt_of(task),
        "operation": task.operation,
        "organisation": task.organisation,
        "n": task.tries + 1,
        "state": "in_flight",
        "provider": task.provider,
        "account": task.account,
        "started_at": tx.moment(),  # under the contact's lock, so that it tells which came first, this or an opt-out
        "price_polls": 0,
    }
    tx.execute(_ADD_ATTEMPT, row)


def of_attempt(tx: Tx, attempt: str) -> sa.Row[Any] | None:
    """An attempt with its operation and message, held until this transaction ends."""
    if tx.postgres:
        operation = tx.execute(sa.select(attempts.c.operation).where(attempts.c.attempt == attempt)).scalar()
        if operation is None:
            return None
        _lock(tx, operation)
    found: sa.Row[Any] | None = tx.execute(_ONE, {"id": attempt}).first()
    return found


def last_attempt(tx: Tx, operation: str, *, lock: bool = True) -> sa.Row[Any] | None:
    """The newest attempt of an operation, as `of_attempt`; without the lock for those who only read."""
    if lock:
        _lock(tx, operation)
    return tx.execute(_whole().where(attempts.c.operation == operation).order_by(attempts.c.n.desc()).limit(1)).first()


def change(tx: Tx, operation: str, **values: Any) -> None:
    """Set columns of an operation whose lock the caller has."""
    tx.execute(_CHANGE, {"id": operation, **values})


def change_attempt(tx: Tx, attempt: str, **values: Any) -> None:
    """Set columns of an attempt whose operation's lock the caller has."""
    tx.execute(_CHANGE_ATTEMPT, {"id": attempt, **values})


def rivals(tx: Tx, row: sa.Row[Any]) -> list[str]:
    """Attempts still open with the same text between the same two numbers, oldest first, this one among them."""
    same = sa.select(attempts.c.attempt).join(operations, operations.c.operation == attempts.c.operation)
    same = same.join(messages, messages.c.message == operations.c.message).where(
        attempts.c.state.in_(["in_flight", "unknown"]), messages.c.thread == row.thread, messages.c.body == row.body
    )
    return list(tx.execute(same.order_by(attempts.c.started_at, attempts.c.attempt)).scalars())


def taken_ids(tx: Tx, row: sa.Row[Any], provider_ids: Collection[str]) -> set[str]:
    """Which of these provider ids belong to another attempt."""
    asked = {"by": row.provider, "in_": row.account, "ids": list(provider_ids), "not_": row.attempt}
    return set(tx.execute(_OWNED, asked).scalars())


def state_of(tx: Tx, organisation: str, operation: str) -> str | None:
    """Where an operation of this organisation stands; None when there is none."""
    mine = (operations.c.operation == operation) & (operations.c.organisation == organisation)
    return tx.execute(sa.select(operations.c.state).where(mine)).scalar()


def of_message(tx: Tx, message: str) -> str | None:
    """The operation that sends a message."""
    return tx.execute(sa.select(operations.c.operation).where(operations.c.message == message)).scalar()


def provider_id_of(tx: Tx, operation: str) -> str:
    """What the provider calls a sent text; empty when it has no name there."""
    known = sa.select(attempts.c.provider_id).where(
        attempts.c.operation == operation, attempts.c.provider_id.is_not(None)
    )
    return tx.execute(known.limit(1)).scalar() or ""


def unresolved(tx: Tx, organisation: str) -> list[sa.Row[Any]]:
    """Operations of unknown outcome, oldest first."""
    wanted = sa.select(operations).where(operations.c.organisation == organisation, operations.c.state == "unknown")
    return list(tx.execute(wanted.order_by(operations.c.unknown_at).limit(500)))


def prices_due(tx: Tx, limit: int) -> list[sa.Row[Any]]:
    """Attempts whose price, or end, is to be asked for now."""
    return tx.execute(_PRICES_DUE, {"now": tx.now, "most": limit}).all()


def claim_price(tx: Tx, attempt: str, due_at: datetime, lease: timedelta) -> bool:
    """Ask for this price alone, until the lease ends; False when another replica does."""
    mine = (attempts.c.attempt == attempt) & (attempts.c.price_due_at == due_at)
    return tx.execute(sa.update(attempts).where(mine).values(price_due_at=tx.now + lease)).rowcount == 1


_OF_MESSAGE = (
    messages.c.thread,
    messages.c.contact,
    messages.c.channel,
    messages.c.sender,
    messages.c.recipient,
    messages.c.body,
    messages.c.segments,
)


def _whole() -> sa.Select[Any]:
    return (
        sa.select(
            attempts,
            *_OF_MESSAGE,
            messages.c.status,
            operations.c.agent,
            operations.c.message,
            operations.c.state.label("operation_state"),
            *(operations.c[name] for name in ("route", "fence", "tries", "deadline", "traceparent", "looks", "absent")),
            *(operations.c[name] for name in ("unknown_at", "person_decides_at", "person_asked")),
        )
        .join(operations, operations.c.operation == attempts.c.operation)
        .join(messages, messages.c.message == operations.c.message)
    )


_ONE = Prepared(_whole().where(attempts.c.attempt == sa.bindparam("id")))


def _lock(tx: Tx, operation: str) -> None:
    """First the lock, then the reading: a row read in the same statement could be older than the lock."""
    if tx.postgres:
        tx.execute(sa.select(operations.c.operation).where(operations.c.operation == operation).with_for_update())

"""Orders answered before: the same key gives the same reply, the same key with other arguments is an error.

A key derived from the arguments counts for ten minutes. A reply is stored without the secrets it carried.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel

from common import ids
from common.db import Tx, Utc
from common.errors import Conflict
from common.messages import Order
from common.statements import Prepared

R = TypeVar("R", bound=BaseModel)

DERIVED_KEYS_COUNT_FOR = timedelta(minutes=10)

_NOT_ARGUMENTS = {"id", "traceparent", "key", "key_derived", "not_after", "actor"}


def table(metadata: sa.MetaData) -> sa.Table:
    """One row for each intent."""
    return sa.Table(
        "replies",
        metadata,
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("at", Utc, nullable=False),
        sa.Index("replies_at", "at"),
    )


_replies = table(sa.MetaData())

_FIND = Prepared(sa.select(_replies).where(_replies.c.id == sa.bindparam("intent")))

_FORGET = Prepared(
    sa.delete(_replies).where(
        _replies.c.id == sa.bindparam("intent"), _replies.c.at < sa.bindparam("before", type_=_replies.c.at.type)
    )
)

_KEEP = Prepared(sa.insert(_replies))


def intent(order: Order[Any], *scope: str) -> str:
    """The id of what the caller means: its key within its organisation and `scope` (its agent), or this one request."""
    return ids.derived(order.name, order.organisation, *scope, order.key or order.id)


def fingerprint(order: Order[Any]) -> str:
    """The same for the same arguments."""
    return ids.derived(order.model_dump_json(exclude=_NOT_ARGUMENTS))


def recall(tx: Tx, order: Order[R], *scope: str) -> tuple[R, bool] | None:
    """The stored reply, and whether another request made it; None for a new intent. Only reads.

    `Conflict` when the key was used with other arguments.
    """
    row = tx.execute(_FIND, {"intent": intent(order, *scope)}).first()
    if row is None:
        return None
    if row.fingerprint != fingerprint(order):
        raise Conflict("this idempotency_key was used with other arguments; use a new key", code="key_reused")
    mine = row.request == order.id
    if order.key_derived and not mine and row.at < tx.now - DERIVED_KEYS_COUNT_FOR:
        return None
    return type(order).reply.validate_json(row.reply), not mine


def store(tx: Tx, order: Order[R], reply: R, *scope: str, secrets: set[str] | None = None) -> R:
    """Keep the reply for whoever asks again, without its fields named in `secrets`; gives it back whole."""
    bare = reply.model_copy(update=dict.fromkeys(secrets or (), ""))
    if order.key_derived:
        tx.execute(_FORGET, {"intent": intent(order, *scope), "before": tx.now - DERIVED_KEYS_COUNT_FOR})
    tx.execute(
        _KEEP,
        {
            "id": intent(order, *scope),
            "request": order.id,
            "fingerprint": fingerprint(order),
            "reply": bare.model_dump_json(),
            "at": tx.now,
        },
    )
    return reply

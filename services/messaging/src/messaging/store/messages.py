"""Messages in both directions, in the order of each agent's own counter."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from common.catalogue.messages import InboxMessage
from common.catalogue.values import Media, Trust
from common.db import Tx, insert_or_ignore
from common.errors import NotFound
from common.statements import Prepared

from messaging.store.tables import agents, messages

_BUMP = Prepared(
    sa.update(agents)
    .where(agents.c.organisation == sa.bindparam("org"), agents.c.agent == sa.bindparam("agent_"))
    .values(last_cursor=agents.c.last_cursor + 1)
    .returning(agents.c.last_cursor)
)

_ADD = Prepared(sa.insert(messages))

_SET_STATUS = Prepared(
    sa.update(messages).where(messages.c.message == sa.bindparam("id")).values(status=sa.bindparam("to"))
)

_STATUS = Prepared(sa.select(messages.c.status).where(messages.c.message == sa.bindparam("id")))

_MINE = (agents.c.organisation == sa.bindparam("org")) & (agents.c.agent == sa.bindparam("agent_"))

_LOCK = Prepared(sa.select(agents.c.agent).where(_MINE).with_for_update())

_KNOWN = Prepared(sa.select(agents.c.agent).where(_MINE))

_EXISTS = Prepared(sa.select(messages.c.message).where(messages.c.message == sa.bindparam("id")))


def next_cursor(tx: Tx, organisation: str, agent: str) -> int:
    """The next number of this agent's log; taken for good only if the transaction commits, so there is no gap."""
    mine = {"org": organisation, "agent_": agent}
    taken = tx.execute(_BUMP, mine).scalar()
    if taken is None:
        _begin(tx, organisation, agent)
        taken = tx.execute(_BUMP, mine).scalar_one()
    return int(taken)


def _begin(tx: Tx, organisation: str, agent: str) -> None:
    tx.execute(insert_or_ignore(tx, agents), {"organisation": organisation, "agent": agent, "last_cursor": 0})


def lock_agent(tx: Tx, organisation: str, agent: str) -> None:
    """Nobody else adds to this agent's log or hands out of it until this transaction ends. Always the first lock."""
    if tx.postgres:
        tx.execute(_LOCK, {"org": organisation, "agent_": agent})


def known_agent(tx: Tx, organisation: str, agent: str) -> bool:
    """Whether this agent ever sent or received anything."""
    return tx.execute(_KNOWN, {"org": organisation, "agent_": agent}).first() is not None


def exists(tx: Tx, message: str) -> bool:
    """Whether there is a message of this id."""
    return tx.execute(_EXISTS, {"id": message}).first() is not None


def add(tx: Tx, **values: Any) -> None:
    """Store a message; its media and trust as JSON texts."""
    tx.execute(_ADD, {"media": "[]", "trust": None, "provider_id": "", **values})


def set_status(tx: Tx, message: str, status: str) -> None:
    """Where the message stands now."""
    tx.execute(_SET_STATUS, {"id": message, "to": status})


def status_of(tx: Tx, message: str) -> str:
    """Where the message stands; empty when there is none."""
    return tx.execute(_STATUS, {"id": message}).scalar() or ""


def of_organisation(tx: Tx, organisation: str, message: str, agent: str = "") -> sa.Row[Any]:
    """One message; `NotFound` when it is not this organisation's (and this agent's, if one is named)."""
    row = tx.execute(sa.select(messages).where(messages.c.message == message)).first()
    if row is None or row.organisation != organisation or (agent and row.agent != agent):
        raise no_message(message)
    return row


def no_message(message: str) -> NotFound:
    """What is said of another's message, as of none."""
    return NotFound(f"no message {message}", code="no_message")


def page(tx: Tx, organisation: str, agent: str, *, thread: str, after: int, limit: int) -> list[sa.Row[Any]]:
    """An agent's messages after a cursor, of one thread or of all, oldest first; one more than `limit` if there is."""
    wanted = (messages.c.organisation == organisation) & (messages.c.agent == agent) & (messages.c.cursor > after)
    if thread:
        wanted &= messages.c.thread == thread
    return list(tx.execute(sa.select(messages).where(wanted).order_by(messages.c.cursor).limit(limit + 1)))


def shown(row: sa.Row[Any], deliveries: int = 0) -> InboxMessage:
    """A row as its agent sees it."""
    return InboxMessage(
        message=row.message,
        cursor=row.cursor,
        thread=row.thread,
        contact=row.contact,
        direction=row.direction,
        channel=row.channel,
        sender=row.sender,
        to=row.recipient,
        body=row.body,
        media=[Media.model_validate(one) for one in orjson.loads(row.media)],
        status=row.status,
        at=row.at,
        trust=Trust.model_validate_json(row.trust) if row.trust else None,
        deliveries=deliveries,
    )

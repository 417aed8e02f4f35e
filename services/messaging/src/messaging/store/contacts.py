"""Contacts, their addresses, and the one thread each agent has with each contact."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from common import ids
from common.catalogue.values import Address
from common.db import Tx, insert_or_ignore
from common.errors import NotFound
from common.statements import Prepared

from messaging.store.tables import contact_addresses, contacts, threads

# Statements on every text's way are built once: building one costs as much as running it.

_CONTACT = Prepared(
    sa.select(contact_addresses.c.contact).where(
        contact_addresses.c.organisation == sa.bindparam("org"),
        contact_addresses.c.kind == sa.bindparam("kind_"),
        contact_addresses.c.value == sa.bindparam("value_"),
    )
)

_ADD = Prepared(sa.insert(contacts))

_THREAD = Prepared(
    sa.select(threads.c.thread).where(
        threads.c.organisation == sa.bindparam("org"),
        threads.c.agent == sa.bindparam("agent_"),
        threads.c.contact == sa.bindparam("contact_"),
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs."""

    contact: str
    thread: str


def find_contact(tx: Tx, organisation: str, address: Address) -> str | None:
    """The contact behind an address, if this organisation ever met it."""
    met = {"org": organisation, "kind_": address.kind, "value_": address.value}
    found: str | None = tx.execute(_CONTACT, met).scalar()
    return found


def contact_at(tx: Tx, organisation: str, address: Address) -> str:
    """The contact behind an address, made when it is new."""
    known = find_contact(tx, organisation, address)
    if known:
        return known
    fresh = ids.random("con")
    row = {"organisation": organisation, "kind": address.kind, "value": address.value, "contact": fresh}
    if tx.execute(insert_or_ignore(tx, contact_addresses), row).rowcount == 0:
        return find_contact(tx, organisation, address) or fresh  # another replica was first
    tx.execute(_ADD, {"contact": fresh, "organisation": organisation, "created_at": tx.now})
    return fresh


def place(tx: Tx, organisation: str, agent: str, address: Address) -> Place:
    """Contact and thread of an agent with an address, made when they are new."""
    contact = contact_at(tx, organisation, address)
    thread = find_thread(tx, organisation, agent, contact)
    if thread:
        return Place(contact, thread)
    fresh = ids.random("thr")
    pair = {"organisation": organisation, "agent": agent, "contact": contact}
    row = {"thread": fresh, "created_at": tx.now, **pair}
    if tx.execute(insert_or_ignore(tx, threads), row).rowcount == 0:
        return Place(contact, find_thread(tx, organisation, agent, contact) or fresh)
    return Place(contact, fresh)


def find_thread(tx: Tx, organisation: str, agent: str, contact: str) -> str | None:
    """An agent's thread with a contact, if they ever exchanged a word."""
    found: str | None = tx.execute(_THREAD, {"org": organisation, "agent_": agent, "contact_": contact}).scalar()
    return found


def address_of(tx: Tx, organisation: str, agent: str, thread: str) -> Address:
    """Whom a thread is with; `NotFound` for a thread that is not this agent's."""
    row = tx.execute(
        sa.select(contact_addresses.c.kind, contact_addresses.c.value)
        .join(threads, threads.c.contact == contact_addresses.c.contact)
        .where(threads.c.thread == thread, threads.c.organisation == organisation, threads.c.agent == agent)
        .order_by(sa.case((contact_addresses.c.kind == "e164", 0), else_=1), contact_addresses.c.value)
        .limit(1)
    ).first()
    if row is None:
        raise no_thread(thread)
    return Address(kind=row.kind, value=row.value)


def require_thread(tx: Tx, organisation: str, agent: str, thread: str) -> None:
    """`NotFound` for a thread that is not this agent's."""
    address_of(tx, organisation, agent, thread)


def no_thread(thread: str) -> NotFound:
    """What is said of another's thread, as of none."""
    return NotFound(f"no thread {thread}", code="no_thread")


def lock(tx: Tx, contact: str) -> None:
    """Nobody else changes what this contact allows, or begins to text it, until this transaction ends."""
    if tx.postgres:  # on SQLite the one writer is the lock
        tx.execute(sa.select(contacts.c.contact).where(contacts.c.contact == contact).with_for_update())

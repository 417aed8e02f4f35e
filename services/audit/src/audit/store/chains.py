"""Appends events to their organisations' chains, and erases payloads without breaking one.

The head moves by compare-and-set: of two replicas that would follow the same head, one starts again.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from common import ids
from common.catalogue.audit import ChainLine, PayloadErased
from common.db import Tx, insert_or_ignore
from common.errors import NotFound, Unavailable
from common.messages import PLATFORM
from common.statements import Prepared

from audit import chain
from audit.chain import Entry, Head
from audit.domain import Received
from audit.store.tables import entries, heads, payloads

_ADD = Prepared(sa.insert(entries))

_KEEP = Prepared(sa.insert(payloads))

_LOCK = Prepared(
    sa.select(heads)
    .where(heads.c.organisation.in_(sa.bindparam("organisations", expanding=True)))
    .order_by(heads.c.organisation)
    .with_for_update()
)

_KNOWN = Prepared(
    sa.select(entries.c.organisation, entries.c.event).where(
        entries.c.event.in_(sa.bindparam("events", expanding=True))
    )
)

_MOVE = Prepared(
    sa.update(heads)
    .where(
        heads.c.organisation == sa.bindparam("of"),
        heads.c.n == sa.bindparam("old_n"),
        heads.c.hash == sa.bindparam("old_hash"),
    )
    .values(n=sa.bindparam("new_n"), hash=sa.bindparam("new_hash"))
)


def append(tx: Tx, events: Sequence[Received]) -> int:
    """Chain what is not chained yet, in the given order; says how many were new."""
    wanted: dict[str, dict[str, Received]] = defaultdict(dict)
    for event in events:
        wanted[event.organisation].setdefault(event.id, event)
    before = _locked(tx, sorted(wanted))
    known = _known(tx, {event.id for event in events})
    links: list[Entry] = []
    kept: list[dict[str, Any]] = []
    for organisation in sorted(wanted):
        head = before[organisation]
        for event in wanted[organisation].values():
            if (organisation, event.id) in known:
                continue
            salt = secrets.token_bytes(chain.SALT)
            entry = chain.link(
                organisation,
                head,
                event=event.id,
                kind=event.type,
                time=event.time,
                commitment=chain.commitment(salt, event.body),
            )
            head = Head(entry.n, entry.hash)
            links.append(entry)
            kept.append({"organisation": organisation, "n": entry.n, "salt": salt, "body": event.body})
        _move(tx, organisation, before[organisation], head)
    if links:
        tx.execute(_ADD, [entry._asdict() for entry in links])
        tx.execute(_KEEP, kept)
    return len(links)


def lines(tx: Tx, organisation: str) -> list[ChainLine]:
    """The head of one organisation's chain; under `platform`, of all."""
    wanted = sa.select(heads).order_by(heads.c.organisation)
    if organisation != PLATFORM:
        wanted = wanted.where(heads.c.organisation == organisation)
    return [ChainLine(organisation=row.organisation, length=row.n, head=row.hash.hex()) for row in tx.execute(wanted)]


def all_heads(tx: Tx) -> dict[str, Head]:
    """Every chain's head."""
    return {row.organisation: Head(row.n, row.hash) for row in tx.execute(sa.select(heads))}


def hash_at(tx: Tx, organisation: str, n: int) -> bytes | None:
    """The hash of one stored entry; None when there is no such entry."""
    stored = sa.select(entries.c.hash).where(entries.c.organisation == organisation, entries.c.n == n)
    found: bytes | None = tx.execute(stored).scalar()
    return found


def erase(tx: Tx, organisation: str, event: str, *, reason: str) -> None:
    """Forget the payload of one event; that it was erased, and why, becomes an event. `NotFound` when unknown."""
    mine = (entries.c.organisation == organisation) & (entries.c.event == event)
    n = tx.execute(sa.select(entries.c.n).where(mine)).scalar()
    if n is None:
        raise NotFound(f"no event {event} in the chain of {organisation}")
    row = (payloads.c.organisation == organisation) & (payloads.c.n == n)
    tx.execute(sa.update(payloads).where(row).values(salt=None, body=None))
    tx.stage(PayloadErased.first(organisation, key=event, event=event, reason=reason))


def erasure_id(organisation: str, event: str) -> str:
    """The id of the event that says that this one's payload was erased."""
    return ids.derived(PayloadErased.name, organisation, event)


def _locked(tx: Tx, organisations: list[str]) -> dict[str, Head]:
    """The heads, locked in one order for all writers; a new organisation starts at the beginning."""
    wanted = {"organisations": organisations}
    found = {row.organisation: Head(row.n, row.hash) for row in tx.execute(_LOCK, wanted)}
    new = [organisation for organisation in organisations if organisation not in found]
    if not new:
        return found
    start = Head()
    rows = [{"organisation": organisation, "n": start.n, "hash": start.hash} for organisation in new]
    tx.execute(insert_or_ignore(tx, heads), rows)
    return {row.organisation: Head(row.n, row.hash) for row in tx.execute(_LOCK, wanted)}


def _known(tx: Tx, events: Iterable[str]) -> set[tuple[str, str]]:
    return {(row.organisation, row.event) for row in tx.execute(_KNOWN, {"events": list(events)})}


def _move(tx: Tx, organisation: str, old: Head, new: Head) -> None:
    if old == new:
        return
    moved = {"of": organisation, "old_n": old.n, "old_hash": old.hash, "new_n": new.n, "new_hash": new.hash}
    if tx.execute(_MOVE, moved).rowcount != 1:
        raise Unavailable(f"the chain of {organisation} moved meanwhile", code="head_moved", retry_after=0.05)

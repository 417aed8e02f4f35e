"""Reads stored chains from end to end on one snapshot and says what is wrong first in each.

Holds no chain in memory: the space it needs does not grow with the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from common.db import Tx

from audit import chain
from audit.chain import Entry, Finding, Head
from audit.checkpoints import Checkpoint
from audit.store.chains import erasure_id, hash_at
from audit.store.tables import entries, heads, outbox_rows, payloads

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one organisation: entries read, payloads erased, and the first damage if there is any."""

    organisation: str
    entries: int
    erased: int = 0
    finding: Finding | None = None


def inspect(tx: Tx, checkpoints: Iterable[Checkpoint] = ()) -> Iterator[Verdict]:
    """A verdict for every organisation, in order, and one more for each that exists only in part."""
    suspects = against(tx, checkpoints) | _leftovers(tx)
    for organisation, rows in groupby(_stored(tx), key=itemgetter(0)):
        yield _inspect_one(tx, organisation, rows, suspects.pop(organisation, None))
    for organisation, finding in sorted(suspects.items()):
        yield Verdict(organisation, 0, finding=finding)


def against(tx: Tx, checkpoints: Iterable[Checkpoint]) -> dict[str, Finding]:
    """The first contradiction of each organisation between what is stored and what was signed."""
    found: dict[str, Finding] = {}
    good: dict[str, int] = {}
    for checkpoint in checkpoints:
        for organisation, signed in checkpoint.heads.items():
            if organisation in found or signed.n == 0:
                continue
            stored = hash_at(tx, organisation, signed.n)
            if stored == signed.hash:
                good[organisation] = max(signed.n, good.get(organisation, 0))
            else:
                found[organisation] = _contradiction(organisation, signed, stored, good.get(organisation, 0))
    return found


def _contradiction(organisation: str, signed: Head, stored: bytes | None, good: int) -> Finding:
    if stored is None:
        detail = f"a checkpoint has {signed.n} entries; the chain ends after {good} at the earliest"
        return Finding(organisation, good + 1, "truncated", detail)
    detail = f"between {good + 1} and {signed.n}: entry {signed.n} is not the one of the checkpoint"
    return Finding(organisation, good + 1, "rewritten", detail)


def _inspect_one(tx: Tx, organisation: str, rows: Iterator[Any], witness: Finding | None) -> Verdict:
    head = _head(tx, organisation)
    if head is None:
        count = sum(1 for _ in rows)
        stray = Finding(organisation, 1, "foreign row", "entries of an organisation that has no chain")
        return Verdict(organisation, count, finding=stray)
    count = erased = 0
    before, finding = Head(), None
    for row in rows:
        entry = Entry._make(row[:8])
        count += 1
        if finding is not None:
            continue  # only the first is told; the rest is read to come to the next organisation
        finding = _check(tx, entry, row[8], row[9], row[10], before, head)
        erased += finding is None and row[10] is None
        before = Head(entry.n, entry.hash)
    finding = finding or chain.check_end(organisation, before, head) or witness
    return Verdict(organisation, count, erased, finding)


def _check(
    tx: Tx, entry: Entry, kept: int | None, salt: bytes | None, body: bytes | None, before: Head, head: Head
) -> Finding | None:
    bad_link = chain.check_link(entry, before, head, lambda n: _entry(tx, entry.organisation, n))
    if bad_link is not None:
        return bad_link
    if salt is not None and body is not None:
        return chain.check_payload(entry, salt, body)
    if kept is None or not _erasure_recorded(tx, entry):
        detail = f"the payload of event {entry.event} is gone and no event says that it was erased"
        return Finding(entry.organisation, entry.n, "removed payload", detail)
    return None


def _stored(tx: Tx) -> Iterator[Any]:
    """Entries with their payloads, in the order of the chains; column 8 is None without a payload row."""
    here = (payloads.c.organisation == entries.c.organisation) & (payloads.c.n == entries.c.n)
    wanted = (
        sa.select(*(entries.c[name] for name in Entry._fields), payloads.c.n, payloads.c.salt, payloads.c.body)
        .select_from(entries.outerjoin(payloads, here))
        .order_by(entries.c.organisation, entries.c.n)
        .execution_options(yield_per=_PAGE)
    )
    for page in tx.execute(wanted).partitions():
        yield from map(tuple, page)


def _leftovers(tx: Tx) -> dict[str, Finding]:
    """Heads without any entry, and payloads that belong to none."""
    here = (payloads.c.organisation == entries.c.organisation) & (payloads.c.n == entries.c.n)
    strays = (
        sa.select(payloads.c.organisation, sa.func.min(payloads.c.n).label("n"))
        .select_from(payloads.outerjoin(entries, here))
        .where(entries.c.n.is_(None))
        .group_by(payloads.c.organisation)
    )
    found = {
        row.organisation: Finding(row.organisation, row.n, "foreign row", "a payload without an entry")
        for row in tx.execute(strays)
    }
    mine = sa.exists().where(entries.c.organisation == heads.c.organisation)
    for row in tx.execute(sa.select(heads).where(heads.c.n > 0, ~mine)):
        detail = f"the head says {row.n} entries, none is stored"
        found[row.organisation] = Finding(row.organisation, 1, "truncated", detail)
    return found


def _head(tx: Tx, organisation: str) -> Head | None:
    row = tx.execute(sa.select(heads).where(heads.c.organisation == organisation)).first()
    return Head(row.n, row.hash) if row else None


def _entry(tx: Tx, organisation: str, n: int) -> Entry | None:
    wanted = sa.select(*(entries.c[name] for name in Entry._fields))
    row = tx.execute(wanted.where(entries.c.organisation == organisation, entries.c.n == n)).first()
    return Entry._make(row) if row else None


def _erasure_recorded(tx: Tx, entry: Entry) -> bool:
    """In the chain, or on its way there."""
    told = erasure_id(entry.organisation, entry.event)
    chained = sa.select(entries.c.n).where(entries.c.event == told, entries.c.organisation == entry.organisation)
    staged = sa.select(outbox_rows.c.seq).where(outbox_rows.c.id == told)
    return tx.execute(chained).first() is not None or tx.execute(staged).first() is not None

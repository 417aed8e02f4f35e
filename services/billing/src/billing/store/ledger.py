"""The ledger, append-only, and the usage summed from it in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from common.catalogue.billing import ChargeKind
from common.db import Tx, insert_or_ignore

from billing import periods
from billing.charges import Posting
from billing.store.rows import Adding
from billing.store.tables import postings, usage

_add_usage = Adding(usage, "count", "quantity", "cost", "billed")


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The sums of one agent, kind and UTC day."""

    day: str
    agent: str
    kind: ChargeKind
    count: int
    quantity: int
    cost: int
    billed: int


def append(tx: Tx, lines: list[Posting]) -> list[Posting]:
    """Write the lines that are not there yet, and add them to the usage; gives those."""
    insert = insert_or_ignore(tx, postings)
    fresh = [line for line in lines if tx.execute(insert, _row(line)).rowcount]
    if fresh:
        _add_usage.run(tx, [_usage(line) for line in fresh])
    return fresh


def find(tx: Tx, posting: str) -> Posting | None:
    """One line by its id."""
    row = tx.execute(sa.select(postings).where(postings.c.id == posting)).mappings().first()
    return None if row is None else Posting(**{name: row[name] for name in Posting.__dataclass_fields__})


def usage_since(tx: Tx, organisation: str, since: date, agent: str = "") -> list[UsageRow]:
    """Usage from a UTC day on, oldest first; of all agents when none is named."""
    wanted = sa.select(usage).where(usage.c.organisation == organisation, usage.c.day >= since.isoformat())
    if agent:
        wanted = wanted.where(usage.c.agent == agent)
    rows = tx.execute(wanted.order_by(usage.c.day, usage.c.agent, usage.c.kind)).mappings()
    return [UsageRow(**{name: row[name] for name in UsageRow.__dataclass_fields__}) for row in rows]


def _row(line: Posting) -> dict[str, object]:
    return {name: getattr(line, name) for name in Posting.__slots__} | {"day": _day(line)}


def _day(line: Posting) -> str:
    return periods.day(line.at).name


def _usage(line: Posting) -> dict[str, object]:
    return {
        "organisation": line.organisation,
        "day": _day(line),
        "agent": line.agent,
        "kind": line.kind,
        "count": 0 if line.correction else 1,
        "quantity": line.quantity,
        "cost": line.cost,
        "billed": line.billed,
    }

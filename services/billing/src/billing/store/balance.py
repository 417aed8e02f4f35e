"""The trial balance: usage and counters of a month, worked out again from the ledger and the open holds.

It reads every line of the month, so it is for people who ask, never for a decision.
"""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa
from common.db import Tx

from billing import periods
from billing.caps import Need
from billing.charges import messages_in
from billing.store.ledger import UsageRow
from billing.store.tables import charges, counters, postings, usage

_Sums = Counter[tuple[str, str, str]]
"""Amounts by agent (empty: organisation), period and column."""


def balanced(tx: Tx, organisation: str, month: str) -> bool:
    """Whether counters and usage of this UTC month equal what the ledger and the open holds add up to."""
    lines = _summed(tx, organisation, month)
    expected: _Sums = Counter()
    for line in lines:
        _count(expected, line.agent, line.day, "used", Need(line.billed, line.count * messages_in(line.kind)))
    for agent, day, need in _open(tx, organisation, month):
        _count(expected, agent, day, "held", need)
    return _counted(tx, organisation, month) == _nonzero(expected) and _kept(tx, organisation, month) == set(lines)


def _count(sums: _Sums, agent: str, day: str, what: str, need: Need) -> None:
    for who in {"", agent}:
        for period in (day, day[:7]):
            sums[who, period, f"money_{what}"] += need.money
            sums[who, period, f"messages_{what}"] += need.messages


def _summed(tx: Tx, organisation: str, month: str) -> list[UsageRow]:
    key = (postings.c.day, postings.c.agent, postings.c.kind)
    count = sa.func.sum(sa.case((postings.c.correction, 0), else_=1)).label("count")
    sums = [sa.func.sum(postings.c[name]).label(name) for name in ("quantity", "cost", "billed")]
    wanted = sa.select(*key, count, *sums).where(
        postings.c.organisation == organisation, *_within(postings.c.day, month)
    )
    rows = [dict(row) for row in tx.execute(wanted.group_by(*key)).mappings()]
    amounts = ("count", "quantity", "cost", "billed")
    return [UsageRow(**(row | {name: int(row[name]) for name in amounts})) for row in rows]


def _open(tx: Tx, organisation: str, month: str) -> list[tuple[str, str, Need]]:
    opened = sa.select(charges.c.agent, charges.c.at, charges.c.held, charges.c.kind).where(
        charges.c.state == sa.literal_column("'open'"),
        charges.c.organisation == organisation,
        charges.c.at >= periods.start(month),
        charges.c.at < periods.start(periods.following(month)),
    )
    return [(row.agent, periods.day(row.at).name, Need(row.held, messages_in(row.kind))) for row in tx.execute(opened)]


def _counted(tx: Tx, organisation: str, month: str) -> _Sums:
    rows = tx.execute(
        sa.select(counters).where(counters.c.organisation == organisation, *_within(counters.c.period, month))
    ).mappings()
    names = ("money_used", "money_held", "messages_used", "messages_held")
    return _nonzero(Counter({(row["agent"], row["period"], name): row[name] for row in rows for name in names}))


def _kept(tx: Tx, organisation: str, month: str) -> set[UsageRow]:
    names = UsageRow.__dataclass_fields__
    wanted = sa.select(*(usage.c[name] for name in names)).where(
        usage.c.organisation == organisation, *_within(usage.c.day, month)
    )
    return {UsageRow(**row) for row in tx.execute(wanted).mappings()}


def _within(column: sa.ColumnElement[str], month: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Names of periods sort: a month, then its days, then the next month."""
    return column >= month, column < periods.following(month)


def _nonzero(sums: _Sums) -> _Sums:
    return Counter({key: amount for key, amount in sums.items() if amount})

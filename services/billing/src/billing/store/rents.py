"""Numbers that cost rent, and the months already posted for them."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from common.db import Tx

from billing.rents import Rent
from billing.store.tables import rents


def find(tx: Tx, organisation: str, purchase: str) -> Rent | None:
    """One purchase."""
    row = tx.execute(sa.select(rents).where(_is(organisation, purchase))).mappings().first()
    return None if row is None else Rent(**row)


def save(tx: Tx, known: Rent | None, now: Rent) -> None:
    """Keep what is known now; `known` is what the table holds."""
    if known is None:
        tx.execute(sa.insert(rents), asdict(now))
    else:
        tx.execute(sa.update(rents).where(_is(now.organisation, now.purchase)).values(asdict(now)))


def due(tx: Tx, this_month: str, limit: int) -> list[Rent]:
    """Rents that owe a month which has begun."""
    owed = sa.and_(
        rents.c.monthly.is_not(None),
        rents.c.next_month <= this_month,
        sa.or_(rents.c.last_month.is_(None), rents.c.next_month <= rents.c.last_month),
    )
    ordered = sa.select(rents).where(owed).order_by(rents.c.next_month, rents.c.organisation, rents.c.purchase)
    return [Rent(**row) for row in tx.execute(ordered.limit(limit)).mappings()]


def _is(organisation: str, purchase: str) -> sa.ColumnElement[bool]:
    return (rents.c.organisation == organisation) & (rents.c.purchase == purchase)

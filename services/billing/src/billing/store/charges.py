"""Charges by the name of their hold, and the open ones by age."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from common.db import Tx
from common.statements import Prepared

from billing.charges import Charge
from billing.store.tables import charges

_find = Prepared(
    sa.select(charges).where(charges.c.organisation == sa.bindparam("of"), charges.c.hold == sa.bindparam("under"))
)
_insert = Prepared(sa.insert(charges))
_details = [column for column in charges.columns if not column.primary_key]
_update = Prepared(
    sa.update(charges)
    .where(charges.c.organisation == sa.bindparam("of"), charges.c.hold == sa.bindparam("under"))
    .values({column.name: sa.bindparam(f"new_{column.name}", type_=column.type) for column in _details})
)


def find(tx: Tx, organisation: str, hold: str) -> Charge | None:
    """What is known of one act."""
    row = tx.execute(_find, {"of": organisation, "under": hold}).first()
    return None if row is None else Charge(**row._asdict())


def save(tx: Tx, known: Charge | None, now: Charge) -> None:
    """Keep what is known now; `known` is what the table holds."""
    if known is None:
        tx.execute(_insert, {name: getattr(now, name) for name in Charge.__slots__})
        return
    values = {f"new_{column.name}": getattr(now, column.name) for column in _details}
    tx.execute(_update, {"of": now.organisation, "under": now.hold} | values)


def open_before(tx: Tx, before: datetime, after: Charge | None, limit: int) -> list[Charge]:
    """Open holds made before a moment, oldest first, from `after` on."""
    old = sa.select(charges).where(charges.c.state == sa.literal_column("'open'"), charges.c.at < before)
    key = sa.tuple_(charges.c.at, charges.c.organisation, charges.c.hold)
    if after is not None:
        old = old.where(key > sa.tuple_(sa.literal(after.at, charges.c.at.type), after.organisation, after.hold))
    ordered = old.order_by(charges.c.at, charges.c.organisation, charges.c.hold).limit(limit)
    return [Charge(**row) for row in tx.execute(ordered).mappings()]

"""The steps of a message, as traces show them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from common.catalogue.values import Step
from common.db import Tx
from common.statements import Prepared

from messaging.store.tables import steps

_NOTE = Prepared(sa.insert(steps))


def note(tx: Tx, message: str, what: str, detail: str = "", *, at: datetime | None = None) -> None:
    """Something happened to this message, now or at `at`."""
    notes(tx, [(message, Step(at=at or tx.now, what=what, detail=detail))])


def notes(tx: Tx, happened: list[tuple[str, Step]]) -> None:
    """Several things happened, in this order; or none."""
    rows = [{"message": message, "at": step.at, "what": step.what, "detail": step.detail} for message, step in happened]
    if rows:
        tx.execute(_NOTE, rows)


def of(tx: Tx, message: str) -> list[Step]:
    """All steps of a message, in order."""
    rows = tx.execute(sa.select(steps).where(steps.c.message == message).order_by(steps.c.at, steps.c.seq))
    return [Step(at=row.at, what=row.what, detail=row.detail) for row in rows]

"""Alerts as a list people read."""

from __future__ import annotations

import sqlalchemy as sa
from common.catalogue.audit import AlertLine, AlertRaised
from common.db import Tx, insert_or_ignore
from common.messages import PLATFORM

from audit.store.tables import alerts


def keep(tx: Tx, alert: AlertRaised) -> bool:
    """Store an alert; whether it was new."""
    row = alert.model_dump(include={"severity", "code", "summary", "subject_id"})
    row |= {"id": alert.id, "organisation": alert.organisation, "at": alert.time}
    return tx.execute(insert_or_ignore(tx, alerts), row).rowcount == 1


def newest(tx: Tx, organisation: str, limit: int) -> list[AlertLine]:
    """The newest alerts of one organisation; under `platform`, of all."""
    wanted = sa.select(alerts).order_by(alerts.c.at.desc(), alerts.c.id).limit(limit)
    if organisation != PLATFORM:
        wanted = wanted.where(alerts.c.organisation == organisation)
    return [AlertLine.model_validate(dict(row)) for row in tx.execute(wanted).mappings()]

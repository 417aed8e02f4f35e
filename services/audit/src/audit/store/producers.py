"""Which sequence numbers of each producer were seen, and the gaps between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from common.catalogue.audit import AlertRaised, GapLine
from common.db import Tx, insert_or_ignore
from common.messages import PLATFORM
from common.statements import Prepared

from audit import domain
from audit.domain import Gap, Received
from audit.store.tables import gaps, producers

_LOCK = Prepared(
    sa.select(producers)
    .where(producers.c.source.in_(sa.bindparam("sources", expanding=True)))
    .order_by(producers.c.source)
    .with_for_update()
)

_RAISE = Prepared(
    sa.update(producers).where(producers.c.source == sa.bindparam("of")).values(highest=sa.bindparam("to"))
)

_GAPS = Prepared(sa.select(gaps).where(gaps.c.source.in_(sa.bindparam("sources", expanding=True))))


def seen(tx: Tx, events: Sequence[Received]) -> None:
    """Note the events' numbers: gaps open and close."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for event in events:
        numbers[event.source].add(event.sequence)
    highest = _locked(tx, sorted(numbers))
    stored = _gaps(tx, list(numbers))
    for source in sorted(numbers):
        top, left = domain.see(highest[source], stored[source], numbers[source], tx.now)
        if top != highest[source]:
            tx.execute(_RAISE, {"of": source, "to": top})
        _replace(tx, source, set(stored[source]), set(left))


def raise_overdue(tx: Tx, age: timedelta) -> int:
    """Raise one alert for each gap older than `age` that has none yet; says how many."""
    overdue = sa.select(gaps).where(gaps.c.alerted.is_(False), gaps.c.since <= tx.now - age).with_for_update()
    rows = tx.execute(overdue.order_by(gaps.c.source, gaps.c.first)).all()
    for row in rows:
        mine = (gaps.c.source == row.source) & (gaps.c.first == row.first)
        tx.execute(sa.update(gaps).where(mine).values(alerted=True))
        tx.stage(_alert(row))
    return len(rows)


def lines(tx: Tx) -> list[GapLine]:
    """Every open gap."""
    rows = tx.execute(sa.select(gaps).order_by(gaps.c.source, gaps.c.first))
    return [GapLine(producer=row.source, first=row.first, last=row.last, since=row.since) for row in rows]


def _alert(row: Any) -> AlertRaised:
    return AlertRaised.first(
        PLATFORM,
        key=f"event_gap/{row.source}/{row.first}-{row.last}",
        severity="high",
        code="event_gap",
        summary=f"events {row.first} to {row.last} of {row.source} did not arrive",
        subject_id=row.source,
    )


def _locked(tx: Tx, sources: list[str]) -> dict[str, int]:
    wanted = {"sources": sources}
    found = {row.source: int(row.highest) for row in tx.execute(_LOCK, wanted)}
    new = [{"source": source, "highest": 0} for source in sources if source not in found]
    if not new:
        return found
    tx.execute(insert_or_ignore(tx, producers), new)
    return {row.source: int(row.highest) for row in tx.execute(_LOCK, wanted)}


def _gaps(tx: Tx, sources: list[str]) -> dict[str, list[Gap]]:
    found: dict[str, list[Gap]] = {source: [] for source in sources}
    for row in tx.execute(_GAPS, {"sources": sources}):
        found[row.source].append(Gap(row.first, row.last, row.since, row.alerted))
    return found


def _replace(tx: Tx, source: str, old: set[Gap], new: set[Gap]) -> None:
    if closed := [gap.first for gap in old - new]:
        tx.execute(sa.delete(gaps).where(gaps.c.source == source, gaps.c.first.in_(closed)))
    if opened := new - old:
        tx.execute(sa.insert(gaps), [_row(source, gap) for gap in sorted(opened, key=lambda gap: gap.first)])


def _row(source: str, gap: Gap) -> dict[str, Any]:
    return {"source": source, "first": gap.first, "last": gap.last, "since": gap.since, "alerted": gap.alerted}

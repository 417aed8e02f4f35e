"""What contacts, operators and organisations allow: opt-outs, kill switches, countries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from common.catalogue.messages import Consent
from common.catalogue.values import Channel
from common.db import Tx, insert_or_ignore
from common.errors import Rejected
from common.statements import Prepared

from messaging.store.tables import consents, destinations, stops


@dataclass(frozen=True, slots=True)
class Pair:
    """An agent and a contact on one channel: what consent is given or taken for."""

    organisation: str
    agent: str
    channel: Channel
    contact: str

    @property
    def row(self) -> dict[str, str]:
        """As columns."""
        return {
            "organisation": self.organisation,
            "agent": self.agent,
            "channel": self.channel,
            "contact": self.contact,
        }


def _refusal() -> sa.CompoundSelect[Any]:
    given: dict[str, Any] = {name: sa.bindparam(f"{name}_") for name in ("organisation", "agent", "channel", "contact")}
    opted_out = sa.select(sa.literal("opted_out").label("code"), consents.c.evidence.label("why")).where(
        *(consents.c[name] == value for name, value in given.items()), consents.c.opted_in.is_(False)
    )
    stopped = sa.select(sa.literal("kill_switch").label("code"), stops.c.reason.label("why")).where(
        stops.c.organisation == given["organisation"],
        stops.c.agent.in_(["", given["agent"]]),
        stops.c.channel == given["channel"],
        stops.c.stopped.is_(True),
    )
    return sa.union_all(opted_out, stopped).order_by(sa.desc("code")).limit(1)


_REFUSAL = Prepared(_refusal())

_COUNTRIES = Prepared(sa.select(destinations.c.countries).where(destinations.c.organisation == sa.bindparam("org")))

_STOPS = 7_264_901_184
"""Names the lock below beside the organisation; a switch that was never turned has no row to lock."""

_HOLD_STOPS = Prepared(
    sa.select(sa.func.pg_advisory_xact_lock_shared(sa.func.hashtextextended(sa.bindparam("org"), _STOPS)))
)

_TURN_STOPS = Prepared(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("org"), _STOPS))))


def refusal(tx: Tx, pair: Pair) -> Rejected | None:
    """Why nothing may be sent between these two now; None when it may. One statement: this is on every send's way."""
    row = tx.execute(_REFUSAL, {f"{name}_": value for name, value in pair.row.items()}).first()
    if row is None:
        return None
    if row.code == "opted_out":
        return Rejected(f"this contact opted out of texts from this agent ({row.why})", code=row.code)
    return Rejected(f"sending is stopped by a kill switch: {row.why}", code=row.code)


def current(tx: Tx, pair: Pair) -> Consent:
    """What is on record. Nothing on record allows texts: a contact is opted out only by somebody's word."""
    row = tx.execute(sa.select(consents).where(*_is(consents, pair.row))).first()
    if row is None:
        return Consent(opted_in=True, evidence="no opt-out on record")
    return Consent(opted_in=row.opted_in, since=row.since, evidence=row.evidence)


def record(tx: Tx, pair: Pair, *, opted_in: bool, evidence: str) -> bool:
    """Keep what was said; False when the record says so already. The caller holds the contact's lock."""
    known = tx.execute(sa.select(consents.c.opted_in).where(*_is(consents, pair.row))).scalar()
    if known is not None and bool(known) == opted_in:
        return False
    values = {"opted_in": opted_in, "evidence": evidence, "since": tx.moment()}
    _put(tx, consents, pair.row, values)
    return True


def hold_stops(tx: Tx, organisation: str) -> None:
    """No kill switch of this organisation is turned until this transaction ends; any number may hold them at once."""
    if tx.postgres:  # on SQLite the one writer is the lock
        tx.execute(_HOLD_STOPS, {"org": organisation})


def set_stop(tx: Tx, organisation: str, agent: str, channel: Channel, *, stopped: bool, reason: str) -> bool:
    """Turn a kill switch; False when it stood so. Waits for every attempt that looked at it before."""
    if tx.postgres:
        tx.execute(_TURN_STOPS, {"org": organisation})
    key = {"organisation": organisation, "agent": agent, "channel": channel}
    known = tx.execute(sa.select(stops.c.stopped).where(*_is(stops, key))).scalar()
    if bool(known) == stopped:
        return False
    _put(tx, stops, key, {"stopped": stopped, "reason": reason, "since": tx.moment()})
    return True


def countries(tx: Tx, organisation: str) -> frozenset[str] | None:
    """Where this organisation may text; None when it has set nothing."""
    listed = tx.execute(_COUNTRIES, {"org": organisation}).scalar()
    return None if listed is None else frozenset(listed.split())


def set_countries(tx: Tx, organisation: str, allowed: frozenset[str]) -> bool:
    """Replace the list; False when it is the same."""
    if countries(tx, organisation) == allowed:
        return False
    values = {"countries": " ".join(sorted(allowed)), "since": tx.now}
    _put(tx, destinations, {"organisation": organisation}, values)
    return True


def _is(table: sa.Table, key: dict[str, str]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


def _put(tx: Tx, table: sa.Table, key: dict[str, str], values: dict[str, Any]) -> None:
    if tx.execute(insert_or_ignore(tx, table), {**key, **values}).rowcount == 0:
        tx.execute(sa.update(table).where(*_is(table, key)).values(**values))

"""What the tests of billing are built from: orders, events, and an independent auditor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from billing import holds
from billing.store import metadata
from billing.store.balance import balanced
from billing.terms import Terms
from common import ids
from common.catalogue.billing import Authorize, Decision, Limits
from common.catalogue.messages import (
    MessageNotSent,
    MessagePriced,
    MessageReceived,
    MessageSent,
    OperationAbandoned,
)
from common.catalogue.provisioning import NumberBought, NumberReleased
from common.catalogue.values import Address, Money, Trust
from common.db import Database, Tx
from common.messages import Actor

ORG, AGENT = "org_1", "agt_1"
US = "+14155550123"
FAST = 1_000_000
TERMS = Terms(Limits(), organisation_rate=FAST, agent_rate=FAST, burst=timedelta(minutes=1))
WORST, COST = 8_300 + 6_200, 8_300
"""Micro-units a segment to the US: with the most a carrier adds, and without."""


def an_order(hold: str = "op_1", **changes: Any) -> Authorize:
    values = {"organisation": ORG, "hold": hold, "agent": AGENT, "charge": "sms_out", "to": US}
    return Authorize(**(values | {"actor": Actor(tier="agent")} | changes))


async def ask(database: Database, order: Authorize, terms: Terms = TERMS) -> Decision:
    quote = holds.quote(order)
    return await database.write(lambda tx: holds.authorize(tx, order, quote, terms))


def _event(cls: Any, values: dict[str, Any], changes: dict[str, Any]) -> Any:
    organisation = changes.pop("organisation", ORG)
    key = changes.pop("key", "1")
    return cls.first(organisation, key=key, **(values | changes))


def sent(operation: str = "op_1", **changes: Any) -> MessageSent:
    values = {
        "operation": operation,
        "message": "msg_1",
        "attempt": "att_1",
        "agent": AGENT,
        "channel": "sms",
        "provider": "carrier",
        "provider_id": "SM1",
        "segments": 1,
    }
    event: MessageSent = _event(MessageSent, values, changes)
    return event


def not_sent(operation: str = "op_1", **changes: Any) -> MessageNotSent:
    values = {"operation": operation, "message": "msg_1", "agent": AGENT, "channel": "sms", "code": "x", "reason": "x"}
    event: MessageNotSent = _event(MessageNotSent, values, changes)
    return event


def abandoned(operation: str = "op_1", **changes: Any) -> OperationAbandoned:
    event: OperationAbandoned = _event(OperationAbandoned, {"operation": operation}, changes)
    return event


def priced(micros: int, operation: str = "op_1", currency: str = "USD", **changes: Any) -> MessagePriced:
    values = {
        "operation": operation,
        "message": "msg_1",
        "attempt": "att_1",
        "agent": AGENT,
        "price": Money(micros=micros, currency=currency),
    }
    event: MessagePriced = _event(MessagePriced, values, changes)
    return event


def received(message: str = "in_1", **changes: Any) -> MessageReceived:
    values = {
        "message": message,
        "agent": AGENT,
        "thread": "thr_1",
        "contact": "con_1",
        "cursor": 1,
        "channel": "sms",
        "sender": Address.phone(US),
        "to": Address.phone("+14155550100"),
        "body": "hello",
        "segments": 1,
        "trust": Trust(signature_verified=True),
        "provider": "carrier",
        "provider_id": "SM2",
    }
    event: MessageReceived = _event(MessageReceived, values, changes)
    return event


def bought(provider_id: str = "PN1", micros: int = 1_150_000, saga: str = "saga_1", **changes: Any) -> NumberBought:
    values = {
        "agent": AGENT,
        "saga": saga,
        "number": "+14155550100",
        "provider": "carrier",
        "provider_id": provider_id,
        "monthly": Money(micros=micros),
    }
    event: NumberBought = _event(NumberBought, values, changes)
    return event


def given_back(provider_id: str = "PN1", **changes: Any) -> NumberReleased:
    values = {"agent": AGENT, "number": "+14155550100", "provider_id": provider_id}
    event: NumberReleased = _event(NumberReleased, values, changes)
    return event


def months_ago(count: int) -> datetime:
    """Noon on the second day of a UTC month before this one."""
    moment = datetime.now(UTC).replace(day=2, hour=12, minute=0, second=0, microsecond=0)
    for _ in range(count):
        moment = (moment.replace(day=1) - timedelta(days=1)).replace(day=2)
    return moment


def rows(tx: Tx, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.execute(sa.select(metadata.tables[table])).mappings()]


async def everything(database: Database) -> dict[str, Any]:
    """Ledger, counters and usage, in an order of their own: two histories with equal books are equal here."""

    def read(tx: Tx) -> dict[str, Any]:
        return {
            "postings": sorted(rows(tx, "postings"), key=lambda row: row["id"]),
            "counters": sorted(map(str, (row for row in rows(tx, "counters") if _moved(row)))),
            "usage": sorted(map(str, rows(tx, "usage"))),
        }

    return await database.read(read)


def _moved(row: dict[str, Any]) -> bool:
    return any(row[name] for name in ("money_used", "money_held", "messages_used", "messages_held"))


async def books_balance(database: Database, organisation: str = ORG) -> bool:
    """Every month that has a line or a counter balances."""

    def read(tx: Tx) -> bool:
        months = {row["period"][:7] for row in rows(tx, "counters")} | {row["day"][:7] for row in rows(tx, "postings")}
        return all(balanced(tx, organisation, month) for month in months)

    return await database.read(read)


def unique(prefix: str) -> str:
    return ids.random(prefix)


def url_of(database: Database) -> str:
    """For a second `Database` on the same tables: a replica."""
    return database.url.render_as_string(hide_password=False)

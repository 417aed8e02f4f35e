"""Questions: usage, caps, the month's sums, the price book. They read one snapshot and change nothing."""

from __future__ import annotations

from datetime import date, timedelta

from common.bus import Bus
from common.catalogue.billing import (
    BillingSummary,
    CapLine,
    GetBillingSummary,
    GetLimits,
    GetPriceBook,
    GetUsage,
    LimitsReply,
    PriceBook,
    PriceLine,
    Usage,
    UsageLine,
)
from common.catalogue.values import Money
from common.db import Database, Tx

from billing import caps, periods
from billing.caps import Counter, Scope
from billing.prices import BOOK, Price
from billing.store import accounts, counters, ledger
from billing.store.balance import balanced
from billing.store.ledger import UsageRow
from billing.terms import Terms

_BACK = timedelta(days=30)


def register(bus: Bus, database: Database, terms: Terms) -> None:
    """Serve every query of billing."""

    async def usage(query: GetUsage) -> Usage:
        return await database.read(lambda tx: get_usage(tx, query, terms), long=True)

    async def summary(query: GetBillingSummary) -> BillingSummary:
        return await database.read(lambda tx: get_summary(tx, query), long=True)

    async def limits(query: GetLimits) -> LimitsReply:
        return await database.read(lambda tx: get_limits(tx, query, terms))

    async def price_book(_: GetPriceBook) -> PriceBook:
        return PriceBook(lines=[_price(price) for price in BOOK])

    bus.serve(GetUsage, usage)
    bus.serve(GetBillingSummary, summary)
    bus.serve(GetLimits, limits)
    bus.serve(GetPriceBook, price_book)


def get_usage(tx: Tx, query: GetUsage, terms: Terms) -> Usage:
    """Usage by agent, kind and day, and the caps as they stand."""
    since = query.since or (tx.now - _BACK).date()
    rows = ledger.usage_since(tx, query.organisation, since, query.agent)
    return Usage(
        lines=[_line(row) for row in rows],
        caps=_caps(tx, query.organisation, query.agent, terms),
        billed=Money(micros=sum(row.billed for row in rows)),
    )


def _caps(tx: Tx, organisation: str, agent: str, terms: Terms) -> list[CapLine]:
    whole, part = accounts.find(tx, organisation, agent)
    in_force = caps.in_force(terms.limits("organisation", whole.limits), "organisation", tx.now)
    if agent:
        in_force = caps.in_force(terms.limits("agent", part.limits), "agent", tx.now) + in_force
    standing = counters.find(tx, organisation, agent)
    return [cap.line(standing) for cap in in_force]


def get_limits(tx: Tx, query: GetLimits, terms: Terms) -> LimitsReply:
    """The caps in force, the installation's defaults where nobody set any."""
    organisation, agent = accounts.find(tx, query.organisation, query.agent)
    scope: Scope = "agent" if query.agent else "organisation"
    limits = (agent if query.agent else organisation).limits
    return LimitsReply(agent=query.agent, limits=terms.limits(scope, limits))


def get_summary(tx: Tx, query: GetBillingSummary) -> BillingSummary:
    """The UTC month so far, and whether the books balance."""
    month = periods.month(tx.now)
    rows = ledger.usage_since(tx, query.organisation, periods.start(month.name).date())
    account, _ = accounts.find(tx, query.organisation)
    standing = counters.find(tx, query.organisation, "").get(("organisation", "month"), Counter())
    return BillingSummary(
        month=month.name,
        cost=Money(micros=sum(row.cost for row in rows)),
        billed=Money(micros=sum(row.billed for row in rows)),
        held=Money(micros=standing.money_held),
        markup_percent=account.markup / 100,
        balanced=balanced(tx, query.organisation, month.name),
    )


def _line(row: UsageRow) -> UsageLine:
    return UsageLine(
        agent=row.agent,
        kind=row.kind,
        day=date.fromisoformat(row.day),
        count=row.count,
        quantity=row.quantity,
        cost=Money(micros=row.cost),
        billed=Money(micros=row.billed),
    )


def _price(price: Price) -> PriceLine:
    return PriceLine(
        item=price.item, price=Money(micros=price.micros), unit=price.unit, dated=price.dated, source=price.source
    )

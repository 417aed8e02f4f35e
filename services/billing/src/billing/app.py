"""Makes billing's parts and hands them to each other."""

from __future__ import annotations

from datetime import timedelta

from common import service
from common.catalogue.billing import Limits
from common.service import Service

from billing.collector import RentCollector
from billing.handlers import events, orders, queries
from billing.resolver import HoldResolver, owners
from billing.settings import Settings
from billing.terms import Terms


async def build(settings: Settings) -> Service:
    """The service, ready to start."""
    house = service.worker("billing", settings)
    bus, database = house.bus, house.database
    if database is None:
        raise AssertionError("a worker has a database")
    terms = terms_of(settings)
    events.register(bus, database)
    orders.register(bus, database, terms)
    queries.register(bus, database, terms)
    age = timedelta(seconds=settings.billing_hold_age)
    house.background = {
        "old-holds": HoldResolver(database, owners(bus), age=age, every=settings.billing_resolve_every).run,
        "rent": RentCollector(database, every=settings.billing_rent_every).run,
    }
    return house


def terms_of(settings: Settings) -> Terms:
    """What holds where nobody has set other terms."""
    return Terms(
        organisation_limits=Limits(money_per_day=settings.billing_money_per_day),
        organisation_rate=settings.billing_organisation_rate,
        agent_rate=settings.billing_agent_rate,
        burst=timedelta(seconds=settings.billing_burst_seconds),
    )

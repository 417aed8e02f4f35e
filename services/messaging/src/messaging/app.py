"""Builds messaging: makes its parts and hands them to each other."""

from __future__ import annotations

from datetime import timedelta

from common import service
from common.directory import Credentials, Directory
from common.sealed import Sealer
from common.service import Service

from messaging import handlers
from messaging.desk import Desk
from messaging.dispatch import Dispatcher
from messaging.foreground import Foreground
from messaging.inbound import Inbound
from messaging.lanes import Lanes
from messaging.ledger import Rules
from messaging.outbound import Outbound
from messaging.owners import Owners
from messaging.places import Places
from messaging.policy import Policy
from messaging.prices import PricePoller
from messaging.providers import registry
from messaging.providers.registry import Providers
from messaging.reports import Reports
from messaging.resolve import Resolver
from messaging.review import Review
from messaging.settings import Settings
from messaging.waits import Waits


async def build(settings: Settings) -> Service:
    """Messaging with the providers of the registry."""
    credentials = Credentials(Sealer(settings.key("credentials.key")))
    return await assemble(settings, credentials, registry.connect(settings, credentials))


async def assemble(settings: Settings, credentials: Credentials, providers: Providers) -> Service:
    """Messaging with these providers."""
    house = service.worker("messaging", settings)
    bus, database = house.bus, house.database
    if database is None:
        raise RuntimeError("messaging needs its database")
    disk = settings.data / f"messaging-{settings.instance}"
    directory = Directory()
    followers = {"directory": directory.follow(bus, disk), "credentials": credentials.follow(bus, disk)}
    owners, places, rules = Owners(directory, followers["directory"], bus), Places(), _rules(settings)
    lanes, foreground, waits = Lanes(database), Foreground(), Waits(bus)
    dispatcher = Dispatcher(
        database,
        lanes,
        providers,
        rules,
        public_url=settings.public_url,
        concurrency=settings.messaging_dispatch_concurrency,
        foreground=foreground,
    )
    retry_for = timedelta(seconds=settings.messaging_send_retry)
    handlers.register(
        bus,
        Inbound(database, lanes, owners, places, waits),
        Reports(lanes),
        Outbound(database, lanes, bus, owners, places, dispatcher, foreground=foreground, retry_for=retry_for),
        Desk(database, owners, waits),
        Policy(database, owners),
        Review(database),
    )
    for name, follower in followers.items():
        follower.load_disk()
        house.background[name] = follower.run
        house.health.required[name] = follower.ready
    house.background["waits"] = waits.run
    house.background["dispatch"] = dispatcher.run
    house.background["resolve"] = Resolver(database, providers, dispatcher, rules, settings.messaging_poll).run
    house.background["prices"] = PricePoller(database, providers, rules, settings.messaging_poll, foreground).run
    house.closing += [provider.close for provider in providers.values()]
    return house


def _rules(settings: Settings) -> Rules:
    return Rules(
        lease=timedelta(seconds=settings.messaging_dispatch_lease),
        grace=timedelta(seconds=settings.messaging_unknown_grace),
        deadline=timedelta(seconds=settings.messaging_unknown_deadline),
    )

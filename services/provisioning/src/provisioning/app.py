"""Makes the parts of a provisioning worker and hands them to each other."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from common import service, tokens
from common.sealed import Sealer
from common.service import Service

from provisioning import domain
from provisioning.accounts import Accounts, keep_credentials, keep_operator
from provisioning.deprovision import Deprovision
from provisioning.directory import Announcer
from provisioning.engine import Engine
from provisioning.handlers.channels import Channels
from provisioning.handlers.queries import Queries
from provisioning.handlers.tenants import Tenants
from provisioning.handlers.tokens import Tokens
from provisioning.providers import registry
from provisioning.provision import Provision
from provisioning.quota import BillingQuota
from provisioning.reaper import Reaper
from provisioning.saga import Policy
from provisioning.settings import Settings


async def build(settings: Settings) -> Service:
    """Refuses to start without the operator's token and the keys."""
    pepper, operator = settings.key("token-pepper.key"), settings.secret("operator.token")
    sealer = Sealer(settings.key("credentials.key"))
    accounts = Accounts(registry.accounts(settings))
    house = service.worker("provisioning", settings)
    if house.database is None:
        raise SystemExit("provisioning needs a database")
    await keep_operator(house.database, operator, pepper)
    await keep_credentials(house.database, sealer, accounts.accounts)

    announcer = Announcer(house.database, house.bus)
    giving = Provision(
        quota=BillingQuota(house.bus),
        provider_of=accounts.numbers,
        announce=announcer.announce,
        webhooks=partial(domain.webhooks, settings.public_url, settings.fallback_url),
    )
    taking = Deprovision(provider_of=accounts.numbers, announce=announcer.announce)
    policy = Policy(lease=timedelta(seconds=settings.provisioning_lease))
    engine = Engine(house.database, [giving.saga(), taking.saga()], policy)
    hashed = partial(tokens.hashed, pepper=pepper)

    Tenants(house.database, announcer, hashed).register(house.bus)
    Tokens(house.database, announcer, hashed).register(house.bus)
    Channels(house.database, engine, accounts, announcer, hashed, settings.provisioning_wait).register(house.bus)
    Queries(house.database).register(house.bus)
    house.background |= {
        "sagas": engine.run,
        "directory": announcer.beat_directory,
        "credentials": announcer.beat_credentials,
        "reaper": Reaper(house.database, accounts, settings.provisioning_reap_every).run,
    }
    house.closing += [account.numbers.close for account in accounts.accounts]
    return house

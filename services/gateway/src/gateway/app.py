"""Puts the gateway together. It starts and accepts without a broker, from the snapshots of its last run."""

from __future__ import annotations

from common import service, spool
from common.directory import Credentials, Directory
from common.internal import Health, server
from common.sealed import Sealer
from common.service import Service

from gateway.accounts import Accounts
from gateway.api import Webhooks, rest
from gateway.domain import Admission
from gateway.protocol import ShortWay
from gateway.providers.registry import providers
from gateway.settings import Settings


async def build(settings: Settings) -> Service:
    """A gateway with a spool file of its own, ready to start."""
    bus = service.connect("gateway", settings)
    directory, credentials = Directory(), Credentials(Sealer(settings.key("credentials.key")))
    routes = directory.follow(bus, settings.data / "gateway")
    secrets = credentials.follow(bus, settings.data / "gateway")
    routes.load_disk()
    secrets.load_disk()
    spooled = spool.Spool(spool.claim(settings.spool_folder, "gateway"))
    bus.relay(spooled)
    known = providers(settings.public_url)
    admission = Admission(directory, credentials, known, lambda: secrets.loaded)
    accounts = Accounts()
    app = Webhooks(admission, known.values(), spooled, accounts, settings.gateway_body_limit, rest())
    return Service(
        "gateway",
        bus,
        Health(
            required={"spool": spooled.ping, "directory": routes.ready, "credentials": secrets.ready},
            wanted={"bus": bus.ping},
        ),
        background={
            "directory": routes.run,
            "credentials": secrets.run,
            "orphans": spool.Orphans(settings.spool_folder, "gateway", bus).run,
            "spool": spooled.housekeeping,
            "spool-log": spooled.copy_back,
            "accounts": accounts.run,
        },
        http=[server(app, settings.gateway_host, settings.gateway_port, protocol=ShortWay)],
        closing=[spooled.close],
        needs_bus=False,
    )

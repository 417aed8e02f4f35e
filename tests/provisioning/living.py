"""A provisioning worker in this process, on a real broker and database, with the carrier and a billing to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from common import service, tokens
from common.bus import Bus
from common.catalogue.billing import Authorize, Decision, GetPriceBook, PriceBook, PriceLine, SettleHold
from common.catalogue.provisioning import CreateOrganisation, OrganisationReply
from common.catalogue.values import Done, Money
from common.directory import CREDENTIALS, DIRECTORY, Credentials, Directory
from common.errors import NotFound
from common.messages import PLATFORM, Event, Order, Query
from common.migrate import upgrade
from common.sealed import Sealer
from common.service import Service
from common.snapshot import Follower
from provisioning.app import build
from provisioning.settings import Settings
from pydantic import BaseModel

R = TypeVar("R", bound=BaseModel)


def write_secrets(folder: Path, account_sid: str, auth_token: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("token-pepper.key", "credentials.key"):
        (folder / name).write_text(secrets.token_hex(32))
    (folder / "operator.token").write_text(tokens.new("operator"))
    (folder / "twilio.json").write_text(json.dumps({"account_sid": account_sid, "auth_token": auth_token}))


@dataclass
class Billing:
    """Answers as billing does, and keeps count."""

    bus: Bus
    refuses: str = ""
    held: set[str] = field(default_factory=set)
    let_go: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.bus.serve(Authorize, self.authorize)
        self.bus.serve(SettleHold, self.settle)
        self.bus.serve(GetPriceBook, self.prices)

    async def authorize(self, order: Authorize) -> Decision:
        if self.refuses:
            return Decision(allowed=False, code="cap_reached", reason=self.refuses)
        self.held.add(order.hold)
        return Decision(allowed=True, held=Money(micros=2_000_000))

    async def settle(self, order: SettleHold) -> Done:
        if order.hold not in self.held:
            raise NotFound("there is no such hold")
        self.let_go.add(order.hold)
        return Done()

    async def prices(self, query: GetPriceBook) -> PriceBook:
        line = PriceLine(
            item="number_rent/US", price=Money(micros=1_150_000), unit="month", dated="2026-07", source="test"
        )
        return PriceBook(lines=[line])


@dataclass
class House:
    """What a test asks, reads and follows."""

    settings: Settings
    bus: Bus
    billing: Billing
    directory: Directory
    credentials: Credentials
    followers: list[Follower]
    seen: list[Event]

    async def ask(self, request: Order[R] | Query[R]) -> R:
        if isinstance(request, Order):
            return await self.bus.order(request, total=25)
        return await self.bus.query(request)

    async def organisation(self, title: str = "Acme") -> OrganisationReply:
        return await self.ask(CreateOrganisation(organisation=PLATFORM, title=title, key=secrets.token_hex(4)))

    async def eventually(self, true: Any, seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 - what is waited for has no event here
                await asyncio.sleep(0.01)

    def token(self, secret: str) -> Any:
        """What an edge knows of a token."""
        return self.directory.tokens.get(tokens.hashed(secret, self.settings.key("token-pepper.key")))

    def names(self, organisation: str) -> list[str]:
        return [event.name for event in self.seen if event.organisation == organisation]


def settings_for(broker: str, database_url: str, folder: Path, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "nats_auth": False,
        "nats_url": broker,
        "database_url": database_url,
        "data": folder,
        "secrets": folder / "secrets",
        "provisioning_lease": 3.0,
    }
    return Settings(**given | more)


@contextlib.asynccontextmanager
async def a_worker(settings: Settings) -> AsyncIterator[Service]:
    worker = await build(settings)
    async with service.running(worker, settings) as running:
        yield running


@contextlib.asynccontextmanager
async def a_house(settings: Settings) -> AsyncIterator[House]:
    """Everything around the worker: start workers inside. Tables are made in the data folder; elsewhere they are."""
    if not settings.database_url:
        upgrade("provisioning", settings.database("provisioning"))
    billing, tester, seen = Bus("billing", settings.nats_url), Bus("tester", settings.nats_url), list[Event]()
    answers = Billing(billing)
    directory, credentials = Directory(), Credentials(Sealer(settings.key("credentials.key")))
    followers = [
        Follower(tester, DIRECTORY, settings.data / "follow" / "directory.json", directory.accept),
        Follower(tester, CREDENTIALS, settings.data / "follow" / "credentials.json", credentials.accept),
    ]

    async def hear(message: Any) -> None:
        from common.envelope import decode  # noqa: PLC0415

        seen.append(decode(message.data))

    tester.listen("comms.>", hear)
    await billing.start()
    await tester.start()
    following = [asyncio.create_task(one.run()) for one in followers]
    try:
        yield House(settings, tester, answers, directory, credentials, followers, seen)
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        await tester.stop()
        await billing.stop()

"""Messaging in this process with a real broker and database; billing, provisioning and the provider play along."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from common import envelope, service
from common.bus import Bus
from common.catalogue.billing import Authorize, Decision
from common.catalogue.messages import (
    LeaseMessages,
    MessageReceived,
    MessageTrace,
    SendMessage,
    SendReply,
    SmsReceived,
    SmsStatusReported,
    TraceMessage,
    Waiting,
)
from common.catalogue.provisioning import ResolveRoute, RouteOwner
from common.catalogue.values import Address, Money
from common.db import Database, Tx
from common.directory import CREDENTIALS, DIRECTORY, Credentials
from common.errors import SwitchboardError
from common.messages import Event, Order, Query
from common.sealed import Sealer
from common.service import Service
from common.snapshot import Publisher
from messaging.app import assemble
from messaging.settings import Settings
from messaging.store.tables import attempts, operations
from nats.aio.msg import Msg
from pydantic import BaseModel

from tests.messaging.fakes import FakeSms

R = TypeVar("R", bound=BaseModel)
E = TypeVar("E", bound=Event)

ORG, OTHER = "org_one", "org_two"
AGENT, SECOND, FOREIGN = "agt_one", "agt_second", "agt_foreign"
NUMBERS = {AGENT: "+14155550100", SECOND: "+14155550101", FOREIGN: "+14155550102"}
PERSON = "+14155550123"
ACCOUNT = "AC0"
LONG = 15.0

_serial = itertools.count(1)


def route_of(agent: str) -> str:
    return f"rt_{agent}"


def a_route(agent: str, organisation: str = ORG) -> dict[str, Any]:
    return {
        "route": route_of(agent),
        "organisation": organisation,
        "agent": agent,
        "provider": "fake",
        "account": ACCOUNT,
        "addresses": [{"kind": "e164", "value": NUMBERS[agent]}],
    }


ROUTES = [a_route(AGENT), a_route(SECOND), a_route(FOREIGN, OTHER)]


def an_sms(body: str = "hello", *, sender: str = PERSON, agent: str = AGENT, **more: Any) -> SmsReceived:
    """A text from a person to an agent, as the gateway hears it."""
    provider_id = more.pop("provider_id", "") or f"SMin{next(_serial):08d}"
    organisation = more.pop("organisation", OTHER if agent == FOREIGN else ORG)
    facts = {
        "route": route_of(agent),
        "account": ACCOUNT,
        "provider": "fake",
        "provider_id": provider_id,
        "sender": Address.phone(sender),
        "to": Address.phone(NUMBERS[agent]),
        "body": body,
    }
    return SmsReceived.first(organisation, key=f"fake:{provider_id}", **(facts | more))


def a_report(attempt: str, provider_id: str, status: str, **more: Any) -> SmsStatusReported:
    """A provider's word about a text of ours."""
    facts = {
        "route": route_of(AGENT),
        "attempt": attempt,
        "account": ACCOUNT,
        "provider": "fake",
        "provider_id": provider_id,
        "status": status,
    }
    return SmsStatusReported.first(ORG, key=f"{provider_id}:{status}:{attempt}", **(facts | more))


def a_send(body: str = "hi", *, to: str = PERSON, agent: str = AGENT, **more: Any) -> SendMessage:
    organisation = more.pop("organisation", ORG)
    if more.get("thread"):
        to = ""
    return SendMessage(organisation=organisation, agent=agent, to=to, body=body, **more)


@dataclass
class House:
    """Messaging and who plays along."""

    url: str
    database: Database
    provider: FakeSms
    edge: Bus
    publisher: Publisher
    heard: list[Event] = field(default_factory=list)
    asked_billing: list[Authorize] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    owners: dict[str, RouteOwner] = field(default_factory=dict)
    resolving: bool = True
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    service: Service | None = None
    serving: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    revision: int = 1
    _sequence: int = 0
    _known: set[str] = field(default_factory=set)

    async def ask(self, request: Order[R] | Query[R]) -> R:
        if isinstance(request, Order):
            return await self.edge.order(request)
        return await self.edge.query(request)

    async def refusal(self, request: Order[Any] | Query[Any]) -> SwitchboardError:
        """The error this request is answered with."""
        try:
            answer = await self.ask(request)
        except SwitchboardError as error:
            return error
        raise AssertionError(f"not refused: {answer!r}")

    async def publish(self, *events: Event) -> None:
        """As the gateway does."""
        for event in events:
            self._sequence += 1
            raw = envelope.encode(event, producer="gateway", sequence=self._sequence)
            await self.edge.client.jetstream().publish(event.subject, raw)

    async def received(self, *texts: SmsReceived) -> list[MessageReceived]:
        """Publish texts and wait until messaging has told of each, in their order."""
        wanted = [sms.provider_id for sms in texts]
        await self.publish(*texts)
        async with asyncio.timeout(LONG), self.changed:
            await self.changed.wait_for(lambda: set(wanted) <= {one.provider_id for one in self.of(MessageReceived)})
        told = {one.provider_id: one for one in self.of(MessageReceived)}
        return [told[provider_id] for provider_id in wanted]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait until so many events of a kind were heard."""
        async with asyncio.timeout(LONG), self.changed:
            await self.changed.wait_for(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    async def send(self, body: str = "hi", **more: Any) -> SendReply:
        return await self.ask(a_send(body, **more))

    async def lease(self, agent: str = AGENT, limit: int = 20, seconds: int = 60, organisation: str = ORG) -> Waiting:
        order = LeaseMessages(organisation=organisation, agent=agent, limit=limit, lease_seconds=seconds)
        return await self.ask(order)

    async def wait(self, order: LeaseMessages) -> asyncio.Task[Waiting]:
        """Ask for what comes next; gives the answer that is to come once messaging waits for something.

        A plain lease asked for later by the same connection is served later: when the second was answered, the first
        look of this order is over. So it must find nothing.
        """
        waiting = asyncio.create_task(self.ask(order))
        for _ in range(2):
            await asyncio.sleep(0)  # the order leaves first
            assert (await self.lease(order.agent, organisation=order.organisation)).messages == []
        return waiting

    async def stop(self) -> None:
        """Have messaging end as at a deployment; the others stay."""
        await self.serving.aclose()

    async def trace(self, message: str, organisation: str = ORG) -> MessageTrace:
        return await self.ask(TraceMessage(organisation=organisation, message=message))

    async def attempts_of(self, message: str) -> list[sa.Row[Any]]:
        wanted = (
            sa.select(attempts)
            .join(operations, operations.c.operation == attempts.c.operation)
            .where(operations.c.message == message)
            .order_by(attempts.c.n)
        )
        return await self.database.read(lambda tx: list(tx.execute(wanted)))

    async def hurry(self) -> None:
        """Let everything that is scheduled become due now."""

        def hurry(tx: Tx) -> int:
            tx.execute(sa.update(attempts).where(attempts.c.price_due_at.is_not(None)).values(price_due_at=tx.now))
            open_ = operations.c.state.in_(["queued", "unknown"]) & operations.c.due_at.is_not(None)
            return tx.execute(sa.update(operations).where(open_).values(due_at=tx.now)).rowcount

        await self.database.write(hurry)

    async def hurry_until(self, kind: type[E], count: int = 1) -> list[E]:
        """Keep hurrying until so many events of a kind were heard."""
        async with asyncio.timeout(LONG):
            while len(self.of(kind)) < count:
                await self.hurry()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1), self.changed:
                        await self.changed.wait()
        return self.of(kind)

    async def _hear(self, message: Msg) -> None:
        """The stream keeps an event that is published again once; who listens live hears it again."""
        event = envelope.decode(message.data)
        async with self.changed:
            if event.id not in self._known:
                self._known.add(event.id)
                self.heard.append(event)
            self.changed.notify_all()

    async def _authorize(self, order: Authorize) -> Decision:
        self.asked_billing.append(order)
        if self.decisions:
            return self.decisions.pop(0)
        return Decision(allowed=True, held=Money(micros=8300 * order.quantity))

    async def _resolve(self, query: ResolveRoute) -> RouteOwner:
        return self.owners.get(query.address.value, RouteOwner())


def settings_for(url: str, database_url: str, tmp_path: Path, **more: Any) -> Settings:
    defaults = {"messaging_unknown_grace": 0.0, "messaging_poll": 0.02}
    return Settings(
        nats_auth=False, nats_url=url, database_url=database_url, data=tmp_path, internal_port=0, **(defaults | more)
    )


@contextlib.asynccontextmanager
async def running(url: str, database_url: str, tmp_path: Path, **settings: Any) -> AsyncIterator[House]:
    """The whole cast, on a database with its tables; messaging itself starts with the directory loaded."""
    edge, billing, provisioning = Bus("edge", url), Bus("billing", url), Bus("provisioning", url)
    database = Database(database_url)
    house = House(url, database, FakeSms(), edge, Publisher(provisioning, DIRECTORY))
    edge.listen("comms.>", house._hear)
    billing.serve(Authorize, house._authorize)
    provisioning.serve(ResolveRoute, house._resolve)
    cast = [edge, billing, provisioning]
    for bus in cast:
        await bus.start()
    await house.publisher.publish(1, {"routes": ROUTES, "tokens": []})
    await Publisher(provisioning, CREDENTIALS).publish(1, {"credentials": []})
    configured = settings_for(url, database_url, tmp_path, **settings)
    built = await assemble(configured, Credentials(Sealer(b"k" * 32)), {"fake": house.provider})
    async with house.serving as serving:
        house.service = await serving.enter_async_context(service.running(built, configured))
        async with asyncio.timeout(LONG):
            while (await built.health.report())[0] != 200:  # noqa: ASYNC110 - readiness is asked for, as in life
                await asyncio.sleep(0.01)
        yield house
    for bus in cast:
        await bus.stop()
    await database.close()

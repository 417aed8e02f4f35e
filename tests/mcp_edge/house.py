"""What the edge needs around it: a directory with tokens, owners that answer what a test says, replicas of the edge."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import httpx2
from common import envelope, messages, service, snapshot, tokens
from common.bus import Bus
from common.catalogue.messages import InboxMessage, MessageReceived
from common.catalogue.values import Address, Trust
from common.directory import DIRECTORY
from common.errors import NotFound
from common.messages import Request
from common.service import Service
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_edge.app import build
from mcp_edge.settings import Settings
from pydantic import BaseModel

from tests.support.servers import Broker

Q = TypeVar("Q", bound=Request[Any])

PEPPER = bytes(32)
ORGANISATION, AGENT = "org_1", "agt_1"


Answer = BaseModel | Awaitable[BaseModel]
"""At once, or when the test says so."""


class Owner:
    """A service that answers every order and query it owns as the test says, and remembers them."""

    def __init__(self, name: str, url: str) -> None:
        self.bus = Bus(name, url)
        self.asked: list[Any] = []
        self._answers: dict[type[Any], Callable[[Any], Answer]] = {}
        self._held: list[asyncio.Future[BaseModel]] = []
        for request in messages.requests.values():
            if request.owner() == name:
                self.bus.serve(request, self._answer)

    def on(self, request: type[Any], answer: Answer | Callable[[Any], Answer]) -> None:
        self._answers[request] = answer if callable(answer) else lambda _asked: answer

    def held(self) -> asyncio.Future[BaseModel]:
        """An answer that who asks waits for until the test sets it, or ends."""
        held: asyncio.Future[BaseModel] = asyncio.get_running_loop().create_future()
        self._held.append(held)
        return held

    def of(self, request: type[Q]) -> list[Q]:
        """What was asked of this kind."""
        return [asked for asked in self.asked if isinstance(asked, request)]

    async def stop(self) -> None:
        for held in self._held:
            held.cancel()
        await self.bus.stop()

    async def _answer(self, asked: Request[Any]) -> BaseModel:
        self.asked.append(asked)
        answer = self._answers.get(type(asked))
        if answer is None:
            raise NotFound(f"no answer to {type(asked).__name__} in this test", code="no_such_message")
        found = answer(asked)
        return found if isinstance(found, BaseModel) else await found


@dataclass
class Replica:
    service: Service
    url: str

    def rest(self, token: str = "", **headers: str) -> httpx.AsyncClient:
        authorization = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.url, headers={**authorization, **headers}, timeout=10, verify=False)

    @asynccontextmanager
    async def mcp(self, token: str, *, mode: str = "auto", query: str = "", **more: Any) -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60, verify=False) as http:
            transport = streamable_http_client(f"{self.url}/mcp{query}", http_client=http)
            async with Client(transport, mode=mode, **more) as client:
                yield client


@dataclass
class House:
    broker: Broker
    folder: Path
    stack: AsyncExitStack
    owners: dict[str, Owner]
    publisher: snapshot.Publisher
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    revision: int = 0
    numbers: Any = field(default_factory=itertools.count)

    @property
    def provisioning(self) -> Owner:
        return self.owners["provisioning"]

    @property
    def messaging(self) -> Owner:
        return self.owners["messaging"]

    async def token(
        self, tier: str = "agent", organisation: str = ORGANISATION, agent: str = AGENT, **more: Any
    ) -> str:
        token = tokens.new(tier)
        hashed = tokens.hashed(token, PEPPER)
        mine = {"agent": agent} if tier == "agent" else {}
        entry = {"hash": hashed, "token": f"tok_{next(self.numbers)}", "tier": tier, "organisation": organisation}
        self.entries[token] = {**entry, **mine, **more}
        await self.publish()
        return token

    async def revoke(self, token: str) -> None:
        del self.entries[token]
        await self.publish()

    async def publish(self) -> None:
        self.revision += 1
        await self.publisher.publish(self.revision, {"routes": [], "tokens": list(self.entries.values())})

    async def beat(self) -> None:
        while True:
            if self.revision:
                await self.publisher.beat(self.revision)
            await asyncio.sleep(snapshot.HEARTBEAT_EVERY)

    async def edge(self, instance: str = "0", **more: Any) -> Replica:
        return await self.stack.enter_async_context(self.an_edge(instance, **more))

    @asynccontextmanager
    async def an_edge(self, instance: str = "0", *, ready: bool = True, **more: Any) -> AsyncIterator[Replica]:
        """One that ends before the test does."""
        secrets = self.folder / "secrets"
        secrets.mkdir(exist_ok=True)
        (secrets / "token-pepper.key").write_text(PEPPER.hex())
        settings = Settings(
            nats_auth=False,
            nats_url=self.broker.url,
            data=self.folder,
            secrets=secrets,
            internal_port=0,
            edge_port=0,
            instance=instance,
            **more,
        )
        async with service.running(await build(settings), settings) as edge:
            await until(lambda: edge.http[0].started)
            port = edge.http[0].servers[0].sockets[0].getsockname()[1]
            replica = Replica(edge, f"http://127.0.0.1:{port}")
            if ready:
                await self.ready(replica)
            yield replica

    async def ready(self, replica: Replica) -> None:
        async with asyncio.timeout(10):
            while (await replica.service.health.report())[0] != 200:  # noqa: ASYNC110 - health is asked, not told
                await asyncio.sleep(0.01)

    async def text_arrives(self, organisation: str = ORGANISATION, agent: str = AGENT) -> None:
        """The hint only; the inbox is what the test's messaging says."""
        event = MessageReceived.first(
            organisation,
            key=str(next(self.numbers)),
            message="msg_1",
            agent=agent,
            thread="thr_1",
            contact="con_1",
            cursor=1,
            channel="sms",
            sender=Address.phone("+14155550100"),
            to=Address.phone("+14155550199"),
            body="hello",
            segments=1,
            trust=Trust(signature_verified=True),
            provider="sandbox",
            provider_id="1",
        )
        raw = envelope.encode(event, producer="messaging", sequence=1)
        await self.messaging.bus.client.publish(event.subject, raw)
        await self.messaging.bus.client.flush()


def a_message(body: str = "hello", cursor: int = 1) -> InboxMessage:
    return InboxMessage(
        message=f"msg_{cursor}",
        cursor=cursor,
        thread="thr_1",
        contact="con_1",
        direction="in",
        channel="sms",
        sender="+14155550100",
        to="+14155550199",
        body=body,
        status="received",
        at=datetime.now(UTC),
        trust=Trust(signature_verified=True),
    )


@asynccontextmanager
async def a_house(broker: Broker, folder: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        owners = {name: Owner(name, broker.url) for name in ("provisioning", "messaging", "billing", "audit")}
        for owner in owners.values():
            await owner.bus.start()
            stack.push_async_callback(owner.stop)
        house = House(broker, folder, stack, owners, snapshot.Publisher(owners["provisioning"].bus, DIRECTORY))
        beating = asyncio.create_task(house.beat())
        stack.callback(beating.cancel)
        yield house


async def until(true: Callable[[], Any], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - any condition, which nobody announces
            await asyncio.sleep(0.005)

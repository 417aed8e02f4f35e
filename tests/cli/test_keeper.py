"""The streams are there again soon after the broker lost them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import nats
from common import service, streams
from common.settings import Settings
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from switchboard import keeper

from tests.support.servers import Broker, a_broker


async def test_a_broker_that_lost_its_data_gets_its_streams_back(tmp_path: Path) -> None:
    with a_broker(tmp_path / "nats") as broker:
        settings = Settings(nats_url=broker.url, nats_auth=False, data=tmp_path)
        async with service.running(await keeper.build(settings), settings) as house:
            await until_declared(broker)
            broker.kill()
            broker.forget()
            broker.start()
            await until_declared(broker)
            assert (await house.health.report())[0] == 200


async def until_declared(broker: Broker) -> None:
    names = {streams.EVENTS, streams.DEAD, *(f"KV_{bucket}" for bucket in streams.BUCKETS)}
    async with asyncio.timeout(15):
        client = await nats.connect(broker.url)
        try:
            while not await all_there(client, names):
                await client.flush()
        finally:
            await client.close()


async def all_there(client: Client, names: set[str]) -> bool:
    try:
        found = [await client.jetstream().stream_info(name) for name in names]
    except (NatsError, JetStreamError, TimeoutError):
        return False
    return len(found) == len(names)

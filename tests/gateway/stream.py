"""What the broker has, read from the beginning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import orjson
from common import envelope
from common.messages import Event
from common.streams import EVENTS
from nats.js.client import JetStreamContext

from tests.support.servers import Broker


@asynccontextmanager
async def jetstream(broker: Broker) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(broker.url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def count(js: JetStreamContext) -> int:
    return int((await js.stream_info(EVENTS)).state.messages)


async def bodies(broker: Broker, expected: int, *, seconds: float = 15) -> list[dict[str, Any]]:
    """The envelopes of the stream, once it has at least `expected`."""
    async with jetstream(broker) as js:
        async with asyncio.timeout(seconds):
            while (have := await count(js)) < expected:  # noqa: ASYNC110 - another process; nothing to wait on
                await asyncio.sleep(0.02)
        subscription = await js.subscribe("comms.>", ordered_consumer=True)
        return [orjson.loads((await subscription.next_msg(timeout=5)).data) for _ in range(have)]


async def events(broker: Broker, expected: int) -> list[Event]:
    """The events of the stream, once it has at least `expected`."""
    return [envelope.decode(orjson.dumps(body)) for body in await bodies(broker, expected)]

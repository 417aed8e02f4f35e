"""A reader of events: settles each once handled, tries again, sets poison aside, and survives a broker's amnesia."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import nats
import pytest
from common.consumer import Consumer, Delivery, Handler
from common.errors import Rejected, Unavailable
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from tests.conftest import declare_streams
from tests.support.servers import Broker

SUBJECT = "comms.org_a.testing.v1.thing.happened"
PACE = 0.05


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[Client]:
    client = await nats.connect(broker.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    yield client
    await client.close()


@contextlib.asynccontextmanager
async def reading(client: Client, handler: Handler, **more: Any) -> AsyncIterator[Consumer]:
    consumer = Consumer(client, "tester-things", ["comms.*.testing.v1.thing.happened"], handler, **more)
    running = asyncio.create_task(consumer.run())
    yield consumer
    await consumer.drain()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Seen:
    """What a handler was given."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.deliveries: list[Delivery] = []
        self._outcomes = list(outcomes)
        self._more = asyncio.Condition()

    async def handle(self, delivery: Delivery) -> None:
        async with self._more:
            self.deliveries.append(delivery)
            self._more.notify_all()
        if self._outcomes and (error := self._outcomes.pop(0)):
            raise error

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20), self._more:
            await self._more.wait_for(lambda: len(self.deliveries) >= count)


async def unsettled(client: Client) -> int:
    info = await client.jetstream().consumer_info("EVENTS", "tester-things")
    return (info.num_ack_pending or 0) + (info.num_pending or 0)


async def until_settled(client: Client) -> None:
    async with asyncio.timeout(20):
        while await unsettled(client):  # noqa: ASYNC110 - another process; nothing to wait on
            await asyncio.sleep(0.02)


async def until_it_waits(client: Client) -> None:
    """Until the broker was asked for what comes next."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(NotFoundError):  # it is not declared yet
                if (await client.jetstream().consumer_info("EVENTS", "tester-things")).num_waiting:
                    return
            await asyncio.sleep(0.02)


async def publish(client: Client, *bodies: bytes) -> None:
    for body in bodies:
        await client.jetstream().publish(SUBJECT, body)


async def test_everything_is_handled_and_settled(client: Client) -> None:
    seen = Seen()
    await publish(client, *(b"%d" % n for n in range(600)))
    async with reading(client, seen.handle):
        await seen.wait_for(600)
        await until_settled(client)
    assert sorted(int(one.body) for one in seen.deliveries) == list(range(600))
    assert {one.tries for one in seen.deliveries} == {1}


async def test_with_a_pace_what_was_there_and_what_comes_is_handled_once(client: Client) -> None:
    seen = Seen()
    await publish(client, *(b"%d" % n for n in range(50)))
    async with reading(client, seen.handle, pace=PACE):
        await publish(client, *(b"%d" % n for n in range(50, 100)))
        await seen.wait_for(100)
        await until_settled(client)
    assert sorted(int(one.body) for one in seen.deliveries) == list(range(100))
    assert {one.tries for one in seen.deliveries} == {1}


async def test_with_a_pace_more_than_one_process_handles_at_a_time_is_handled_once(client: Client) -> None:
    seen = Seen()
    await publish(client, *(b"%d" % n for n in range(60)))
    async with reading(client, seen.handle, pace=PACE, in_flight=8):
        await seen.wait_for(60)
        await until_settled(client)
    assert sorted(int(one.body) for one in seen.deliveries) == list(range(60))
    assert {one.tries for one in seen.deliveries} == {1}


async def test_with_a_pace_what_comes_alone_after_a_silence_is_handled(client: Client) -> None:
    seen = Seen()
    async with reading(client, seen.handle, pace=PACE):
        for n in range(3):
            await until_it_waits(client)
            await publish(client, b"%d" % n)
            await seen.wait_for(n + 1)
            await until_settled(client)
    assert [int(one.body) for one in seen.deliveries] == [0, 1, 2]


async def test_what_gathers_during_a_pace_is_asked_for_at_once(client: Client, broker: Broker) -> None:
    """The pace is long enough that all of it is there by its end."""
    seen, asked = Seen(), 0

    async def count(_request: Msg) -> None:
        nonlocal asked
        asked += 1

    observer = await nats.connect(broker.url)
    await observer.subscribe("$JS.API.CONSUMER.MSG.NEXT.EVENTS.tester-things", cb=count)
    await observer.flush()
    async with reading(client, seen.handle, pace=1.0):
        await publish(client, b"first")
        await seen.wait_for(1)
        await publish(client, *(b"%d" % n for n in range(40)))
        await seen.wait_for(41)
        await until_settled(client)
        await observer.flush()
        assert asked < 20
    await observer.close()


@pytest.mark.parametrize("error", [Unavailable("later", retry_after=0.05), KeyError("a bug")])
async def test_what_failed_is_delivered_again_after_a_pause(client: Client, error: Exception) -> None:
    seen = Seen(error, error)
    await publish(client, b"x")
    async with reading(client, seen.handle):
        await seen.wait_for(3)
        await until_settled(client)
    assert [one.tries for one in seen.deliveries] == [1, 2, 3]


async def test_what_is_rejected_becomes_a_dead_letter_with_the_reason(client: Client) -> None:
    seen = Seen(Rejected("this\nmakes no sense"))
    await publish(client, b"poison", b"good")
    async with reading(client, seen.handle, in_flight=2):
        await seen.wait_for(2)
        await until_settled(client)
    letter = await client.jetstream().get_msg("DEAD", 1)
    assert (letter.subject, letter.data) == ("dead.tester-things", b"poison")
    assert letter.headers is not None
    told = {name: letter.headers[name] for name in ("Dead-Reason", "Dead-Handler", "Dead-Subject", "Dead-Tries")}
    assert told == {
        "Dead-Reason": "this makes no sense",
        "Dead-Handler": "tester-things",
        "Dead-Subject": SUBJECT,
        "Dead-Tries": "1",
    }


async def test_a_slow_handler_keeps_its_message(client: Client) -> None:
    """The broker waits 0.3 s for a word; the handler works for four times as long."""
    seen = Seen()

    async def slow(delivery: Delivery) -> None:
        await seen.handle(delivery)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 1.2)

    await publish(client, b"x")
    async with reading(client, slow, ack_wait=0.3):
        await seen.wait_for(1)
        await until_settled(client)
    assert len(seen.deliveries) == 1


@pytest.mark.parametrize("pace", [0.0, PACE])
async def test_the_consumer_is_declared_again_when_the_broker_lost_it(
    client: Client, broker: Broker, pace: float
) -> None:
    seen = Seen()
    await publish(client, b"before")
    async with reading(client, seen.handle, pace=pace):
        await seen.wait_for(1)
        broker.kill()
        broker.forget()
        broker.start()
        await declare_streams(broker)
        other = await nats.connect(broker.url)
        await publish(other, b"after")
        await other.close()
        await seen.wait_for(2)
    assert [one.body for one in seen.deliveries] == [b"before", b"after"]


@pytest.mark.parametrize("pace", [0.0, PACE])
async def test_a_consumer_deleted_behind_our_back_is_declared_again(client: Client, pace: float) -> None:
    seen = Seen()
    async with reading(client, seen.handle, pace=pace):
        await publish(client, b"one")
        await seen.wait_for(1)
        await until_settled(client)
        await client.jetstream().delete_consumer("EVENTS", "tester-things")
        await publish(client, b"two")
        async with asyncio.timeout(20):
            while b"two" not in {one.body for one in seen.deliveries}:  # noqa: ASYNC110 - whichever comes
                await asyncio.sleep(0.02)


async def test_draining_waits_for_what_is_in_hand(client: Client) -> None:
    seen, release, done = Seen(), asyncio.Event(), asyncio.Event()

    async def held(delivery: Delivery) -> None:
        await seen.handle(delivery)
        await release.wait()
        done.set()

    await publish(client, b"x")
    async with reading(client, held) as consumer:
        await seen.wait_for(1)
        draining = asyncio.create_task(consumer.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        release.set()
        async with asyncio.timeout(10):
            await draining
        assert done.is_set()

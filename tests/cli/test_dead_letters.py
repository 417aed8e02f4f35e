"""Dead letters are listed with their reason and replayed at a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import nats
import orjson
import pytest
from common import envelope
from common.catalogue.messages import MessageSent
from common.settings import Settings
from common.streams import EVENTS
from nats.aio.client import Client
from switchboard import dead
from switchboard.dead import Desk, NoBroker, NoLetter

from tests.support.servers import Broker, free_port


@pytest.fixture
async def client(broker: Broker) -> AsyncIterator[Client]:
    connection = await nats.connect(broker.url)
    yield connection
    await connection.close()


@pytest.fixture
async def desk(broker: Broker, tmp_path: Path) -> AsyncIterator[Desk]:
    settings = Settings(nats_url=broker.url, nats_auth=False, data=tmp_path)
    async with dead.open_desk(settings) as opened:
        yield opened


def an_event(key: str = "k") -> tuple[str, bytes]:
    event = MessageSent.first(
        "org_1",
        key=key,
        time=datetime(2026, 11, 21, tzinfo=UTC),
        traceparent="00-0-0-01",
        operation="op",
        message="m",
        attempt="a",
        agent="agt",
        channel="sms",
        provider="p",
        provider_id="SM1",
        segments=1,
    )
    return event.subject, envelope.encode(event, producer="messaging", sequence=1)


async def set_aside(client: Client, reason: str = "no such hold", key: str = "k") -> None:
    subject, body = an_event(key)
    headers = {"Dead-Reason": reason, "Dead-Handler": "billing-x", "Dead-Subject": subject, "Dead-Tries": "12"}
    await client.request("dead.billing-x", body, headers=headers, timeout=5)


async def test_a_letter_is_listed_with_its_reason_and_without_its_content(client: Client, desk: Desk) -> None:
    await set_aside(client)
    [letter] = await desk.newest(10)
    assert letter.line() == {
        "number": 1,
        "handler": "billing-x",
        "type": "messages.v1.message.sent",
        "organisation": "org_1",
        "tries": 12,
        "reason": "no such hold",
    }


async def test_a_reason_may_be_in_any_script(client: Client, desk: Desk) -> None:
    await set_aside(client, "nobody owns …99, où que ce soit")
    assert [letter.reason for letter in await desk.newest(1)] == ["nobody owns …99, où que ce soit"]


async def test_the_newest_come_first(client: Client, desk: Desk) -> None:
    for reason in ("first", "second"):
        await set_aside(client, reason)
    assert [letter.reason for letter in await desk.newest(10)] == ["second", "first"]
    assert [letter.reason for letter in await desk.newest(1)] == ["second"]


async def test_a_replayed_letter_is_in_the_stream_again_and_no_longer_a_letter(client: Client, desk: Desk) -> None:
    subject, body = an_event()
    await client.jetstream().publish(subject, body, headers=envelope.headers("its-own-id"))
    await set_aside(client)
    await desk.replay(await desk.letter(1))
    last = await client.jetstream().get_msg(EVENTS, 2)
    assert (last.subject, last.data) == (subject, body)
    assert await desk.newest(10) == []


async def test_a_message_that_kills_its_worker_is_found_by_the_brokers_own_notice(client: Client, desk: Desk) -> None:
    subject, body = an_event()
    js = client.jetstream()
    await js.publish(subject, body)
    config = {"durable_name": "dying", "ack_policy": "explicit", "ack_wait": 10_000_000, "max_deliver": 1}
    declared = orjson.dumps({"stream_name": EVENTS, "config": config})
    await client.request(f"$JS.API.CONSUMER.CREATE.{EVENTS}.dying", declared, timeout=5)
    reader = await js.pull_subscribe_bind("dying", EVENTS)
    await reader.fetch(1, timeout=5)
    letter = await the_first_letter(desk, reader)
    assert (letter.handler, letter.body, letter.tries) == ("dying", body, 1)
    assert "ran out of tries" in letter.reason


async def the_first_letter(desk: Desk, reader: object) -> dead.Letter:
    """The broker gives up on a message only when it is asked for more."""
    async with asyncio.timeout(20):
        while not (letters := await desk.newest(1)):
            try:
                await reader.fetch(1, timeout=0.2)  # type: ignore[attr-defined] # nats-py names no public type
            except TimeoutError:
                continue
    return letters[0]


async def test_a_letter_that_is_not_there_is_named_in_the_error(desk: Desk) -> None:
    with pytest.raises(NoLetter, match="no dead letter 7"):
        await desk.letter(7)


async def test_what_is_no_event_is_shown_as_text(client: Client, desk: Desk) -> None:
    await client.request("dead.audit-chain", b"not an event", headers={"Dead-Reason": "bytes"}, timeout=5)
    assert (await desk.letter(1)).event == "not an event"


async def test_a_broker_that_does_not_answer_is_named(tmp_path: Path) -> None:
    settings = Settings(nats_url=f"nats://127.0.0.1:{free_port()}", nats_auth=False, data=tmp_path)
    with pytest.raises(NoBroker, match="does not answer"):
        async with dead.open_desk(settings):
            pass

"""Another service reads our events by what the documents say, with a framework of its own and none of our code."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path

import nats
import orjson
from common import envelope
from common.catalogue.messages import MessageReceived
from common.catalogue.values import Address, Trust

from tests.support.servers import Broker

LISTENER = Path(__file__).parents[2] / "examples/listener/listener.py"


def a_message(n: int) -> MessageReceived:
    return MessageReceived.first(
        "org_a",
        key=str(n),
        message=f"msg_{n}",
        agent="agt_1",
        thread="thr_1",
        contact="con_1",
        cursor=n,
        channel="sms",
        sender=Address.phone("+14155550123"),
        to=Address.phone("+14155550100"),
        body=f"hello {n}",
        segments=1,
        trust=Trust(signature_verified=True),
        provider="carrier",
        provider_id=f"SM{n}",
    )


async def publish(broker: Broker, *events: MessageReceived) -> None:
    """Without the header by which the broker itself drops repeats."""
    client = await nats.connect(broker.url)
    for n, event in enumerate(events, 1):
        await client.jetstream().publish(event.subject, envelope.encode(event, producer="messaging", sequence=n))
    await client.close()


async def test_it_hears_each_text_once_also_when_it_was_away_and_when_events_repeat(broker: Broker) -> None:
    await publish(broker, a_message(1))
    process = await asyncio.create_subprocess_exec(
        sys.executable, LISTENER, broker.url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            heard = [orjson.loads(await process.stdout.readline())]
            await publish(broker, a_message(1), a_message(2), a_message(2), a_message(3))
            heard += [orjson.loads(await process.stdout.readline()) for _ in range(2)]
            await until_settled(broker)
    finally:
        process.terminate()
        await process.wait()
    assert [(one["organisation"], one["agent"], one["text"]) for one in heard] == [
        ("org_a", "agt_1", f"hello {n}") for n in (1, 2, 3)
    ]
    assert [one["id"] for one in heard] == [a_message(n).id for n in (1, 2, 3)]


def test_it_uses_nothing_of_ours() -> None:
    tree = ast.parse(LISTENER.read_text())
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    ours = {"common", "switchboard", "messaging", "gateway", "billing", "audit", "provisioning", "mcp_edge", "carrier"}
    assert {name.partition(".")[0] for name in named} & ours == set()


async def until_settled(broker: Broker) -> None:
    client = await nats.connect(broker.url)
    try:
        while True:
            info = await client.jetstream().consumer_info("EVENTS", "listener")
            if not info.num_pending and not info.num_ack_pending:
                return
            await asyncio.sleep(0.02)
    finally:
        await client.close()

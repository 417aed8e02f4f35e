"""What the chains cost against bare SHA-256 over the same bytes, and how fast lost events come back from an outbox."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import sqlalchemy as sa
import structlog
from audit import domain, inspection
from audit.domain import Received
from audit.intake import Intake
from audit.store.tables import heads
from common import envelope, migrate, streams
from common.catalogue.messages import MessageReceived
from common.catalogue.values import Address, Trust
from common.consumer import Delivery
from common.db import Database
from nats.js.errors import NotFoundError

from bench.results import Result, at_most, percentile
from tests.support.servers import Broker, a_broker

_REPLAY_GOAL = 5.0


async def run(quick: bool = False) -> list[Result]:
    """Chain, verify, replay."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        place = Path(folder)
        return [
            *await _chained(place, 5_000 if quick else 30_000),
            await _replayed(place, 4_000 if quick else 20_000),
        ]


async def _chained(place: Path, count: int) -> list[Result]:
    url = f"sqlite:///{place / 'chain.db'}"
    migrate.upgrade("audit", url)
    database = Database(url)
    deliveries = [_delivery(n) for n in range(1, count + 1)]
    floor = _bare_sha256([delivery.body for delivery in deliveries])
    waits, chaining = await _feed(Intake(database), deliveries)
    started = time.perf_counter()
    verdicts = await database.read(lambda tx: list(inspection.inspect(tx)))
    verifying = count / (time.perf_counter() - started)
    await database.close()
    if [(verdict.entries, verdict.finding) for verdict in verdicts] != [(count, None)]:
        raise SystemExit(f"the chain of the benchmark is not whole: {verdicts}")
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    return [
        Result("audit: events chained, durably", "events/s", chaining, p50, p99, floor, chaining / floor),
        Result("audit: entries verified", "entries/s", verifying, floor=floor, ratio=verifying / floor),
    ]


async def _feed(intake: Intake, deliveries: list[Delivery]) -> tuple[list[float], float]:
    """As the consumer does it: 256 at a time in hand."""
    waits: list[float] = []
    waiting = iter(deliveries)

    async def work() -> None:
        for delivery in waiting:
            started = time.perf_counter()
            await intake.handle(delivery)
            waits.append((time.perf_counter() - started) * 1e3)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(256)))
    return waits, len(deliveries) / (time.perf_counter() - started)


def _bare_sha256(bodies: list[bytes]) -> float:
    started = time.perf_counter()
    for body in bodies:
        hashlib.sha256(body).digest()
    return len(bodies) / (time.perf_counter() - started)


async def _replayed(place: Path, count: int) -> Result:
    """Publish from an outbox, let audit read a part, take the broker and its data away, and time the rest."""
    url = f"sqlite:///{place / 'audit.db'}"
    with a_broker(place / "nats") as broker, contextlib.ExitStack() as processes:
        await _declare(broker)
        processes.enter_context(_process(place, broker, "bench.producer", str(count)))
        await _until(lambda: _stored(broker, count))
        migrate.upgrade("audit", url)
        processes.enter_context(_process(place, broker, "audit"))
        database = Database(url)
        await _until(lambda: _chained_at_least(database, count // 3))
        broker.kill()
        broker.forget()
        before = await _count(database)
        broker.start()
        started = time.perf_counter()
        await _declare(broker)
        await _until(lambda: _all_again(broker, count))
        took, total = time.perf_counter() - started, await _count(database)
        await database.close()
    if total != count or not count // 3 <= before:
        raise SystemExit(f"{total} of {count} events chained after the loss: lost or doubled")
    goal, passed = at_most(took, _REPLAY_GOAL, " s")
    name = f"{count} events again after the broker lost them"
    return Result(name, "events/s", count / took, took * 1e3, took * 1e3, goal=goal, passed=passed)


@contextlib.contextmanager
def _process(place: Path, broker: Broker, module: str, *arguments: str) -> Iterator[None]:
    """A process of its own, as in the product, with its files in `place`."""
    key = place / "audit-checkpoint.key"
    key.write_text("5e" * 32)
    environment = os.environ | {
        "SWITCHBOARD_NATS_URL": broker.url,
        "SWITCHBOARD_NATS_AUTH": "false",
        "SWITCHBOARD_DATA": str(place),
        "SWITCHBOARD_SECRETS": str(place),
    }
    with (place / f"{module}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


async def _count(database: Database) -> int:
    length = sa.select(sa.func.coalesce(sa.func.sum(heads.c.n), 0))
    return int(await database.read(lambda tx: tx.execute(length).scalar_one()))


async def _chained_at_least(database: Database, count: int) -> bool:
    return await _count(database) >= count


async def _stored(broker: Broker, count: int) -> bool:
    return (await _state(broker))[0] == count


async def _all_again(broker: Broker, count: int) -> bool:
    """The new stream holds every event, and audit has settled each."""
    return await _state(broker) == (count, 0)


async def _state(broker: Broker) -> tuple[int, int | None]:
    """How many events the stream holds, and how many of them audit has not settled; None without a consumer."""
    client = await nats.connect(broker.url)
    try:
        stream = await client.jetstream().stream_info(streams.EVENTS)
        audit = await client.jetstream().consumer_info(streams.EVENTS, "audit-chain")
    except NotFoundError:
        return stream.state.messages, None
    finally:
        await client.close()
    return stream.state.messages, (audit.num_pending or 0) + (audit.num_ack_pending or 0)


async def _until(true: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - another process; nothing to wait on
            await asyncio.sleep(0.1)


async def _declare(broker: Broker) -> None:
    client = await nats.connect(broker.url)
    await streams.declare(client.jetstream())
    await client.close()


def a_message(n: int) -> MessageReceived:
    """The n-th event of the benchmark."""
    ours, theirs = Address.phone("+14155550100"), Address.phone(f"+1415{n:07d}")
    return MessageReceived.first(
        "org_bench",
        key=str(n),
        message=f"msg_{n}",
        agent="agt_bench",
        thread=f"thr_{n % 50}",
        contact=f"con_{n % 50}",
        cursor=n,
        channel="sms",
        sender=theirs,
        to=ours,
        body=f"Hello number {n}, is the table by the window still free tonight?",
        segments=1,
        trust=Trust(signature_verified=True),
        provider="carrier",
        provider_id=f"SM{n:032x}",
    )


def _delivery(n: int) -> Delivery:
    event = a_message(n)
    body = envelope.encode(event, producer="bench", sequence=n)
    received: Received = domain.received(event.subject, body)
    return Delivery(event.subject, received.body, n, 1)

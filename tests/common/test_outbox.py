"""Events leave with their transaction, reach the broker, and come back when it lost them."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

import nats
import orjson
import pytest
import sqlalchemy as sa
from common import outbox, relay
from common.bus import Bus
from common.catalogue.audit import AlertRaised
from common.db import Database, Tx
from common.outbox import Outbox
from nats.js.errors import NotFoundError

from tests.conftest import declare_streams
from tests.support.databases import Postgres
from tests.support.servers import Broker

metadata = sa.MetaData()
rows, producer = outbox.tables(metadata)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    metadata.create_all(database.engine)
    yield database
    await database.close()


def an_alert(n: int) -> AlertRaised:
    return AlertRaised.first("org_a", key=str(n), severity="low", code="test", summary=f"number {n}")


def staging(*numbers: int) -> Callable[[Tx], None]:
    return lambda tx: tx.stage(*(an_alert(n) for n in numbers))


async def published(broker: Broker) -> list[tuple[str, int]]:
    """Summary and sequence of each event in the stream."""
    client = await nats.connect(broker.url)
    js = client.jetstream()
    try:
        state = (await js.stream_info("EVENTS")).state
        wires = [orjson.loads((await js.get_msg("EVENTS", n + 1)).data or b"{}") for n in range(state.messages)]
    except NotFoundError:
        return []
    finally:
        await client.close()
    return [(wire["data"]["summary"], int(wire["sequence"])) for wire in wires]


async def until_published(broker: Broker, count: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(20):
        while len(found := await published(broker)) < count:  # noqa: ASYNC110 - another process; nothing to wait on
            await asyncio.sleep(0.02)
    return found


def all_rows(tx: Tx) -> list[int]:
    return list(tx.execute(sa.select(rows.c.seq).order_by(rows.c.seq)).scalars())


def open_rows(tx: Tx) -> list[int]:
    return list(tx.execute(sa.select(rows.c.seq).where(rows.c.stream_seq.is_(None))).scalars())


def forget_everything(tx: Tx) -> None:
    tx.execute(sa.delete(rows))
    tx.execute(sa.delete(producer))


async def test_what_is_staged_is_published_in_order(database: Database, broker: Broker) -> None:
    bus = Bus("tester", broker.url)
    bus.outbox(database)
    await bus.start()
    for n in range(1, 6):
        await database.write(staging(n))
    assert await until_published(broker, 5) == [(f"number {n}", n) for n in range(1, 6)]
    await bus.stop()


async def test_a_transaction_that_fails_publishes_nothing(database: Database) -> None:
    Outbox(database, "tester")

    def work(tx: Tx) -> None:
        staging(1)(tx)
        raise KeyError("no")

    with pytest.raises(KeyError):
        await database.write(work)
    assert await database.read(all_rows) == []


async def test_an_event_staged_again_keeps_its_first_place(database: Database) -> None:
    Outbox(database, "tester")
    await database.write(staging(1, 2, 1))
    await database.write(staging(2, 3))
    assert await database.read(all_rows) == [1, 2, 3]


async def test_two_replicas_number_densely(database: Database, database_url: str) -> None:
    other = Database(database_url)
    Outbox(database, "tester")
    Outbox(other, "tester")
    await database.write(staging(0))
    await asyncio.gather(*((database, other)[n % 2].write(staging(n)) for n in range(1, 60)))
    await other.close()
    assert await database.read(all_rows) == list(range(1, 61))


async def test_two_replicas_that_begin_at_once_number_densely_and_neither_begins_again(postgres: Postgres) -> None:
    url = postgres.database(f"t{secrets.token_hex(6)}")
    replicas = Database(url), Database(url)
    metadata.create_all(replicas[0].engine)
    for replica in replicas:
        Outbox(replica, "tester")
    for n in range(10):
        both, runs = threading.Barrier(2, timeout=10), list[int]()

        def work(tx: Tx, n: int, both: threading.Barrier = both, runs: list[int] = runs) -> None:
            staging(n)(tx)
            runs.append(n)
            both.wait()

        await asyncio.gather(replicas[0].write(partial(work, n=2 * n)), replicas[1].write(partial(work, n=2 * n + 1)))
        assert (sorted(runs), await replicas[0].read(all_rows)) == ([2 * n, 2 * n + 1], [1, 2])
        await replicas[0].write(forget_everything)
    for replica in replicas:
        await replica.close()


async def test_rows_of_a_process_that_died_are_published_by_the_next(database: Database, broker: Broker) -> None:
    Outbox(database, "tester")
    await database.write(staging(*range(1, 401)))
    bus = Bus("tester", broker.url)
    bus.outbox(database)
    await bus.start()
    assert len(await until_published(broker, 400)) == 400
    await bus.stop()


async def test_a_row_found_in_the_table_does_not_leave_from_memory_too(database: Database) -> None:
    box = Outbox(database, "tester")
    await database.write(staging(*range(1, 501)))
    taken = [row.seq for _ in range(4) for row in await box.take(200, 0.01)]
    assert taken == list(range(1, 501))


async def test_a_broker_that_lost_its_data_is_given_everything_again(database: Database, broker: Broker) -> None:
    bus = Bus("tester", broker.url)
    bus.outbox(database)
    await bus.start()
    await database.write(staging(*range(1, 301)))
    await until_published(broker, 300)
    broker.kill()
    broker.forget()
    await database.write(staging(301))
    broker.start()
    await declare_streams(broker)
    found = await until_published(broker, 301)
    assert sorted(sequence for _, sequence in found) == list(range(1, 302))
    await bus.stop()


async def test_what_a_broker_acknowledged_before_it_lost_everything_is_given_out_again(database: Database) -> None:
    box = Outbox(database, "tester")
    await database.write(staging(1, 2))
    await box.acknowledged(await box.take(10, 1), "first", 2)
    await box.forget_beyond("second", 0)
    assert [row.seq for row in await box.take(10, 1)] == [1, 2]


async def test_what_the_broker_has_is_known_to_the_next_process(database: Database) -> None:
    box = Outbox(database, "tester")
    await database.write(staging(1, 2, 3))
    await box.acknowledged(await box.take(2, 1), "first", 2)
    await box.close()
    assert await database.read(open_rows) == [3]


async def test_more_acknowledgements_than_a_statement_has_parameters_are_noted(database: Database) -> None:
    own = Outbox(database, "tester")
    await database.write(staging(1))
    many = [relay.Row(seq, str(seq), "comms.x", b"{}") for seq in range(40_000, 0, -1)]
    await own.acknowledged(many, "inc", 40_000)
    await own.close()
    assert await database.read(open_rows) == []


async def test_rows_not_published_are_never_pruned(database: Database) -> None:
    box = Outbox(database, "tester")
    await database.write(staging(1, 2))

    def age(tx: Tx) -> None:
        tx.execute(sa.update(rows).values(created_at=tx.now - relay.RETENTION - timedelta(days=1)))
        tx.execute(sa.update(rows).where(rows.c.seq == 1).values(incarnation="x", stream_seq=1))

    await database.write(age)
    assert await box.prune() == 1
    assert await database.read(all_rows) == [2]

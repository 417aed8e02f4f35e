"""Chains under several writers, and gaps beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from audit.inspection import inspect
from audit.store import chains, producers
from audit.store.tables import entries, gaps
from common.db import Database, Tx

from tests.audit.building import an_event, events


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


def indexes(tx: Tx) -> list[int]:
    return list(tx.execute(sa.select(entries.c.n).order_by(entries.c.n)).scalars())


async def test_a_replay_adds_nothing(database: Database) -> None:
    batch = events(range(1, 11))
    assert await database.write(lambda tx: chains.append(tx, batch)) == 10
    assert await database.write(lambda tx: chains.append(tx, batch[3:] + events([11]))) == 1
    assert await database.read(indexes) == list(range(1, 12))


async def test_an_event_twice_in_one_batch_is_chained_once(database: Database) -> None:
    assert await database.write(lambda tx: chains.append(tx, events([1, 1, 2]))) == 2


async def test_each_organisation_has_a_chain_of_its_own(database: Database) -> None:
    both = events([1, 2], "org_a") + events([1, 2, 3], "org_b")
    await database.write(lambda tx: chains.append(tx, both))
    lengths = await database.read(lambda tx: {line.organisation: line.length for line in chains.lines(tx, "platform")})
    assert lengths == {"org_a": 2, "org_b": 3}


async def test_two_replicas_with_32_writers_never_fork_a_chain(database: Database, database_url: str) -> None:
    other = Database(database_url)

    def appending(writer: int) -> object:
        mine = [an_event(writer * 100 + n + 10, f"org_{n % 3}") for n in range(20)] + events(range(1, 6), "org_shared")
        return lambda tx: chains.append(tx, mine)

    added: list[int] = await asyncio.gather(
        *((database, other)[writer % 2].write(appending(writer)) for writer in range(32))  # type: ignore[arg-type]
    )
    await other.close()
    verdicts = await database.read(lambda tx: list(inspect(tx)))
    assert [verdict.finding for verdict in verdicts] == [None] * 4
    assert sum(verdict.entries for verdict in verdicts) == sum(added) == 32 * 20 + 5


async def test_two_replicas_agree_on_gaps(database: Database, database_url: str) -> None:
    other = Database(database_url)
    numbers = [n for n in range(1, 201) if n not in (50, 51, 120)]

    def seeing(part: list[int]) -> object:
        return lambda tx: producers.seen(tx, events(part))

    parts = [numbers[n::8] for n in range(8)]
    await asyncio.gather(*((database, other)[n % 2].write(seeing(part)) for n, part in enumerate(parts)))  # type: ignore[arg-type]
    await other.close()
    found = await database.read(lambda tx: [(gap.first, gap.last) for gap in producers.lines(tx)])
    assert found == [(50, 51), (120, 120)]
    await database.write(lambda tx: producers.seen(tx, events([50, 120, 51])))
    assert await database.read(lambda tx: tx.execute(sa.select(gaps)).first()) is None

"""The database behind two verbs, on both databases."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from common.db import Database, Tx, Utc, from_micros, insert_or_ignore, to_micros
from hypothesis import given
from hypothesis import strategies as st

from tests.support.databases import Postgres

metadata = sa.MetaData()
things = sa.Table("things", metadata, sa.Column("n", sa.Integer, primary_key=True), sa.Column("at", Utc))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    metadata.create_all(database.engine)
    yield database
    await database.close()


def adding(n: int) -> object:
    return lambda tx: tx.execute(sa.insert(things), {"n": n, "at": tx.now}).rowcount


def all_things(tx: Tx) -> list[int]:
    return list(tx.execute(sa.select(things.c.n).order_by(things.c.n)).scalars())


async def test_writes_asked_for_at_once_are_all_committed(database: Database) -> None:
    await asyncio.gather(*(database.write(adding(n)) for n in range(300)))  # type: ignore[arg-type]
    assert await database.read(all_things) == list(range(300))


async def test_one_that_fails_in_a_group_leaves_the_others_committed(database: Database) -> None:
    await database.write(adding(7))  # type: ignore[arg-type]
    results = await asyncio.gather(*(database.write(adding(n)) for n in range(20)), return_exceptions=True)  # type: ignore[arg-type]
    assert [n for n, result in enumerate(results) if isinstance(result, Exception)] == [7]
    assert await database.read(all_things) == list(range(20))


async def test_of_two_that_would_add_the_same_row_the_slower_looks_again(postgres: Postgres) -> None:
    url = postgres.database(f"t{secrets.token_hex(6)}")
    both = threading.Barrier(2)
    one, other = Database(url), Database(url)
    metadata.create_all(one.engine)

    def add_once(tx: Tx) -> bool:
        if all_things(tx):
            return False
        both.wait(timeout=10)
        tx.execute(sa.insert(things), {"n": 1, "at": tx.now})
        return True

    assert sorted(await asyncio.gather(one.write(add_once), other.write(add_once))) == [False, True]
    await one.close()
    await other.close()


async def test_a_function_that_raises_leaves_nothing(database: Database) -> None:
    def half(tx: Tx) -> None:
        tx.execute(sa.insert(things), {"n": 1, "at": tx.now})
        raise KeyError("half way")

    with pytest.raises(KeyError):
        await database.write(half)
    assert await database.read(all_things) == []


async def test_times_come_back_as_they_went_in(database: Database) -> None:
    def keep(tx: Tx) -> object:
        tx.execute(sa.insert(things), {"n": 1, "at": tx.now})
        return tx.now

    now = await database.write(keep)
    assert await database.read(lambda tx: tx.execute(sa.select(things.c.at)).scalar()) == now


async def test_concurrent_increments_are_never_lost(database: Database) -> None:
    await database.write(adding(0))  # type: ignore[arg-type]
    other = Database(str(database.url.render_as_string(hide_password=False)))

    def move(tx: Tx) -> int:
        return tx.execute(sa.update(things).values(n=things.c.n + 1)).rowcount

    await asyncio.gather(*(one.write(move) for one in (database, other) for _ in range(100)))
    await other.close()
    assert await database.read(all_things) == [200]


async def test_an_insert_that_is_ignored_says_so(database: Database) -> None:
    def put(tx: Tx) -> int:
        return tx.execute(insert_or_ignore(tx, things), {"n": 1, "at": tx.now}).rowcount

    assert [await database.write(put), await database.write(put)] == [1, 0]


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_micros_and_times_are_the_same_thing(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros

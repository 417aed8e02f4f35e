"""Statements compiled once, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from common.db import Database, Tx, Utc, insert_or_ignore
from common.statements import Prepared
from sqlalchemy.exc import IntegrityError, NoResultFound

metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("at", Utc),
    sa.Column("good", sa.Boolean),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("count", sa.Integer),
)
WHEN = datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC)

ADD = Prepared(sa.insert(things))
ALL = Prepared(sa.select(things).order_by(things.c.n))
NUMBERS = Prepared(sa.select(things.c.n).order_by(things.c.n))
AMONG = Prepared(sa.select(things.c.n).where(things.c.n.in_(sa.bindparam("wanted", expanding=True))))
RAISE = Prepared(
    sa.update(things)
    .where(things.c.n == sa.bindparam("which"), things.c.good.is_(True))
    .values(count=things.c.count + 1)
    .returning(things.c.count)
)
CHANGE = Prepared(sa.update(things).where(things.c.n == sa.bindparam("which")))
BESIDE = Prepared(
    sa.delete(things).where(things.c.n != sa.bindparam("kept"), things.c.n > sa.bindparam("kept"), things.c.n < 100)
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    metadata.create_all(database.engine)
    await database.write(lambda tx: tx.execute(ADD, [thing(n) for n in range(1, 6)]))
    yield database
    await database.close()


def thing(n: int) -> dict[str, object]:
    return {"n": n, "at": WHEN, "good": True, "raw": b"\x00%s", "count": n * 10}


async def test_values_of_every_type_come_back_as_they_went_in(database: Database) -> None:
    row = (await database.read(lambda tx: tx.execute(ALL))).first()
    assert (row.n, row.at, row.good, bytes(row.raw), row.count) == (1, WHEN, True, b"\x00%s", 10)


async def test_a_list_of_any_length_finds_its_members(database: Database) -> None:
    async def among(*wanted: int) -> set[int]:
        return set((await database.read(lambda tx: tx.execute(AMONG, {"wanted": list(wanted)}))).scalars())

    assert [await among(*range(1, n + 1)) for n in range(7)] == [set(range(1, min(n, 5) + 1)) for n in range(7)]


async def test_a_parameter_may_stand_twice_beside_a_constant(database: Database) -> None:
    assert (await database.write(lambda tx: tx.execute(BESIDE, {"kept": 3}))).rowcount == 2
    assert (await database.read(lambda tx: tx.execute(NUMBERS))).scalars() == [1, 2, 3]


async def test_an_update_gives_back_what_it_made(database: Database) -> None:
    assert (await database.write(lambda tx: tx.execute(RAISE, {"which": 2}))).scalar_one() == 21
    assert (await database.write(lambda tx: tx.execute(RAISE, {"which": 9}))).scalar() is None


async def test_an_update_sets_the_columns_it_is_given(database: Database) -> None:
    def change(tx: Tx) -> None:
        tx.execute(CHANGE, {"which": 1, "good": False})
        tx.execute(CHANGE, {"which": 1, "count": 7})

    await database.write(change)
    row = (await database.read(lambda tx: tx.execute(ALL))).first()
    assert (row.good, row.count, row.at) == (False, 7, WHEN)


async def test_a_broken_constraint_is_sqlalchemys_error(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(lambda tx: tx.execute(ADD, thing(1)))
    assert (await database.read(lambda tx: tx.execute(NUMBERS))).scalars() == [1, 2, 3, 4, 5]


async def test_what_is_ignored_counts_as_nothing(database: Database) -> None:
    def put(tx: Tx) -> list[int]:
        return [tx.execute(insert_or_ignore(tx, things), thing(n)).rowcount for n in (5, 6, 6)]

    assert await database.write(put) == [0, 1, 0]


async def test_one_row_is_neither_none_nor_several(database: Database) -> None:
    with pytest.raises(NoResultFound):
        await database.read(lambda tx: tx.execute(AMONG, {"wanted": [77]}).one())

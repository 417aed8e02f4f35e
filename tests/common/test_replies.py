"""Orders answered before, on both databases."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from common import replies
from common.catalogue.values import Done
from common.db import Database, Tx
from common.errors import Conflict
from common.messages import Order, Value

from tests.support.databases import Postgres

metadata = sa.MetaData()
stored = replies.table(metadata)


class Paint(Order[Done], subject="testing.v1.wall.paint"):
    """Paint a wall."""

    colour: str


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    metadata.create_all(database.engine)
    yield database
    await database.close()


def painting(order: Paint, *scope: str) -> Any:
    def work(tx: Tx) -> tuple[Done, bool]:
        known = replies.recall(tx, order, *scope)
        return known or (replies.store(tx, order, Done(changed=True), *scope), False)

    return work


def red(key: str = "k", **more: Any) -> Paint:
    return Paint(organisation="org_a", colour="red", key=key, **more)


async def test_the_same_key_gives_the_same_reply(database: Database) -> None:
    assert await database.write(painting(red())) == (Done(changed=True), False)
    assert await database.write(painting(red())) == (Done(changed=True), True)


async def test_the_same_key_on_two_replicas_at_once_is_one_intent(postgres: Postgres) -> None:
    url = postgres.database(f"t{secrets.token_hex(6)}")
    both = threading.Barrier(2)
    replicas = Database(url), Database(url)
    metadata.create_all(replicas[0].engine)

    def work(tx: Tx, order: Paint) -> tuple[Done, bool]:
        if known := replies.recall(tx, order):
            return known
        both.wait(timeout=10)
        return replies.store(tx, order, Done(changed=True)), False

    told = await asyncio.gather(*(replica.write(partial(work, order=red())) for replica in replicas))
    for replica in replicas:
        await replica.close()
    assert sorted(told, key=lambda reply: reply[1]) == [(Done(changed=True), False), (Done(changed=True), True)]


async def test_the_edge_asking_again_is_not_a_duplicate(database: Database) -> None:
    order = red()
    await database.write(painting(order))
    assert await database.write(painting(order)) == (Done(changed=True), False)


async def test_the_same_key_with_other_arguments_is_a_conflict(database: Database) -> None:
    await database.write(painting(red()))
    with pytest.raises(Conflict):
        await database.write(painting(Paint(organisation="org_a", colour="blue", key="k")))


async def test_keys_of_other_organisations_and_scopes_are_other_keys(database: Database) -> None:
    await database.write(painting(red()))
    other = Paint(organisation="org_b", colour="blue", key="k")
    assert await database.write(painting(other)) == (Done(changed=True), False)
    assert await database.write(painting(red(), "agt_1")) == (Done(changed=True), False)


async def test_without_a_key_each_order_is_its_own_intent(database: Database) -> None:
    assert [(await database.write(painting(red(key=""))))[1] for _ in range(2)] == [False, False]


async def test_a_derived_key_counts_for_ten_minutes_only(database: Database) -> None:
    await database.write(painting(red(key_derived=True)))
    assert (await database.write(painting(red(key_derived=True))))[1] is True

    def age(tx: Tx) -> Any:
        earlier = tx.now - replies.DERIVED_KEYS_COUNT_FOR - timedelta(seconds=1)
        return tx.execute(sa.update(stored).values(at=earlier)).rowcount

    await database.write(age)
    assert (await database.write(painting(red(key_derived=True))))[1] is False
    await database.write(age)
    assert (await database.write(painting(red())))[1] is True, "a key the caller chose counts for ever"


class Key(Value):
    """A reply with a secret in it."""

    token_id: str
    token: str


class CutKey(Order[Key], subject="testing.v1.key.cut"):
    """Make a key."""


async def test_a_secret_is_answered_once_and_never_stored(database: Database) -> None:
    order = CutKey(organisation="org_a", key="k")
    made = Key(token_id="tok_1", token="sbd_agt_secret")
    assert await database.write(lambda tx: replies.store(tx, order, made, secrets={"token"})) == made
    assert await database.read(lambda tx: replies.recall(tx, order)) == (Key(token_id="tok_1", token=""), False)

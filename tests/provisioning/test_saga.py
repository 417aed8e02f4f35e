"""Sagas end completed or undone, on both databases, whoever fails or dies."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from common import ids
from common.db import Database
from common.outbox import Outbox
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from provisioning.providers.port import OwnedNumber
from provisioning.store import metadata, sagas
from provisioning.store.sagas import LeaseLost

from tests.provisioning.fakes import OUTCOMES, FakeProvider
from tests.provisioning.worlds import IMPATIENT, World

STEPS = ["hold-quota", "choose-number", "buy-number", "publish-route", "set-webhooks"]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    database = Database(database_url)
    Outbox(database, "provisioning")
    yield World(database)
    await database.close()


async def told(world: World, event: str) -> int:
    """How many events of this kind are in the outbox."""
    pattern = sa.text("SELECT count(*) FROM outbox WHERE subject LIKE :subject")
    return int(await world.database.read(lambda tx: tx.execute(pattern, {"subject": f"%{event}"}).scalar() or 0))


async def test_each_step_is_marked_before_and_after(world: World) -> None:
    order = await world.begin()
    row = await world.until_ended(order.saga)
    assert row["state"] == "completed"
    marks = [f"{step} {mark}" for step in STEPS for mark in ("begun", "done")]
    assert await world.journal(order.saga) == [*marks, "saga completed"]
    assert await world.left(order) == (True, True)
    assert (await world.agent(order))["state"] == "active"
    assert await told(world, "number.bought") == await told(world, "agent.provisioned") == 1


async def test_the_agent_is_in_the_directory_before_its_webhooks_are_set(world: World) -> None:
    order = await world.begin()
    world.meet(["ok", "ok", "ok", "ok", "ok", "crash-before"])
    with pytest.raises(BaseException):  # noqa: B017 - the crash of the fake
        await world.engine().advance(order.saga)
    assert world.announced == 1
    assert world.provider.urls == {}
    await world.until_ended(order.saga)
    assert [url for url, _ in world.provider.urls.values()] == [f"https://hooks.test/webhooks/{order.route}/sms"]


async def test_a_refusal_by_billing_is_told_and_leaves_nothing(world: World) -> None:
    world.quota.refuses = "the cap of 5 USD a month is reached"
    order = await world.begin()
    row = await world.until_ended(order.saga)
    assert (row["state"], row["code"], row["reason"]) == ("undone", "cap_reached", world.quota.refuses)
    assert world.provider.bought == []
    assert await told(world, "agent.failed") == 1


async def test_a_country_without_numbers_is_refused_and_its_money_let_go(world: World) -> None:
    order = await world.begin(country="DE")
    row = await world.until_ended(order.saga)
    assert row["code"] == "no_inventory"
    assert "DE" in row["reason"]
    assert world.quota.held == set()


async def test_a_purchase_whose_answer_was_lost_is_not_made_twice(world: World) -> None:
    order = await world.begin()
    world.meet(["ok", "ok", "ok", "unknown-after"])
    row = await world.until_ended(order.saga)
    assert row["state"] == "completed"
    assert len(world.provider.bought) == 1


async def test_a_number_taken_by_another_is_replaced_by_the_next(world: World) -> None:
    world.provider.taken = set(world.provider.stock[:2])
    order = await world.begin()
    row = await world.until_ended(order.saga)
    assert row["state"] == "completed"
    assert world.provider.bought == [world.provider.stock[2]]


async def test_a_number_the_owner_had_before_is_neither_relabelled_nor_released(world: World) -> None:
    number = world.provider.stock[0]

    class Lagging(FakeProvider):
        """Offers what the account has just got."""

        def _for_sale(self, country: str, area_code: str) -> list[str]:
            return [number]

    world.provider = Lagging(owned={"PN1": OwnedNumber("PN1", number, "my own line")})
    order = await world.begin()
    row = await world.until_ended(order.saga)
    assert row["state"] == "undone"
    assert world.provider.owned == {"PN1": OwnedNumber("PN1", number, "my own line")}


async def test_two_sagas_never_buy_one_number(world: World) -> None:
    orders = [await world.begin() for _ in range(5)]
    await asyncio.gather(*(world.until_ended(order.saga) for order in orders))
    assert sorted(world.provider.bought) == sorted(world.provider.stock)
    assert len({one.name for one in world.provider.owned.values()}) == 5


async def test_an_undo_that_fails_raises_an_alert_and_is_tried_until_it_works(world: World) -> None:
    order = await world.begin()
    undo_fails = ["unknown-before"] * 7
    world.meet(["ok", "ok", "ok", "ok", "rejected", *undo_fails])
    for _ in range(4):
        await world.engine().advance(order.saga)
    row = await world.row(order.saga)
    assert (row["state"], row["stuck"]) == ("undoing", True)
    assert await told(world, "alert.raised") == 1
    row = await world.until_ended(order.saga)
    assert (row["state"], row["stuck"]) == ("undone", False)
    assert world.provider.owned == {}


async def test_a_worker_that_lost_its_lease_changes_nothing_more(world: World) -> None:
    order = await world.begin()
    lease = timedelta(0)
    first = await world.database.write(lambda tx: sagas.take(tx, order.saga, "first", lease))
    second = await world.database.write(lambda tx: sagas.take(tx, order.saga, "second", lease))
    assert first
    assert second
    with pytest.raises(LeaseLost):
        await world.database.write(lambda tx: sagas.change(tx, order.saga, first.fence, lease, state="completed"))
    assert (await world.row(order.saga))["state"] == "running"


async def test_a_leased_saga_is_left_alone(world: World) -> None:
    order = await world.begin()
    held = await world.database.write(lambda tx: sagas.take(tx, order.saga, "first", timedelta(minutes=1)))
    assert held
    await world.engine().advance(order.saga)
    assert await world.journal(order.saga) == []


async def test_many_workers_at_one_saga_buy_once(world: World) -> None:
    world.policy = replace(IMPATIENT, lease=timedelta(seconds=30))
    order = await world.begin()
    await asyncio.gather(*(world.engine().advance(order.saga) for _ in range(8)))
    assert (await world.row(order.saga))["state"] == "completed"
    assert len(world.provider.bought) == 1


async def test_a_release_is_tried_until_the_number_is_gone(world: World) -> None:
    order = await world.begin()
    await world.until_ended(order.saga)
    release = await world.begin_release(order)
    world.meet(["unavailable", "bug-after", "ok", "unknown-after", "rejected", "crash-before", "ok", "unknown-before"])
    row = await world.until_ended(release)
    assert row["state"] == "completed"
    assert world.provider.owned == {}
    assert await world.left(order) == (False, False)
    assert (await world.agent(order))["state"] == "released"
    assert await told(world, "number.released") == await told(world, "agent.deprovisioned") == 1


def schedule(faults: dict[int, str]) -> list[str]:
    return [faults.get(call, "ok") for call in range(max(faults, default=-1) + 1)]


@pytest.fixture(scope="module")
def one_database() -> Iterator[str]:
    """Tables made once for all the schedules, in memory where there is such a place; each has its own account."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        url = f"sqlite:///{folder}/saga.db"
        engine = sa.create_engine(url)
        metadata.create_all(engine)
        engine.dispose()
        yield url


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.dictionaries(st.integers(0, 16), st.sampled_from(OUTCOMES[1:]), max_size=6))
@example(faults={3: "unknown-after", 4: "rejected"})
@example(faults={3: "crash-after", 4: "rejected"})
@example(faults={5: "rejected", 6: "unknown-before", 8: "crash-after", 10: "unknown-after"})
def test_any_schedule_of_failures_leaves_a_saga_completed_or_undone(one_database: str, faults: dict[int, str]) -> None:
    asyncio.run(_live_through(one_database, schedule(faults)))


async def _live_through(url: str, outcomes: list[str]) -> None:
    database = Database(url)
    world = World(database, account=ids.random("AC"))
    order = await world.begin()
    world.meet(outcomes)
    row = await world.until_ended(order.saga)
    completed = row["state"] == "completed"
    assert len(world.provider.owned) == len(world.quota.held) == int(completed)
    assert await world.left(order) == (completed, completed)
    assert (await world.agent(order))["state"] == ("active" if completed else "failed")
    await database.close()

"""Old holds are let go when their owner has nothing to do with them any more, never by time alone."""

from __future__ import annotations

from datetime import timedelta

from billing import resolver
from billing.charges import Charge
from billing.handlers import events
from billing.resolver import HoldResolver
from common.catalogue.messages import OperationState
from common.catalogue.provisioning import HoldState
from common.db import Database
from common.errors import Unavailable

from tests.billing import building
from tests.billing.building import an_order, ask


class Owner:
    """Answers as told; silent about what it was told nothing of."""

    def __init__(self, **answers: OperationState | HoldState) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, charge: Charge) -> OperationState | HoldState:
        self.asked.append(charge.hold)
        if charge.hold not in self.answers:
            raise Unavailable("not now")
        return self.answers[charge.hold]


def resolving(database: Database, owner: Owner, age: float = 0) -> HoldResolver:
    return HoldResolver(database, owner, age=timedelta(seconds=age), every=60)


async def open_holds(database: Database) -> list[str]:
    rows = await database.read(lambda tx: building.rows(tx, "charges"))
    return sorted(row["hold"] for row in rows if row["state"] == "open")


async def test_a_hold_its_owner_does_not_know_is_let_go_at_the_second_look(database: Database) -> None:
    await ask(database, an_order("op_1"))
    resolver = resolving(database, Owner(op_1=OperationState(known=False)))
    assert [await resolver.look(), await open_holds(database)] == [0, ["op_1"]]
    assert [await resolver.look(), await open_holds(database)] == [1, []]
    assert await building.books_balance(database)


async def test_a_hold_of_an_act_that_ended_without_news_is_let_go(database: Database) -> None:
    await ask(database, an_order("saga_1", charge="number_rent", country="US", to=""))
    resolver = resolving(database, Owner(saga_1=HoldState(known=True, ended=True)))
    await resolver.look()
    await resolver.look()
    assert await open_holds(database) == []


async def test_a_hold_whose_act_is_still_open_or_whose_owner_is_silent_stays(database: Database) -> None:
    for name in ("op_1", "op_2"):
        await ask(database, an_order(name))
    resolver = resolving(database, Owner(op_1=OperationState(known=True)))
    for _ in range(4):
        assert await resolver.look() == 0
    assert await open_holds(database) == ["op_1", "op_2"]


async def test_a_doubt_that_was_answered_counts_no_longer(database: Database) -> None:
    await ask(database, an_order("op_1"))
    owner = Owner(op_1=OperationState(known=False))
    resolver = resolving(database, owner)
    await resolver.look()
    owner.answers["op_1"] = OperationState(known=True)
    await resolver.look()
    owner.answers["op_1"] = OperationState(known=False)
    assert await resolver.look() == 0
    assert await open_holds(database) == ["op_1"]


async def test_a_young_hold_is_left_alone(database: Database) -> None:
    await ask(database, an_order("op_1"))
    owner = Owner(op_1=OperationState(known=False))
    await resolving(database, owner, age=3600).look()
    assert owner.asked == []


async def test_every_old_hold_is_looked_at_however_many_there_are(database: Database) -> None:
    names = [f"op_{n:04}" for n in range(2 * resolver.PAGE + 5)]
    for name in names:
        await ask(database, an_order(name))
    owner = Owner(**{name: OperationState(known=True) for name in names})
    await resolving(database, owner).look()
    assert sorted(owner.asked) == names


async def test_news_after_all_is_posted(database: Database) -> None:
    await ask(database, an_order("op_1"))
    resolver = resolving(database, Owner(op_1=OperationState(known=False)))
    await resolver.look()
    await resolver.look()
    await database.write(lambda tx: events.message_sent(tx, building.sent("op_1")))
    rows = await database.read(lambda tx: building.rows(tx, "postings"))
    assert [row["cost"] for row in rows] == [building.COST]

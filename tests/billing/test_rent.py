"""Number rent is posted when a month begins: once, and not after the number was given back."""

from __future__ import annotations

import asyncio

from billing.collector import RentCollector
from billing.handlers import events
from common.catalogue.values import Money
from common.db import Database, Tx

from tests.billing import building
from tests.billing.building import an_order, ask


async def amounts(database: Database) -> list[tuple[str, int, bool]]:
    def read(tx: Tx) -> list[tuple[str, int, bool]]:
        return sorted((row["day"][:7], row["cost"], row["correction"]) for row in building.rows(tx, "postings"))

    return await database.read(read)


def collector(database: Database) -> RentCollector:
    return RentCollector(database, every=60)


async def test_a_purchase_captures_the_hold_of_its_saga_at_the_real_price(database: Database) -> None:
    await ask(database, an_order("saga_1", charge="number_rent", country="US", to=""))
    await database.write(lambda tx: events.number_bought(tx, building.bought(micros=2_000_000)))
    assert sorted(cost for _, cost, _ in await amounts(database)) == [850_000, 1_150_000]
    assert await building.books_balance(database)


async def test_every_month_since_the_purchase_is_posted_once(database: Database) -> None:
    event = building.bought(time=building.months_ago(3))
    await database.write(lambda tx: events.number_bought(tx, event))
    other = Database(building.url_of(database))
    try:
        await asyncio.gather(*(collector(one).collect() for one in (database, other) for _ in range(3)))
    finally:
        await other.close()
    expected = [f"{building.months_ago(n):%Y-%m}" for n in (3, 2, 1, 0)]
    assert await amounts(database) == [(month, 1_150_000, False) for month in expected]
    assert await building.books_balance(database)


async def test_a_number_given_back_costs_nothing_more(database: Database) -> None:
    await database.write(lambda tx: events.number_bought(tx, building.bought(time=building.months_ago(3))))
    await database.write(lambda tx: events.number_released(tx, building.given_back(time=building.months_ago(2))))
    await collector(database).collect()
    assert [month for month, _, _ in await amounts(database)] == [f"{building.months_ago(n):%Y-%m}" for n in (3, 2)]


async def test_rent_posted_before_the_late_news_of_the_end_is_given_back(database: Database) -> None:
    await database.write(lambda tx: events.number_bought(tx, building.bought(time=building.months_ago(3))))
    await collector(database).collect()
    for _ in range(2):
        await database.write(lambda tx: events.number_released(tx, building.given_back(time=building.months_ago(2))))
        await collector(database).collect()
    assert sum(cost for _, cost, _ in await amounts(database)) == 2 * 1_150_000
    assert await building.books_balance(database)


async def test_rent_in_another_currency_asks_for_a_person(database: Database) -> None:
    event = building.bought().model_copy(update={"monthly": Money(micros=1, currency="EUR")})

    def hear(tx: Tx) -> list[str]:
        events.number_bought(tx, event)
        return [getattr(staged, "code", "") for staged in tx.staged]

    assert "price_currency" in await database.write(hear)
    assert await database.read(lambda tx: building.rows(tx, "rents")) == []

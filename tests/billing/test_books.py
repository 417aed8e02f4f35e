"""Events become postings, counters and usage: once, in any order, and the books always balance."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from billing import books
from billing.charges import Charge
from billing.handlers import events, orders
from billing.store import accounts, metadata
from common.catalogue.billing import SettleHold, UsagePosted
from common.db import Database, Tx
from common.errors import NotFound
from common.messages import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.billing import building
from tests.billing.building import AGENT, COST, ORG, WORST, an_order, ask

RECORDS: dict[str, Any] = {
    "MessageSent": events.message_sent,
    "MessageNotSent": events.message_not_sent,
    "MessagePriced": events.message_priced,
    "MessageReceived": events.message_received,
    "OperationAbandoned": events.operation_abandoned,
    "NumberBought": events.number_bought,
    "NumberReleased": events.number_released,
}


async def hear(database: Database, *heard: Event) -> list[Event]:
    """Record the events one by one; gives what was staged to be published."""

    def record(tx: Tx) -> list[Event]:
        for event in heard:
            RECORDS[type(event).__name__](tx, event)
        return list(tx.staged)

    return await database.write(record)


async def counters(database: Database) -> dict[str, int]:
    """The organisation's counters of the first period found, without zeros."""
    rows = await database.read(lambda tx: building.rows(tx, "counters"))
    row = min((row for row in rows if not row["agent"]), key=lambda row: row["period"])
    return {name: row[name] for name in row if name.startswith(("money", "messages")) and row[name]}


async def test_a_sent_text_captures_its_estimate_and_lets_the_rest_go(database: Database) -> None:
    await ask(database, an_order(quantity=2))
    assert await counters(database) == {"money_held": 2 * WORST, "messages_held": 1}
    (posted,) = await hear(database, building.sent(segments=2))
    assert isinstance(posted, UsagePosted)
    assert (posted.quantity, posted.cost.micros, posted.billed.micros) == (2, 2 * COST, 2 * COST)
    assert await counters(database) == {"money_used": 2 * COST, "messages_used": 1}
    assert await building.books_balance(database)


async def test_the_same_event_twice_is_posted_once(database: Database) -> None:
    await ask(database, an_order())
    assert len(await hear(database, building.sent(), building.sent(), building.received(), building.received())) == 2
    assert await hear(database, building.sent(), building.received()) == []
    assert await building.books_balance(database)


@pytest.mark.parametrize("event", [building.not_sent(), building.abandoned()])
async def test_a_text_that_was_not_sent_costs_nothing(database: Database, event: Event) -> None:
    await ask(database, an_order())
    assert await hear(database, event, event) == []
    assert await counters(database) == {}
    assert await building.books_balance(database)


@pytest.mark.parametrize("price", [20_000, 1_000, 0])
async def test_a_late_price_corrects_the_estimate_in_either_direction(database: Database, price: int) -> None:
    await database.write(lambda tx: accounts.set_markup(tx, ORG, 1_000))
    await ask(database, an_order())
    await hear(database, building.sent())
    (corrected,) = await hear(database, building.priced(price), building.priced(price))
    assert isinstance(corrected, UsagePosted)
    assert (corrected.correction, corrected.cost.micros) == (True, price - COST)
    assert (await counters(database)).get("money_used", 0) == -(-price * 11 // 10)
    assert await building.books_balance(database)


async def test_a_price_that_comes_before_its_text_is_kept(database: Database) -> None:
    await hear(database, building.priced(5_000))
    assert len(await hear(database, building.sent())) == 2
    assert await counters(database) == {"money_used": 5_000, "messages_used": 1}


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (building.priced(9_000, currency="EUR"), "price_currency"),
        (building.priced(-9_000), "price_negative"),
    ],
)
async def test_a_price_that_cannot_be_posted_asks_for_a_person(database: Database, event: Event, code: str) -> None:
    await ask(database, an_order())
    await hear(database, building.sent())
    before = await building.everything(database)
    (alert,) = await hear(database, event)
    assert getattr(alert, "code", "") == code
    assert await building.everything(database) == before


async def test_a_second_and_different_price_asks_for_a_person_and_the_first_counts(database: Database) -> None:
    await ask(database, an_order())
    await hear(database, building.sent(), building.priced(7_000))
    (alert,) = await hear(database, building.priced(9_000, key="2"))
    assert getattr(alert, "code", "") == "price_changed"
    assert (await counters(database))["money_used"] == 7_000


async def test_a_text_nobody_held_money_for_is_posted_all_the_same(database: Database) -> None:
    await hear(database, building.sent("op_unheard", segments=2))
    assert (await counters(database))["money_used"] == 2 * COST
    assert await building.books_balance(database)


async def test_what_was_sent_is_posted_although_its_hold_had_been_let_go(database: Database) -> None:
    await ask(database, an_order())
    await hear(database, building.abandoned(), building.sent())
    assert await counters(database) == {"money_used": COST, "messages_used": 1}


async def test_usage_is_summed_by_agent_kind_and_day(database: Database) -> None:
    at = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    await hear(database, *(building.received(f"in_{n}", key=str(n), time=at, segments=2) for n in range(3)))
    (row,) = await database.read(lambda tx: building.rows(tx, "usage"))
    assert (row["day"], row["kind"], row["count"], row["quantity"]) == ("2026-03-31", "sms_in", 3, 6)
    assert row["cost"] == row["billed"] == 6 * COST


async def test_an_order_can_settle_a_hold_that_has_no_event(database: Database) -> None:
    await ask(database, an_order("op_1"))
    await ask(database, an_order("op_2"))

    async def settle(hold: str, captured: bool) -> bool:
        order = SettleHold(organisation=ORG, hold=hold, captured=captured)
        return (await database.write(lambda tx: orders.settle_hold(tx, order))).changed

    assert [await settle("op_1", True), await settle("op_1", True), await settle("op_2", False)] == [True, False, True]
    assert await counters(database) == {"money_used": COST, "messages_used": 1}
    with pytest.raises(NotFound):
        await settle("op_3", True)


AT = datetime(2026, 5, 31, 23, 0, tzinfo=UTC)
SCENES: list[Event] = [
    building.sent("op_1", time=AT),
    building.priced(7_000, "op_1", time=AT + timedelta(hours=5)),
    building.abandoned("op_1", time=AT),
    building.not_sent("op_2", time=AT),
    building.abandoned("op_2", key="2", time=AT),
    building.sent("op_3", key="3", segments=3, time=AT),
    building.priced(60_000, "op_3", key="3", time=AT),
    building.not_sent("op_3", key="3", time=AT),
    building.received("in_1", time=AT),
    building.bought(time=AT, micros=1_200_000),
    building.given_back(time=AT + timedelta(days=40)),
]


async def history(database: Database, heard: list[Event]) -> dict[str, Any]:
    """The books after two holds of a fixed time and these events, starting from nothing."""

    def begin(tx: Tx) -> None:
        for table in metadata.sorted_tables:
            tx.execute(sa.delete(table))
        accounts.set_markup(tx, ORG, 1_234)
        for n in (1, 2):
            held = Charge(ORG, f"op_{n}", AT, "open", AGENT, "sms_out", n, n * COST, n * WORST, 1_234, True)
            books.learn(tx, held, "")

    await database.write(begin)
    for event in heard:
        await hear(database, event)
    while await database.write(books.post_rents):
        pass
    return await building.everything(database)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(min_value=0))
async def test_any_order_with_any_repetition_gives_the_same_books(database: Database, seed: int) -> None:
    draw = random.Random(seed)
    shuffled = [*SCENES, *draw.choices(SCENES, k=8)]
    draw.shuffle(shuffled)
    assert await history(database, shuffled) == await history(database, SCENES)
    assert await building.books_balance(database)


async def test_the_balance_notices_a_counter_that_was_touched(database: Database) -> None:
    await ask(database, an_order())
    await hear(database, building.sent())
    assert await building.books_balance(database)
    table = metadata.tables["counters"]
    await database.write(lambda tx: tx.execute(sa.update(table).values(money_used=table.c.money_used + 1)).rowcount)
    assert not await building.books_balance(database)

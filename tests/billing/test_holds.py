"""Money is held before an act, or refused with the reason; a refusal leaves nothing behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from billing import holds
from billing.handlers import events
from billing.store import accounts
from billing.terms import Terms
from common.catalogue.billing import Decision, Limits
from common.db import Database
from common.errors import Conflict, Rejected
from common.messages import Actor

from tests.billing import building
from tests.billing.building import AGENT, COST, ORG, WORST, an_order, ask

SLOW = Terms(Limits(), organisation_rate=10, agent_rate=1, burst=timedelta(minutes=3))


async def limit(database: Database, of: str = "", **caps: int) -> None:
    await database.write(lambda tx: accounts.set_limits(tx, ORG, of, Limits(**caps)))


async def admitted(database: Database, count: int, **changes: object) -> list[Decision]:
    decisions = [await ask(database, an_order(f"op_{n}", **changes)) for n in range(count)]
    return [decision for decision in decisions if decision.allowed]


async def test_the_worst_case_is_held_with_markup(database: Database) -> None:
    await database.write(lambda tx: accounts.set_markup(tx, ORG, 1_050))
    decision = await ask(database, an_order(quantity=2))
    assert decision.allowed
    assert decision.held.micros == -(-2 * WORST * 11_050 // 10_000)
    assert await building.books_balance(database)


async def test_asking_again_under_the_same_name_holds_nothing_more(database: Database) -> None:
    assert await ask(database, an_order()) == await ask(database, an_order())
    counters = await database.read(lambda tx: building.rows(tx, "counters"))
    assert {row["money_held"] for row in counters} == {WORST}
    assert len(counters) == 4


async def test_the_same_name_for_another_act_is_an_error(database: Database) -> None:
    await ask(database, an_order())
    with pytest.raises(Conflict, match="another act"):
        await ask(database, an_order(quantity=2))


async def test_the_same_name_in_another_organisation_is_another_hold(database: Database) -> None:
    await ask(database, an_order())
    assert (await ask(database, an_order(organisation="org_2", quantity=3))).held.micros == 3 * WORST


async def test_a_hold_that_was_let_go_is_not_given_again(database: Database) -> None:
    await database.write(lambda tx: events.operation_abandoned(tx, building.abandoned()))
    with pytest.raises(Conflict, match="let go"):
        await ask(database, an_order())
    assert await building.books_balance(database)


async def test_an_order_that_names_no_agent_is_refused() -> None:
    with pytest.raises(Rejected, match="name the agent"):
        holds.quote(an_order(agent=""))


@pytest.mark.parametrize(
    ("agent", "cap", "window"),
    [
        ("", {"money_per_day": 3 * WORST}, "organisation's cap of 0.0435 USD a UTC day"),
        ("", {"messages_per_month": 3}, "organisation's cap of 3 messages a UTC month"),
        (AGENT, {"money_per_month": 4 * WORST - 1}, "agent's cap of 0.057999 USD a UTC month"),
        (AGENT, {"messages_per_day": 3}, "agent's cap of 3 messages a UTC day"),
    ],
)
async def test_each_cap_admits_exactly_what_fits_and_says_which_it_was(
    database: Database, agent: str, cap: dict[str, int], window: str
) -> None:
    await limit(database, agent, **cap)
    assert len(await admitted(database, 8)) == 3
    before = await building.everything(database)
    refused = await ask(database, an_order("op_late"))
    assert (refused.allowed, refused.code) == (False, "cap_reached")
    assert window in refused.reason
    assert refused.retry_at is not None
    assert await building.everything(database) == before
    assert await building.books_balance(database)


async def test_a_refused_hold_is_decided_anew_once_there_is_room(database: Database) -> None:
    await limit(database, messages_per_day=1)
    await ask(database, an_order("op_1"))
    assert not (await ask(database, an_order("op_2"))).allowed
    await database.write(lambda tx: events.message_not_sent(tx, building.not_sent("op_1")))
    assert (await ask(database, an_order("op_2"))).allowed


async def test_an_organisation_nobody_set_limits_for_has_the_default_cap(database: Database) -> None:
    terms = Terms(Limits(money_per_day=WORST), 600, 60, timedelta(seconds=10))
    assert (await ask(database, an_order("op_1"), terms)).allowed
    assert (await ask(database, an_order("op_2", agent="agt_2"), terms)).code == "cap_reached"


async def test_another_agents_cap_does_not_matter(database: Database) -> None:
    await limit(database, "agt_2", messages_per_day=0)
    assert (await ask(database, an_order())).allowed
    assert not (await ask(database, an_order("op_2", agent="agt_2"))).allowed


async def test_a_send_too_soon_is_refused_with_the_first_moment_that_fits(database: Database) -> None:
    for n in range(3):
        assert (await ask(database, an_order(f"op_{n}"), SLOW)).allowed
    refused = await ask(database, an_order("op_3"), SLOW)
    assert refused.code == "rate_limited"
    account = (await database.read(lambda tx: accounts.find(tx, ORG, AGENT)))[1]
    assert refused.retry_at == account.tat - timedelta(minutes=2)
    assert len(await database.read(lambda tx: building.rows(tx, "charges"))) == 3


async def test_an_organisations_rate_holds_for_all_its_agents_together(database: Database) -> None:
    await limit(database, rate_per_minute=1)
    for n in range(3):
        assert (await ask(database, an_order(f"op_{n}", agent=f"agt_{n}"), SLOW)).allowed
    refused = await ask(database, an_order("op_3", agent="agt_3"), SLOW)
    assert (refused.code, refused.allowed) == ("rate_limited", False)
    assert "the organisation sends faster" in refused.reason


async def test_a_cap_refused_does_not_use_up_the_rate(database: Database) -> None:
    await limit(database, messages_per_day=0)
    await ask(database, an_order(), SLOW)
    _, account = await database.read(lambda tx: accounts.find(tx, ORG, AGENT))
    assert account.new


async def test_operators_skip_rates_but_never_caps(database: Database) -> None:
    operator = Actor(tier="operator")
    for n in range(10):
        assert (await ask(database, an_order(f"op_{n}", actor=operator), SLOW)).allowed
    await limit(database, messages_per_day=10)
    assert (await ask(database, an_order("op_11", actor=operator), SLOW)).code == "cap_reached"


async def test_a_destination_without_a_price_is_refused(database: Database) -> None:
    refused = await ask(database, an_order(to="+18765550123"))
    assert (refused.allowed, refused.code) == (False, "no_price")
    assert "JM" in refused.reason


async def test_rent_is_held_too_and_counts_as_money_only(database: Database) -> None:
    await limit(database, money_per_day=1_150_000, messages_per_day=0)
    rent = an_order("saga_1", charge="number_rent", country="US", to="")
    assert (await ask(database, rent)).held.micros == 1_150_000
    assert (await ask(database, rent.model_copy(update={"hold": "saga_2"}))).code == "cap_reached"


@pytest.mark.parametrize("cap", [{"messages_per_day": 100}, {"money_per_month": 100 * WORST + WORST // 2}])
async def test_a_cap_of_100_admits_exactly_100_of_64_senders_on_two_replicas(
    database: Database, cap: dict[str, int]
) -> None:
    await limit(database, "", **cap)
    other = Database(building.url_of(database))
    replicas = (database, other)

    async def sender(who: int) -> int:
        orders = [an_order(f"op_{who}_{n}", agent=f"agt_{who % 8}") for n in range(4)]
        return sum([(await ask(replicas[who % 2], order)).allowed for order in orders])

    try:
        allowed = sum(await asyncio.gather(*(sender(who) for who in range(64))))
    finally:
        await other.close()
    assert allowed == 100
    assert await building.books_balance(database)


async def test_many_organisations_on_two_replicas_never_wait_for_each_other_in_a_circle(database: Database) -> None:
    other = Database(building.url_of(database))
    replicas = (database, other)

    async def act(n: int) -> None:
        organisation = f"org_{n % 7}"
        order = an_order(f"op_{n}", organisation=organisation, agent=f"agt_{n % 3}")
        assert (await ask(replicas[n % 2], order)).allowed
        event = building.sent(f"op_{n}", organisation=organisation, agent=f"agt_{n % 3}")
        await replicas[(n + 1) % 2].write(lambda tx: events.message_sent(tx, event))

    try:
        async with asyncio.timeout(30):
            await asyncio.gather(*(act(n) for n in range(140)))
    finally:
        await other.close()
    assert all([await building.books_balance(database, f"org_{n}") for n in range(7)])


async def test_overruns_are_posted_and_block_what_comes_next(database: Database) -> None:
    await limit(database, money_per_day=WORST)
    for n in range(2):
        event = building.received(f"in_{n}", key=str(n))
        await database.write(lambda tx, event=event: events.message_received(tx, event))  # type: ignore[misc]
    refused = await ask(database, an_order())
    assert refused.code == "cap_reached"
    assert f"{2 * COST / 1e6:.4f} USD used" in refused.reason


async def test_a_rate_clock_too_far_ahead_is_not_moved_whoever_asks(database: Database) -> None:
    rate = SLOW.rate("agent", None)
    await database.write(lambda tx: accounts.open_accounts(tx, ORG, AGENT))
    ticks = [await database.write(lambda tx: accounts.tick(tx, ORG, AGENT, rate)) for _ in range(5)]
    assert ticks == [True, True, True, False, False]

"""Who waits is handed the next text, once; who leaves is handed nothing, and what was meant for them is free."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from common.bus import Bus
from common.catalogue.messages import AcknowledgeMessages, LeaseMessages, MessagesAcknowledged, Waiting, WithdrawLease
from common.db import Tx
from common.streams import EVENTS
from messaging.store import messages
from messaging.waits import Waits

from tests.messaging.running import AGENT, FOREIGN, LONG, ORG, OTHER, SECOND, House, an_sms

OTHERS = [f"+1415555{n:04d}" for n in range(200, 210)]


def a_wait(agent: str = AGENT, organisation: str = ORG, wait_s: float = 30, **more: Any) -> LeaseMessages:
    """Longer than a test may take: whoever is answered was given a reason."""
    return LeaseMessages(organisation=organisation, agent=agent, wait_s=wait_s, **more)


def a_withdrawal(order: LeaseMessages, **more: str) -> WithdrawLease:
    facts = {"organisation": order.organisation, "agent": order.agent, "lease_order": order.id}
    return WithdrawLease(**(facts | more))


def acknowledging(message: str) -> AcknowledgeMessages:
    return AcknowledgeMessages(organisation=ORG, agent=AGENT, messages=[message])


async def answer(waiting: asyncio.Task[Waiting]) -> Waiting:
    async with asyncio.timeout(LONG):
        return await waiting


def told(found: Waiting) -> list[tuple[str, int]]:
    return [(one.body, one.deliveries) for one in found.messages]


async def test_a_text_is_handed_to_who_waits_and_to_nobody_else(house: House) -> None:
    waiting = await house.wait(a_wait())
    await house.publish(an_sms("hello"))
    found = await answer(waiting)
    assert told(found) == [("hello", 0)]
    assert found.lease
    assert found.leased_until is not None
    assert (await house.lease()).messages == []
    *_, stored, handed = (await house.trace(found.messages[0].message)).steps
    assert (stored.what, handed.what, handed.detail) == ("in the inbox", "handed to the agent", "time 1")
    assert stored.at == handed.at  # one transaction


async def test_what_a_waiter_does_not_acknowledge_is_handed_out_again(house: House) -> None:
    first = await house.wait(a_wait(lease_seconds=1))
    await house.publish(an_sms("hello"))
    assert told(await answer(first)) == [("hello", 0)]
    second = asyncio.create_task(house.ask(a_wait()))
    assert told(await answer(second)) == [("hello", 1)]  # when the lease of the first ends


async def test_two_who_wait_get_a_text_each(house: House) -> None:
    waits = [await house.wait(a_wait()) for _ in range(2)]
    await house.publish(an_sms("a"), an_sms("b", sender=OTHERS[0]))
    found = await asyncio.gather(*map(answer, waits))
    assert sorted(map(told, found)) == [[("a", 0)], [("b", 0)]]
    assert (await house.lease()).messages == []


async def test_a_text_for_one_agent_leaves_another_waiting(house: House) -> None:
    mine, colleague = await house.wait(a_wait()), await house.wait(a_wait(SECOND))
    stranger = await house.wait(a_wait(FOREIGN, OTHER))
    await house.publish(an_sms("to the second", agent=SECOND))
    assert told(await answer(colleague)) == [("to the second", 0)]
    await house.publish(an_sms("to the foreign", agent=FOREIGN))
    assert told(await answer(stranger)) == [("to the foreign", 0)]
    assert not mine.done()
    await house.publish(an_sms("to the first"))
    assert told(await answer(mine)) == [("to the first", 0)]


async def test_a_text_that_is_heard_twice_is_handed_out_once(house: House) -> None:
    sms = an_sms("once")
    first, second = await house.wait(a_wait()), await house.wait(a_wait())
    await house.publish(sms, sms.model_copy(update={"id": "another"}))
    done, pending = await asyncio.wait({first, second}, timeout=LONG, return_when=asyncio.FIRST_COMPLETED)
    assert [told(one.result()) for one in done] == [[("once", 0)]]
    await house.publish(an_sms("then", sender=OTHERS[0]))
    assert [told(await answer(one)) for one in pending] == [[("then", 0)]]


async def test_a_wait_in_vain_ends_empty(house: House) -> None:
    found = await house.ask(a_wait(wait_s=0.2))
    assert (found.messages, found.lease) == ([], "")


async def test_a_wait_that_was_withdrawn_takes_nothing(house: House) -> None:
    order = a_wait()
    waiting = await house.wait(order)
    assert not (await house.ask(a_withdrawal(order))).changed
    assert (await answer(waiting)).messages == []
    await house.received(an_sms("for somebody else"))
    assert told(await house.lease()) == [("for somebody else", 0)]


async def test_one_wait_that_is_withdrawn_leaves_the_others(house: House) -> None:
    orders = [a_wait() for _ in range(3)]
    waits = [await house.wait(order) for order in orders]
    await house.ask(a_withdrawal(orders[0]))
    assert (await answer(waits[0])).messages == []
    await house.publish(an_sms("a"), an_sms("b", sender=OTHERS[0]))
    assert sorted([told(await answer(one)) for one in waits[1:]]) == [[("a", 0)], [("b", 0)]]


async def test_what_was_handed_to_somebody_who_left_is_free_again(house: House) -> None:
    (received,) = await house.received(an_sms("hello"))
    order = LeaseMessages(organisation=ORG, agent=AGENT)
    assert told(await house.ask(order)) == [("hello", 0)]
    assert (await house.ask(a_withdrawal(order))).changed
    assert told(await house.lease()) == [("hello", 0)]
    steps = [(step.what, step.detail) for step in (await house.trace(received.message)).steps]
    assert steps[-3:] == [
        ("handed to the agent", "time 1"),
        ("taken back", "its reader had left"),
        ("handed to the agent", "time 1"),
    ]


async def test_what_was_handed_to_somebody_who_left_goes_to_who_waits(house: House) -> None:
    await house.received(an_sms("hello"), an_sms("then"))
    left = LeaseMessages(organisation=ORG, agent=AGENT, limit=1)
    assert told(await house.ask(left)) == [("hello", 0)]
    waiting = await house.wait(a_wait())
    await house.ask(a_withdrawal(left))
    assert told(await answer(waiting)) == [("hello", 0), ("then", 0)]


async def test_a_withdrawal_may_be_repeated_and_takes_nothing_from_who_came_after(house: House) -> None:
    await house.received(an_sms("hello"))
    left = LeaseMessages(organisation=ORG, agent=AGENT)
    await house.ask(left)
    assert (await house.ask(a_withdrawal(left))).changed
    assert told(await house.lease()) == [("hello", 0)]
    assert not (await house.ask(a_withdrawal(left))).changed
    assert (await house.lease()).messages == []


async def test_only_the_agent_s_own_order_can_be_withdrawn(house: House) -> None:
    await house.received(an_sms("held"))
    held, open_ = LeaseMessages(organisation=ORG, agent=AGENT), a_wait()
    assert told(await house.ask(held)) == [("held", 0)]
    waiting = await house.wait(open_)
    for order in (held, open_):
        for wrong in ({"agent": SECOND}, {"organisation": OTHER}, {"lease_order": "req_unknown"}):
            assert not (await house.ask(a_withdrawal(order, **wrong))).changed
    assert not waiting.done()
    assert (await house.lease()).messages == []
    await house.publish(an_sms("next", sender=OTHERS[0]))
    assert told(await answer(waiting)) == [("next", 0)]


async def test_what_was_acknowledged_is_not_taken_back(house: House) -> None:
    await house.received(an_sms("dealt with"))
    order = LeaseMessages(organisation=ORG, agent=AGENT)
    (message,) = (await house.ask(order)).messages
    await house.ask(acknowledging(message.message))
    assert not (await house.ask(a_withdrawal(order))).changed
    assert (await house.lease()).messages == []


async def test_acknowledging_the_first_of_a_thread_frees_the_second_for_who_waits(house: House) -> None:
    await house.received(an_sms("first"), an_sms("second"))
    (first,) = (await house.lease(limit=1)).messages
    waiting = await house.wait(a_wait())
    await house.ask(acknowledging(first.message))
    assert told(await answer(waiting)) == [("second", 0)]


async def test_acknowledging_while_asking_for_the_next_frees_the_rest_for_who_waits(house: House) -> None:
    await house.received(an_sms("a1"), an_sms("b1", sender=OTHERS[0]), an_sms("a2"), an_sms("b2", sender=OTHERS[0]))
    dealt_with = [one.message for one in (await house.lease(limit=2)).messages]
    waiting = await house.wait(a_wait())
    found = await house.ask(LeaseMessages(organisation=ORG, agent=AGENT, limit=1, acknowledge=dealt_with))
    assert told(found) == [("a2", 0)]
    assert told(await answer(waiting)) == [("b2", 0)]


async def test_who_acknowledges_and_waits_in_one_order_is_acknowledged_at_once(house: House) -> None:
    await house.received(an_sms("first"))
    (first,) = (await house.lease()).messages
    waiting = await house.wait(a_wait(acknowledge=[first.message]))
    (event,) = await house.until(MessagesAcknowledged)
    assert event.messages == [first.message]
    assert not waiting.done()
    await house.publish(an_sms("second"))
    assert told(await answer(waiting)) == [("second", 0)]
    assert len(house.of(MessagesAcknowledged)) == 1


async def test_a_text_behind_one_that_is_held_is_not_handed_to_who_waits(house: House) -> None:
    await house.received(an_sms("held"))
    assert told(await house.lease()) == [("held", 0)]
    waiting = await house.wait(a_wait())
    await house.received(an_sms("behind it"))
    assert (await house.lease()).messages == []
    assert not waiting.done()
    await house.publish(an_sms("another thread", sender=OTHERS[0]))
    assert told(await answer(waiting)) == [("another thread", 0)]


async def test_many_who_wait_are_handed_many_texts_once_each(house: House) -> None:
    waits = [await house.wait(a_wait(limit=1)) for _ in range(len(OTHERS))]
    await house.publish(*(an_sms(sender, sender=sender) for sender in OTHERS))
    found = await asyncio.gather(*map(answer, waits))
    assert sorted(map(told, found)) == [[(sender, 0)] for sender in OTHERS]


@contextlib.contextmanager
def the_log_locked(house: House) -> Iterator[None]:
    """Nothing is added to the agent's log meanwhile, and whoever only looks is not held up."""
    with house.database.engine.begin() as connection:
        messages.lock_agent(Tx(connection, datetime.now(UTC)), ORG, AGENT)
        yield


async def until_being_stored(house: House) -> None:
    """Until messaging was given a text that it has not settled."""
    broker = house.edge.client.jetstream()
    async with asyncio.timeout(LONG):
        while not (await broker.consumer_info(EVENTS, "messaging-inbound")).num_ack_pending:  # noqa: ASYNC110 - asked
            await asyncio.sleep(0.01)


async def test_who_begins_to_wait_while_a_text_is_being_stored_is_handed_it(house: House) -> None:
    await house.received(an_sms("before"))
    (first,) = (await house.lease()).messages
    await house.ask(acknowledging(first.message))
    with the_log_locked(house):
        await house.publish(an_sms("meanwhile"))
        await until_being_stored(house)
        waiting = await house.wait(a_wait())
    assert told(await answer(waiting)) == [("meanwhile", 0)]


async def test_an_order_that_is_asked_twice_at_once_is_answered_twice(house: House) -> None:
    order = a_wait(wait_s=2)
    first, second = await house.wait(order), await house.wait(order)
    await house.publish(an_sms("hello"))
    found = await asyncio.gather(answer(first), answer(second))
    assert [[one.body for one in each.messages] for each in found] == [["hello"], ["hello"]]
    assert found[0].lease == found[1].lease


async def test_who_leaves_at_the_moment_a_text_arrives_is_not_meant_by_it() -> None:
    """What is to be handed out next is decided between the withdrawal and the end of the wait."""
    waits, order = Waits(Bus("messaging", "nats://nowhere")), a_wait()
    with waits.waiting(order) as wait:
        wait.look()
        news = asyncio.create_task(wait.news(LONG))
        await asyncio.sleep(0)
        withdrawing = asyncio.create_task(waits.withdraw(ORG, AGENT, order.id))
        await asyncio.sleep(0)
        assert waits.take(ORG, AGENT) is None
        assert await news is None
    await withdrawing


async def test_a_service_that_stops_answers_who_waits(house: House) -> None:
    waits = [await house.wait(a_wait()) for _ in range(3)]
    async with asyncio.timeout(LONG):
        await house.stop()
    assert [(await answer(one)).messages for one in waits] == [[], [], []]

"""Messages are handed out in order, held under a lease, and handed out again until acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from common.catalogue.messages import AcknowledgeMessages, GetMessages, LeaseMessages, MessagesAcknowledged
from common.errors import NotFound
from messaging.store.tables import waiting

from tests.messaging.running import AGENT, FOREIGN, ORG, OTHER, SECOND, House, an_sms

ANOTHER_PERSON = "+14155550199"


def acknowledging(*messages: str, agent: str = AGENT, organisation: str = ORG) -> AcknowledgeMessages:
    return AcknowledgeMessages(organisation=organisation, agent=agent, messages=list(messages))


async def expire_leases(house: House) -> None:
    gone = sa.update(waiting).where(waiting.c.lease.is_not(None))
    await house.database.write(lambda tx: tx.execute(gone.values(leased_until=tx.now)).rowcount)


async def test_messages_are_handed_out_oldest_first_and_to_one_holder_at_a_time(house: House) -> None:
    await house.received(*(an_sms(str(n)) for n in range(5)))
    first = await house.lease(limit=3)
    assert [one.body for one in first.messages] == ["0", "1", "2"]
    assert first.leased_until is not None
    second = await house.lease()
    assert (second.messages, second.lease) == ([], "")  # the rest of this thread waits for its beginning
    assert second.next_lease_ends_at == first.leased_until


async def test_texts_stored_out_of_order_are_handed_out_in_the_order_they_were_accepted(house: House) -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for minute in (2, 1, 3):
        await house.received(an_sms(str(minute), time=noon + timedelta(minutes=minute)))
    assert [one.body for one in (await house.lease()).messages] == ["1", "2", "3"]


async def test_other_threads_go_on_while_one_is_held(house: House) -> None:
    await house.received(an_sms("a1"), an_sms("b1", sender=ANOTHER_PERSON), an_sms("a2"))
    first = await house.lease(limit=1)
    second = await house.lease()
    assert [one.body for one in first.messages] == ["a1"]
    assert [one.body for one in second.messages] == ["b1"]


async def test_acknowledged_messages_are_gone_and_the_next_ones_free(house: House) -> None:
    await house.received(*(an_sms(str(n)) for n in range(3)))
    first = await house.lease(limit=2)
    done = await house.ask(acknowledging(*(one.message for one in first.messages)))
    assert done.changed
    (event,) = await house.until(MessagesAcknowledged)
    assert event.messages == [one.message for one in first.messages]
    assert [one.body for one in (await house.lease()).messages] == ["2"]


async def test_who_asks_for_the_next_may_acknowledge_in_the_same_breath(house: House) -> None:
    await house.received(*(an_sms(str(n)) for n in range(3)))
    first = await house.lease(limit=1)
    order = LeaseMessages(organisation=ORG, agent=AGENT, acknowledge=[first.messages[0].message])
    second, again = await house.ask(order), await house.ask(order)
    assert [one.body for one in second.messages] == ["1", "2"]
    assert again.lease == second.lease
    (event,) = await house.until(MessagesAcknowledged)
    assert event.messages == [first.messages[0].message]


async def test_a_foreign_message_among_the_acknowledged_leaves_everything_as_it_was(house: House) -> None:
    (mine,) = await house.received(an_sms("mine"))
    (foreign,) = await house.received(an_sms(agent=FOREIGN))
    wanted = [mine.message, foreign.message]
    error = await house.refusal(LeaseMessages(organisation=ORG, agent=AGENT, acknowledge=wanted))
    assert isinstance(error, NotFound)
    assert [one.body for one in (await house.lease()).messages] == ["mine"]


async def test_what_a_holder_does_not_acknowledge_is_handed_out_again_and_counted(house: House) -> None:
    await house.received(an_sms("a"), an_sms("b"))
    first = await house.lease()
    assert [one.deliveries for one in first.messages] == [0, 0]
    await house.ask(acknowledging(first.messages[0].message))
    await expire_leases(house)
    again = await house.lease()
    assert [(one.body, one.deliveries) for one in again.messages] == [("b", 1)]
    trace = await house.trace(again.messages[0].message)
    handed = [step.detail for step in trace.steps if step.what == "handed to the agent"]
    assert handed == ["time 1", "time 2"]


async def test_asking_again_with_the_same_request_gives_the_same_lease(house: House) -> None:
    await house.received(an_sms("a"), an_sms("b"))
    order = LeaseMessages(organisation=ORG, agent=AGENT, limit=1)
    first, again = await house.ask(order), await house.ask(order)
    assert first == again


async def test_an_acknowledgement_may_come_after_the_lease_and_be_repeated(house: House) -> None:
    await house.received(an_sms("a"))
    (message,) = (await house.lease()).messages
    await expire_leases(house)
    assert (await house.ask(acknowledging(message.message))).changed
    assert not (await house.ask(acknowledging(message.message))).changed
    assert len(await house.until(MessagesAcknowledged)) == 1


async def test_one_foreign_message_and_nothing_is_acknowledged(house: House) -> None:
    (mine, foreign) = await house.received(an_sms("a"), an_sms("x", agent=FOREIGN))
    refusals = [
        await house.refusal(acknowledging(mine.message, other)) for other in (foreign.message, "0" * 32, "no such")
    ]
    assert all(isinstance(error, NotFound) for error in refusals)
    assert refusals[0].detail.replace(foreign.message, "ID") == refusals[1].detail.replace("0" * 32, "ID")
    assert len((await house.lease()).messages) == 1


async def test_reading_takes_nothing_and_knows_both_directions(house: House) -> None:
    (received,) = await house.received(an_sms("question"))
    sent = await house.send("answer", thread=received.thread)
    page = await house.ask(GetMessages(organisation=ORG, agent=AGENT, thread=received.thread))
    assert [(one.body, one.direction, one.cursor) for one in page.messages] == [
        ("question", "in", 1),
        ("answer", "out", 2),
    ]
    assert page.messages[1].message == sent.message
    assert len((await house.lease()).messages) == 1


@pytest.mark.parametrize("ghost", [FOREIGN, "agt_nobody"])
async def test_anothers_agent_looks_like_none(house: House, ghost: str) -> None:
    await house.received(an_sms("secret", agent=FOREIGN))
    for request in (
        LeaseMessages(organisation=ORG, agent=ghost),
        GetMessages(organisation=ORG, agent=ghost),
        acknowledging("0" * 32, agent=ghost),
    ):
        error = await house.refusal(request)
        assert isinstance(error, NotFound)
        assert error.detail == f"no agent {ghost} with a number; provision one first"


async def test_anothers_thread_looks_like_none(house: House) -> None:
    (foreign, colleague) = await house.received(an_sms(agent=FOREIGN), an_sms(agent=SECOND))
    for thread in (foreign.thread, colleague.thread, "thr_nothing"):
        error = await house.refusal(GetMessages(organisation=ORG, agent=AGENT, thread=thread))
        assert error.detail == f"no agent {AGENT} with a number; provision one first" or error.code == "no_thread"
        assert isinstance(error, NotFound)
    assert [one.body for one in (await house.lease(FOREIGN, organisation=OTHER)).messages] == ["hello"]

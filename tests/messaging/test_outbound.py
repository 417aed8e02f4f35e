"""A text is taken on once, for every reason to send it and none against it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from common.catalogue.billing import Decision
from common.catalogue.messages import (
    CheckConsent,
    ConsentChanged,
    GetMessages,
    GetOperation,
    KillSwitchChanged,
    MessageAccepted,
    MessageNotSent,
    MessagePriced,
    MessageSent,
    MessageStatusChanged,
    OperationAbandoned,
    RecordConsent,
    RevokeConsent,
    SetDestinations,
    SetKillSwitch,
    TraceMessage,
)
from common.catalogue.values import Money
from common.errors import Conflict, NotFound, Rejected
from messaging.store.tables import messages

from tests.messaging.running import AGENT, FOREIGN, NUMBERS, ORG, OTHER, PERSON, SECOND, House, a_report, a_send, an_sms


async def count_messages(house: House) -> int:
    return await house.database.read(
        lambda tx: tx.execute(sa.select(sa.func.count()).select_from(messages)).scalar_one()
    )


async def test_a_text_is_accepted_sent_reported_and_priced(house: House) -> None:
    reply = await house.send("a" * 161)
    assert (reply.status, reply.segments, reply.held, reply.duplicate_of) == ("accepted", 2, Money(micros=16600), "")
    (accepted,) = await house.until(MessageAccepted)
    (sent,) = await house.until(MessageSent)
    assert sent.operation == accepted.operation == house.asked_billing[0].hold
    assert (house.asked_billing[0].country, house.asked_billing[0].quantity) == ("US", 2)
    (text,) = house.provider.asked
    assert (text.sender, text.to, text.key) == (NUMBERS[AGENT], PERSON, sent.attempt)
    assert text.callback == f"https://hooks.switchboard.test/webhooks/rt_agt_one/status/{sent.attempt}"
    await house.publish(a_report(sent.attempt, sent.provider_id, "delivered"))
    (status,) = await house.until(MessageStatusChanged)
    assert status.status == "delivered"
    house.provider.accepted[0].price = Money(micros=16601)
    (priced,) = await house.hurry_until(MessagePriced)
    assert (priced.attempt, priced.price) == (sent.attempt, Money(micros=16601))
    trace = await house.trace(reply.message)
    assert (trace.status, trace.provider_id, trace.direction) == ("delivered", sent.provider_id, "out")
    assert [step.what for step in trace.steps] == [
        "money held",
        "accepted",
        "handed to the provider",
        "sent",
        "delivered",
        "priced",
    ]
    state = await house.ask(GetOperation(organisation=ORG, operation=sent.operation))
    assert (state.known, state.ended) == (True, True)


async def test_the_price_poll_meets_a_report_that_was_lost(house: House) -> None:
    reply = await house.send()
    await house.until(MessageSent)
    house.provider.accepted[0].status = "undelivered"
    (changed,) = await house.hurry_until(MessageStatusChanged)
    assert (changed.message, changed.status) == (reply.message, "undelivered")


async def test_the_same_key_is_one_text_and_says_so(house: House) -> None:
    first = await house.send(key="k1")
    again = await house.send(key="k1")
    assert (first.duplicate_of, again.duplicate_of, again.message) == ("", first.message, first.message)
    other = await house.send(key="k2")
    assert other.message != first.message
    await house.until(MessageSent, 2)
    assert len(house.provider.accepted) == 2


async def test_the_same_key_with_other_words_is_an_error(house: House) -> None:
    await house.send("one", key="k1")
    error = await house.refusal(a_send("two", key="k1"))
    assert isinstance(error, Conflict)
    assert error.code == "key_reused"


async def test_many_asking_at_once_with_one_key_send_one_text(house: House) -> None:
    orders = [a_send("race", key="k", key_derived=derived) for derived in (False, True) for _ in range(8)]
    replies = await asyncio.gather(*(house.ask(order) for order in orders[:8]))
    assert len({reply.message for reply in replies}) == 1
    assert sum(not reply.duplicate_of for reply in replies) == 1
    await house.until(MessageSent)
    assert len(house.provider.accepted) == 1


async def test_losers_of_a_race_with_a_derived_key_give_their_money_back(house: House) -> None:
    orders = [a_send("race", key="args", key_derived=True) for _ in range(8)]
    replies = await asyncio.gather(*(house.ask(order) for order in orders))
    assert len({reply.message for reply in replies}) == 1
    await house.until(MessageSent)
    holds = {order.hold for order in house.asked_billing}
    abandoned = await house.until(OperationAbandoned, len(holds) - 1)
    (accepted,) = house.of(MessageAccepted)
    assert {one.operation for one in abandoned} == holds - {accepted.operation}


async def test_a_request_asked_again_after_a_lost_reply_is_no_duplicate(house: House) -> None:
    order = a_send("once")
    first, again = await house.ask(order), await house.ask(order)
    assert first == again
    await house.until(MessageSent)
    assert len(house.provider.accepted) == 1


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("72975", "bad_address"),
        ("415-555-0123", "bad_address"),
        ("+1415", "bad_address"),
        ("nonsense", "bad_address"),
        ("", "bad_address"),
        (NUMBERS[AGENT], "own_number"),
        (NUMBERS[SECOND], "own_number"),
        ("+19005551234", "destination_denied"),
        ("+881612345678", "destination_denied"),
        ("+18765551234", "destination_denied"),  # Jamaica looks like home and is not
        ("+4915112345678", "destination_denied"),
    ],
)
async def test_places_a_text_may_not_go_are_refused_and_leave_nothing(house: House, to: str, code: str) -> None:
    error = await house.refusal(a_send(to=to))
    assert isinstance(error, Rejected)
    assert (error.code, house.asked_billing, await count_messages(house)) == (code, [], 0)


async def test_an_organisation_may_allow_countries_and_only_those(house: House) -> None:
    assert (await house.ask(SetDestinations(organisation=ORG, countries=["de", "FR"]))).changed
    assert not (await house.ask(SetDestinations(organisation=ORG, countries=["FR", "DE"]))).changed
    assert (await house.send(to="+49 151 12345678")).status == "accepted"
    assert (await house.refusal(a_send(to=PERSON))).code == "destination_denied"
    assert (await house.refusal(a_send(to=PERSON, agent=FOREIGN, organisation=ORG))).code == "no_agent"
    assert (await house.send(agent=FOREIGN, organisation=OTHER)).status == "accepted"
    assert (await house.refusal(SetDestinations(organisation=ORG, countries=["XX"]))).code == "bad_country"


async def test_a_cap_is_said_with_its_end_and_leaves_nothing(house: House) -> None:
    ends = datetime(2026, 11, 22, tzinfo=UTC)
    house.decisions = [Decision(allowed=False, code="cap_reached", reason="the daily cap is reached", retry_at=ends)]
    error = await house.refusal(a_send(key="again"))
    assert error.code == "cap_reached"
    assert "2026-11-22T00:00:00Z" in error.detail
    assert await count_messages(house) == 0
    assert (await house.send(key="again")).status == "accepted"


async def test_after_stop_nothing_is_sent_until_start(house: House) -> None:
    await house.received(an_sms("STOP"))
    await house.until(ConsentChanged)
    error = await house.refusal(a_send())
    assert (error.code, "STOP" in error.detail) == ("opted_out", True)
    assert (await house.send(agent=SECOND)).status == "accepted"
    await house.received(an_sms("start"))
    await house.until(ConsentChanged, 2)
    assert (await house.send()).status == "accepted"


async def test_consent_is_recorded_revoked_and_shown(house: House) -> None:
    check = CheckConsent(organisation=ORG, agent=AGENT, address=PERSON)
    assert (await house.ask(check)).opted_in
    revoke = RevokeConsent(organisation=ORG, agent=AGENT, address=PERSON, evidence="by letter")
    assert (await house.ask(revoke)).changed
    assert not (await house.ask(revoke)).changed
    consent = await house.ask(check)
    assert (consent.opted_in, consent.evidence) == (False, "by letter")
    assert (await house.refusal(a_send())).code == "opted_out"
    record = RecordConsent(organisation=ORG, agent=AGENT, address=PERSON, evidence="signed form 7")
    assert (await house.ask(record)).changed
    assert (await house.send()).status == "accepted"
    assert [event.opted_in for event in await house.until(ConsentChanged, 2)] == [False, True]


async def test_a_stop_between_acceptance_and_attempt_keeps_the_text_here(house: House) -> None:
    first = house.provider.hold()
    await house.send("first")
    held_back = await house.send("second")  # waits for the first of its thread
    await house.received(an_sms("STOP"))
    await house.until(ConsentChanged)
    first.set()
    (not_sent,) = await house.until(MessageNotSent)
    assert (not_sent.message, not_sent.code) == (held_back.message, "opted_out")
    assert [text.body for text in house.provider.asked] == ["first"]


async def test_a_kill_switch_stops_an_agent_or_all_and_is_lifted(house: House) -> None:
    stop = SetKillSwitch(organisation=ORG, agent=AGENT, stopped=True, reason="runs wild")
    assert (await house.ask(stop)).changed
    assert not (await house.ask(stop)).changed
    error = await house.refusal(a_send())
    assert (error.code, "runs wild" in error.detail) == ("kill_switch", True)
    assert (await house.send(agent=SECOND)).status == "accepted"
    await house.ask(SetKillSwitch(organisation=ORG, stopped=True, reason="night"))
    assert (await house.refusal(a_send(agent=SECOND))).code == "kill_switch"
    assert (await house.send(agent=FOREIGN, organisation=OTHER)).status == "accepted"
    for agent in ("", AGENT):
        await house.ask(SetKillSwitch(organisation=ORG, agent=agent, stopped=False, reason="morning"))
    assert (await house.send()).status == "accepted"
    assert len(await house.until(KillSwitchChanged, 4)) == 4


async def test_a_thread_resolves_to_its_contact_and_anothers_thread_to_nothing(house: House) -> None:
    (mine, foreign) = await house.received(an_sms(), an_sms(agent=FOREIGN))
    reply = await house.send("answer", thread=mine.thread)
    assert reply.thread == mine.thread
    await house.until(MessageSent)
    assert house.provider.asked[0].to == PERSON
    for thread in (foreign.thread, "thr_nothing"):
        error = await house.refusal(a_send(thread=thread))
        assert (isinstance(error, NotFound), error.detail) == (True, f"no thread {thread}")


async def test_a_short_code_cannot_be_answered(house: House) -> None:
    (received,) = await house.received(an_sms("your code is 1234", sender="72975"))
    error = await house.refusal(a_send(thread=received.thread))
    assert "short code" in error.detail


async def test_an_order_past_its_time_does_nothing(house: House) -> None:
    late = datetime.now(UTC) - timedelta(seconds=1)
    assert (await house.refusal(a_send(not_after=late))).code == "expired"
    assert await count_messages(house) == 0


async def test_a_text_that_waited_beyond_its_time_is_not_sent(house: House) -> None:
    first = house.provider.hold()
    await house.send("first")
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    late = await house.send("second", not_after=soon)
    async with asyncio.timeout(5):
        while datetime.now(UTC) <= soon:
            await house.ask(GetMessages(organisation=ORG, agent=AGENT))
    first.set()
    (not_sent,) = await house.until(MessageNotSent)
    assert (not_sent.message, not_sent.code) == (late.message, "expired")


async def test_texts_of_one_thread_reach_the_provider_in_order(house: House) -> None:
    await asyncio.gather(*(house.send(f"other {n}", to=f"+1415555{n:04d}") for n in range(300, 310)))
    for n in range(10):
        await house.send(str(n))
    await house.until(MessageSent, 20)
    assert [text.body for text in house.provider.asked if text.to == PERSON] == [str(n) for n in range(10)]


async def test_a_foreign_message_cannot_be_traced(house: House) -> None:
    (foreign,) = await house.received(an_sms(agent=FOREIGN))
    for message in (foreign.message, "0" * 32):
        error = await house.refusal(TraceMessage(organisation=ORG, message=message))
        assert (isinstance(error, NotFound), error.detail) == (True, f"no message {message}")
    (mine,) = await house.received(an_sms())
    assert (
        await house.refusal(TraceMessage(organisation=ORG, agent=SECOND, message=mine.message))
    ).code == "no_message"
    assert [step.what for step in (await house.trace(mine.message)).steps] == [
        "received at the gateway",
        "in the inbox",
    ]

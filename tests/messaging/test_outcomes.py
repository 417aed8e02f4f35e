"""What follows a provider's answer, a refusal, silence, or the death of whoever asked: never a second text."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from common.catalogue.audit import AlertRaised
from common.catalogue.messages import (
    DecideUnknown,
    GetOperation,
    ListUnresolved,
    MessageNotSent,
    MessageReceived,
    MessageSent,
    MessageStatusChanged,
    MessageUncertain,
)
from common.errors import Unavailable
from messaging.store.tables import operations

from tests.messaging.running import ORG, OTHER, House, a_report, an_sms, running
from tests.support.servers import Broker


async def looked_again(house: House, *wanted: str) -> None:
    """Wait until each of these operations was looked for three times more."""
    looks = sa.select(operations.c.operation, operations.c.looks).where(operations.c.operation.in_(wanted))

    async def now() -> dict[str, int]:
        return await house.database.read(lambda tx: {row.operation: row.looks for row in tx.execute(looks)})

    before = await now()
    async with asyncio.timeout(10):
        while any(count < before[name] + 3 for name, count in (await now()).items()):
            await house.hurry()


async def test_a_refusal_is_final_and_says_why(house: House) -> None:
    house.provider.refuse("provider_21610")
    reply = await house.send()
    (not_sent,) = await house.until(MessageNotSent)
    assert (not_sent.message, not_sent.code) == (reply.message, "provider_21610")
    assert (await house.trace(reply.message)).status == "failed"


async def test_what_could_not_leave_is_tried_again_until_it_does(house: House) -> None:
    house.provider.unreachable()
    reply = await house.send()
    async with asyncio.timeout(10):
        while len(await house.attempts_of(reply.message)) < 3:
            await house.hurry()
    house.provider.away = None
    await house.hurry_until(MessageSent)
    *failed, sent = await house.attempts_of(reply.message)
    assert {one.state for one in failed} == {"nothing_left"}
    assert (sent.state, [text.key for text in house.provider.asked]) == ("taken", [sent.attempt])


async def test_what_cannot_leave_in_its_time_has_failed(house: House) -> None:
    house.provider.unreachable(retry_after=3600)
    reply = await house.send()
    (not_sent,) = await house.until(MessageNotSent)
    assert (not_sent.message, not_sent.code) == (reply.message, "unavailable")


async def test_a_lost_answer_is_found_in_the_providers_list(house: House) -> None:
    house.provider.answer_lost(accepted=True)
    reply = await house.send()
    (uncertain,) = await house.until(MessageUncertain)
    assert (await house.ask(ListUnresolved(organisation=ORG))).unresolved[0].message == reply.message
    assert (await house.ask(ListUnresolved(organisation=OTHER))).unresolved == []
    (sent,) = await house.hurry_until(MessageSent)
    assert (sent.attempt, sent.provider_id) == (uncertain.attempt, house.provider.accepted[0].provider_id)
    assert len(house.provider.accepted) == 1


async def test_a_text_the_provider_never_had_is_declared_not_sent_after_two_looks(house: House) -> None:
    house.provider.answer_lost(accepted=False)
    reply = await house.send()
    (not_sent,) = await house.hurry_until(MessageNotSent)
    assert (not_sent.message, not_sent.code, len(house.provider.asked)) == (reply.message, "not_at_provider", 1)


async def test_absence_proves_nothing_within_the_grace_period(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    async with running(broker.url, database_url, tmp_path, messaging_unknown_grace=3600) as house:
        house.provider.answer_lost(accepted=False)
        await house.send()
        (uncertain,) = await house.until(MessageUncertain)
        await looked_again(house, uncertain.operation)
        house.provider.take(house.provider.asked[0])  # it was on its way all the time
        await house.hurry_until(MessageSent)
        assert house.of(MessageNotSent) == []


async def test_a_status_report_proves_what_the_answer_did_not_say(house: House) -> None:
    house.provider.answer_lost(accepted=True)
    reply = await house.send()
    (uncertain,) = await house.until(MessageUncertain)
    provider_id = house.provider.accepted[0].provider_id
    await house.publish(a_report(uncertain.attempt, provider_id, "delivered"))
    (sent,) = await house.until(MessageSent)
    assert sent.provider_id == provider_id
    await house.until(MessageStatusChanged)
    assert (await house.trace(reply.message)).status == "delivered"


async def test_a_report_that_overtakes_the_answer_is_as_good_as_the_answer(house: House) -> None:
    answer = house.provider.hold()
    reply = await house.send()
    async with asyncio.timeout(10):
        while not house.provider.accepted:
            await house.trace(reply.message)
    (text,) = house.provider.asked
    await house.publish(a_report(text.key, house.provider.accepted[0].provider_id, "sent"))
    await house.until(MessageSent)
    answer.set()
    await house.send("next")  # of the same thread: it waits until the first is settled
    await house.until(MessageSent, 2)
    assert [one.state for one in await house.attempts_of(reply.message)] == ["taken"]
    assert house.of(AlertRaised) == []


async def test_reports_may_repeat_and_overtake_each_other(house: House) -> None:
    await house.send()
    (sent,) = await house.until(MessageSent)
    for status in ("delivered", "sent", "delivered", "queued", "sending", "sent"):
        await house.publish(a_report(sent.attempt, sent.provider_id, status))
    await house.send("fence")
    (_, fence) = await house.until(MessageSent, 2)
    await house.publish(a_report(fence.attempt, fence.provider_id, "delivered"))
    changes = await house.until(MessageStatusChanged, 2)
    assert [change.status for change in changes if change.message == sent.message] == ["delivered"]


async def test_two_texts_alike_are_settled_only_when_the_list_accounts_for_both(house: House) -> None:
    house.provider.answer_lost(accepted=True)
    house.provider.answer_lost(accepted=False)
    house.provider.list_error = Unavailable("not now")
    await house.send("same", key="1")
    await house.until(MessageUncertain)
    second = await house.send("same", key="2")
    (one, two) = await house.until(MessageUncertain, 2)
    house.provider.list_error = None
    await looked_again(house, one.operation, two.operation)
    assert house.of(MessageSent) + house.of(MessageNotSent) == []
    await house.publish(a_report(one.attempt, house.provider.accepted[0].provider_id, "sent"))
    await house.until(MessageSent)
    (not_sent,) = await house.hurry_until(MessageNotSent)
    assert (not_sent.message, two.message) == (second.message, second.message)


async def test_a_person_is_asked_at_the_deadline_and_decides(broker: Broker, database_url: str, tmp_path: Path) -> None:
    async with running(broker.url, database_url, tmp_path, messaging_unknown_deadline=0.01) as house:
        house.provider.list_error = Unavailable("the list is away")
        house.provider.answer_lost(accepted=True)
        reply = await house.send()
        (alert,) = await house.hurry_until(AlertRaised)
        assert (alert.code, alert.severity, alert.subject_id) == ("unknown_needs_person", "high", reply.message)
        (open_,) = (await house.ask(ListUnresolved(organisation=ORG))).unresolved
        assert open_.overdue
        decide = DecideUnknown(organisation=ORG, message=reply.message, sent=False, reason="the person did not get it")
        assert (await house.refusal(decide.model_copy(update={"organisation": OTHER}))).code == "no_message"
        assert (await house.ask(decide)).changed
        assert not (await house.ask(decide)).changed
        assert (await house.refusal(decide.model_copy(update={"sent": True}))).code == "not_unknown"
        (not_sent,) = await house.until(MessageNotSent)
        assert not_sent.code == "decided"
        await house.publish(a_report(not_sent.attempt, house.provider.accepted[0].provider_id, "delivered"))
        contradiction = (await house.until(AlertRaised, 2))[1]
        assert contradiction.code == "attempt_contradicted"
        trace = await house.trace(reply.message)
        assert (trace.status, trace.steps[-1].what) == ("failed", "contradicted")
        assert house.of(MessageSent) == []


async def test_a_person_who_says_sent_is_believed_and_the_providers_id_is_learnt_later(house: House) -> None:
    house.provider.list_error = Unavailable("the list is away")
    house.provider.answer_lost(accepted=True)
    reply = await house.send()
    (uncertain,) = await house.until(MessageUncertain)
    await house.ask(DecideUnknown(organisation=ORG, message=reply.message, sent=True, reason="they answered it"))
    (sent,) = await house.until(MessageSent)
    assert (sent.attempt, sent.provider_id) == (uncertain.attempt, "")
    await house.publish(a_report(sent.attempt, house.provider.accepted[0].provider_id, "delivered"))
    await house.until(MessageStatusChanged)
    assert (await house.trace(reply.message)).provider_id == house.provider.accepted[0].provider_id
    assert house.of(AlertRaised) == []


async def test_a_report_from_another_account_or_about_no_attempt_is_set_aside(house: House) -> None:
    await house.send()
    (sent,) = await house.until(MessageSent)
    await house.publish(
        a_report(sent.attempt, sent.provider_id, "delivered", account="ACother"),
        a_report("0" * 32, "SM1", "delivered"),
    )
    dead = await house.edge.client.jetstream().pull_subscribe("dead.>", "reader", stream="DEAD")
    letters = await dead.fetch(1, timeout=10)
    letters += await dead.fetch(1, timeout=10) if len(letters) < 2 else []
    reasons = sorted((letter.headers or {})["Dead-Reason"] for letter in letters)
    assert ["from another account" in reasons[1] or "from another account" in reasons[0], len(reasons)] == [True, 2]
    assert house.of(MessageStatusChanged) == []


async def test_what_a_dead_replica_had_in_flight_becomes_unknown_and_is_looked_for(house: House) -> None:
    answer = house.provider.hold()
    reply = await house.send()
    async with asyncio.timeout(10):
        while not house.provider.accepted:
            await house.trace(reply.message)
    overdue = sa.update(operations).where(operations.c.state == "in_flight")
    await house.database.write(lambda tx: tx.execute(overdue.values(due_at=tx.now - timedelta(seconds=1))).rowcount)
    await house.until(MessageUncertain)
    await house.hurry_until(MessageSent)
    answer.set()  # the one believed dead hears its answer after all
    await house.send("next")
    await house.until(MessageSent, 2)
    assert len(house.provider.accepted) == 2
    assert house.of(AlertRaised) == []


async def test_what_was_accepted_and_not_begun_is_taken_over_by_another_replica(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    async with running(broker.url, database_url, tmp_path) as house:
        gate = house.provider.hold()
        await house.send("first")
        waiting = await house.send("second")
        stale = sa.update(operations).where(operations.c.message == waiting.message)
        await house.database.write(lambda tx: tx.execute(stale.values(fence=7, due_at=tx.now)).rowcount)
        gate.set()
        await house.until(MessageSent, 2)
        assert [text.body for text in house.provider.asked] == ["first", "second"]


async def test_a_text_that_may_not_leave_any_more_when_it_could_stays_here(house: House) -> None:
    house.provider.unreachable()
    reply = await house.send()
    async with asyncio.timeout(10):
        while not await house.attempts_of(reply.message):
            await house.hurry()
    await house.publish(an_sms("STOP"))
    await house.until(MessageReceived)
    house.provider.away = None
    (not_sent,) = await house.hurry_until(MessageNotSent)
    assert (not_sent.message, not_sent.code, not_sent.attempt) == (reply.message, "opted_out", "")
    assert house.provider.asked == []


async def test_an_operation_never_heard_of_is_unknown_to_us(house: House) -> None:
    state = await house.ask(GetOperation(organisation=ORG, operation="0" * 32))
    assert not state.known


@pytest.mark.parametrize("error", [ValueError("a bug")])
async def test_a_bug_in_an_adapter_counts_as_sent_without_an_answer(house: House, error: Exception) -> None:
    from tests.messaging.fakes import Fault  # noqa: PLC0415

    house.provider.faults.append(Fault(accepted=True, error=error))  # type: ignore[arg-type] # not one of the three
    await house.send()
    await house.until(MessageUncertain)
    await house.hurry_until(MessageSent)
    assert len(house.provider.accepted) == 1

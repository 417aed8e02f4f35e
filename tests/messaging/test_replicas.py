"""Two replicas of messaging on one database: they share the work and do nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common import service
from common.catalogue.messages import (
    AcknowledgeMessages,
    ConsentChanged,
    GetMessages,
    LeaseMessages,
    MessageNotSent,
    MessageSent,
    MessageUncertain,
    WithdrawLease,
)
from common.directory import Credentials
from common.sealed import Sealer
from messaging.app import assemble

from tests.messaging.running import AGENT, FOREIGN, LONG, ORG, OTHER, SECOND, House, an_sms, running, settings_for
from tests.support.servers import Broker


@asynccontextmanager
async def two_replicas(broker: Broker, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with running(broker.url, database_url, tmp_path) as house:
        settings = settings_for(broker.url, database_url, tmp_path, instance="1")
        second = await assemble(settings, Credentials(Sealer(b"k" * 32)), {"fake": house.provider})
        async with service.running(second, settings):
            async with asyncio.timeout(LONG):
                while (await second.health.report())[0] != 200:  # noqa: ASYNC110 - readiness is asked for, as in life
                    await asyncio.sleep(0.01)
            yield house


async def test_what_comes_in_and_goes_out_does_so_once(broker: Broker, database_url: str, tmp_path: Path) -> None:
    async with two_replicas(broker, database_url, tmp_path) as house:
        for n in range(10):
            if n % 3 == 0:
                house.provider.answer_lost(accepted=n % 2 == 0)
        incoming = [an_sms(f"in {n}", sender=f"+1415555{n % 5:04d}") for n in range(40)]
        await house.publish(*incoming[:20], *incoming[:10])
        replies = await asyncio.gather(*(house.send(f"out {n}", to=f"+1415555{n + 500:04d}") for n in range(40)))
        await house.received(*incoming[20:])
        async with asyncio.timeout(30):
            while len(house.of(MessageSent)) + len(house.of(MessageNotSent)) < 40:
                await house.hurry()
                await asyncio.sleep(0.02)
        assert len({reply.message for reply in replies}) == len(house.provider.asked) == 40
        assert len(house.of(MessageUncertain)) == 4
        assert len(house.provider.accepted) == len(house.of(MessageSent)) == 38
        page = await house.ask(GetMessages(organisation=ORG, agent=AGENT, limit=100))
        assert [one.cursor for one in page.messages] == list(range(1, 81))
        assert sorted(one.body for one in page.messages if one.direction == "in") == sorted(s.body for s in incoming)


async def test_no_attempt_is_committed_after_the_stop_of_its_contact(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    async with two_replicas(broker, database_url, tmp_path) as house:
        people = [f"+1415555{n + 600:04d}" for n in range(20)]
        await asyncio.gather(*(house.send("before", to=person) for person in people))
        await house.until(MessageSent, 20)
        stops = [an_sms("stop", sender=person) for person in people]
        sends = [house.send("after", to=person) for person in people]
        await asyncio.gather(house.received(*stops), *sends, return_exceptions=True)
        await house.until(ConsentChanged, 20)
        told_at = len(house.provider.asked)
        outcomes = await asyncio.gather(*(house.send("later", to=person) for person in people), return_exceptions=True)
        assert {getattr(outcome, "code", "") for outcome in outcomes} == {"opted_out"}
        assert len([text for text in house.provider.asked if text.body == "later"]) == 0
        assert told_at <= 40


async def test_texts_for_agents_that_wait_at_either_replica_are_handed_out_once(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    """As many waits as texts: each wait takes one, whoever stores it and wherever the wait is."""
    people = [f"+1415555{n + 700:04d}" for n in range(12)]
    async with two_replicas(broker, database_url, tmp_path) as house:
        waits = {
            agent: [
                await house.wait(LeaseMessages(organisation=organisation, agent=agent, limit=1, wait_s=30))
                for _ in people
            ]
            for agent, organisation in ((AGENT, ORG), (SECOND, ORG), (FOREIGN, OTHER))
        }
        await house.publish(*(an_sms(agent, sender=person, agent=agent) for person in people for agent in waits))
        async with asyncio.timeout(LONG):
            found = {agent: await asyncio.gather(*mine) for agent, mine in waits.items()}
    for agent, mine in found.items():
        handed = [(one.sender, one.body, one.deliveries) for each in mine for one in each.messages]
        assert sorted(handed) == [(person, agent, 0) for person in people]


async def test_what_was_handed_to_somebody_who_left_is_free_whichever_replica_handed_it_out(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    async with two_replicas(broker, database_url, tmp_path) as house:
        orders = [LeaseMessages(organisation=ORG, agent=AGENT, limit=1, wait_s=30) for _ in range(10)]
        waits = [await house.wait(order) for order in orders]
        people = [f"+1415555{n + 700:04d}" for n in range(5)]
        await house.publish(*(an_sms(person, sender=person) for person in people))
        async with asyncio.timeout(LONG):
            while sum(one.done() for one in waits) < len(people):
                await asyncio.wait([one for one in waits if not one.done()], return_when=asyncio.FIRST_COMPLETED)
            handed = [one.done() for one in waits]
            for served in (False, True):  # first who still waits: they would be handed what is free again
                leaving = [n for n in range(len(waits)) if handed[n] is served]
                for n in leaving:
                    await house.ask(WithdrawLease(organisation=ORG, agent=AGENT, lease_order=orders[n].id))
                await asyncio.gather(*(waits[n] for n in leaving))
            assert sorted(one.body for each in waits for one in each.result().messages) == people
            again: list[tuple[str, int]] = []
            while len(again) < len(people):  # the other replica may still be at it when the first has answered
                again += [(one.body, one.deliveries) for one in (await house.lease()).messages]
        assert sorted(again) == [(person, 0) for person in people]


async def test_who_waits_is_handed_what_an_acknowledgement_frees_at_either_replica(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    async with two_replicas(broker, database_url, tmp_path) as house:
        for n in range(5):  # who is asked is chance
            person = f"+1415555{n + 800:04d}"
            await house.received(an_sms("first", sender=person), an_sms("second", sender=person))
            (first,) = (await house.lease(limit=1)).messages
            waiting = await house.wait(LeaseMessages(organisation=ORG, agent=AGENT, wait_s=30))
            await house.ask(AcknowledgeMessages(organisation=ORG, agent=AGENT, messages=[first.message]))
            async with asyncio.timeout(LONG):
                (second,) = (await waiting).messages
            assert second.body == "second"
            await house.ask(AcknowledgeMessages(organisation=ORG, agent=AGENT, messages=[second.message]))

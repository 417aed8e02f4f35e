"""A text becomes a message of its agent, once."""

from __future__ import annotations

import asyncio

from common import envelope
from common.catalogue.audit import AlertRaised
from common.catalogue.messages import ConsentChanged, GetMessages, MessageReceived
from common.catalogue.provisioning import RouteOwner
from common.catalogue.values import Address, Media

from tests.messaging.running import AGENT, FOREIGN, NUMBERS, ORG, OTHER, PERSON, SECOND, House, a_route, an_sms


async def test_a_text_is_in_the_inbox_with_everything_that_is_known_about_it(house: House) -> None:
    sms = an_sms("hello €", media=[Media(url="https://media.test/1", content_type="image/png")], segments=2)
    (event,) = await house.received(sms)
    assert (event.organisation, event.agent, event.cursor, event.body, event.segments) == (ORG, AGENT, 1, "hello €", 2)
    assert event.trust.signature_verified
    assert event.trust.level == "untrusted"
    waiting = await house.lease()
    (message,) = waiting.messages
    assert (message.message, message.body, message.sender, message.to) == (
        event.message,
        "hello €",
        PERSON,
        NUMBERS[AGENT],
    )
    assert (message.thread, message.contact, message.media) == (event.thread, event.contact, sms.media)
    assert message.at == sms.time


async def test_a_text_delivered_many_times_is_one_message(house: House) -> None:
    sms = an_sms("once", provider_id="SMonce")
    await house.publish(sms, sms, an_sms("once", provider_id="SMonce"), sms)
    await house.received(an_sms("after"))
    page = await house.ask(GetMessages(organisation=ORG, agent=AGENT))
    assert [(one.body, one.cursor) for one in page.messages] == [("once", 1), ("after", 2)]


async def test_a_provider_id_seen_before_is_no_new_message_even_in_another_event(house: House) -> None:
    first = an_sms("once", provider_id="SMsame")
    again = first.model_copy(update={"id": "another-event-altogether"})
    await house.publish(first, again)
    await house.received(an_sms("after"))
    page = await house.ask(GetMessages(organisation=ORG, agent=AGENT))
    assert [one.body for one in page.messages] == ["once", "after"]


async def test_cursors_of_an_agent_are_dense_and_its_threads_are_kept_apart(house: House) -> None:
    people = [f"+1415555{n:04d}" for n in range(200, 205)]
    texts = [an_sms(f"{person}-{n}", sender=person) for n in range(6) for person in people]
    await house.received(*texts)
    page = await house.ask(GetMessages(organisation=ORG, agent=AGENT, limit=100))
    assert [one.cursor for one in page.messages] == list(range(1, 31))
    assert {one.body for one in page.messages} == {sms.body for sms in texts}
    threads = {one.thread: one.sender for one in page.messages}
    assert sorted(threads.values()) == people
    for thread in threads:
        history = await house.ask(GetMessages(organisation=ORG, agent=AGENT, thread=thread, limit=4))
        assert (len(history.messages), history.more) == (4, True)
        rest = await house.ask(GetMessages(organisation=ORG, agent=AGENT, thread=thread, after=history.cursor))
        assert (len(rest.messages), rest.more) == (2, False)


async def test_one_person_is_one_contact_of_an_organisation_and_a_stranger_to_another(house: House) -> None:
    events = await house.received(an_sms(agent=AGENT), an_sms(agent=SECOND), an_sms(agent=FOREIGN))
    contacts = {event.agent: event.contact for event in events}
    assert contacts[AGENT] == contacts[SECOND] != contacts[FOREIGN]
    assert len({event.thread for event in events}) == 3


async def test_short_codes_names_and_nothing_at_all_are_senders_too(house: House) -> None:
    await house.received(an_sms("1", sender="72975"), an_sms("2", sender="ACME Bank"), an_sms("3", sender=""))
    page = await house.ask(GetMessages(organisation=ORG, agent=AGENT))
    assert sorted((one.body, one.sender) for one in page.messages) == [("1", "72975"), ("2", "ACME Bank"), ("3", "")]
    assert len({one.contact for one in page.messages}) == 3


async def test_a_stop_is_heeded_once_and_still_reaches_the_agent(house: House) -> None:
    await house.received(an_sms(" Stop\n"), an_sms("STOPALL"), an_sms("please stop it"))
    (changed,) = house.of(ConsentChanged)
    assert (changed.opted_in, changed.address.value, changed.ours.value) == (False, PERSON, NUMBERS[AGENT])
    assert len((await house.lease()).messages) == 3


async def test_help_changes_nothing_and_the_providers_own_opinion_counts(house: House) -> None:
    await house.received(an_sms("help"), an_sms("arret", keyword="stop"))
    (changed,) = await house.until(ConsentChanged)
    assert not changed.opted_in


async def test_a_route_the_directory_lacks_is_asked_for(house: House) -> None:
    house.owners["+14155550177"] = RouteOwner(organisation=OTHER, agent=FOREIGN, route="rt_new")
    sms = an_sms(route="rt_new", to=Address.phone("+14155550177"), organisation="unrouted")
    (event,) = await house.received(sms)
    assert (event.organisation, event.agent) == (OTHER, FOREIGN)


async def test_nobodys_text_is_set_aside_with_an_alert(house: House) -> None:
    await house.publish(an_sms(route="rt_nobody", organisation="unrouted"))
    (alert,) = await house.until(AlertRaised)
    assert (alert.code, alert.organisation) == ("unrouted_message", "platform")
    dead = await house.edge.client.jetstream().pull_subscribe("dead.>", "reader", stream="DEAD")
    (letter,) = await dead.fetch(1, timeout=10)
    assert envelope.decode(letter.data).name == "messages.v1.sms.received"
    assert "nobody owns" in (letter.headers or {})["Dead-Reason"]
    assert PERSON not in (letter.headers or {})["Dead-Reason"]


async def test_a_route_that_belongs_to_another_number_is_refused(house: House) -> None:
    await house.publish(an_sms("misled", to=Address.phone(NUMBERS[SECOND])))
    dead = await house.edge.client.jetstream().pull_subscribe("dead.>", "reader", stream="DEAD")
    (letter,) = await dead.fetch(1, timeout=10)
    assert "does not have" in (letter.headers or {})["Dead-Reason"]
    assert house.of(MessageReceived) == []


async def test_a_number_that_moved_is_its_new_owners(house: House) -> None:
    moved = a_route(SECOND) | {"agent": FOREIGN, "organisation": OTHER}
    await house.publisher.publish(2, {"routes": [a_route(AGENT), moved], "tokens": []})
    async with asyncio.timeout(10):
        while (await house.received(an_sms("whose?", agent=SECOND)))[0].organisation != OTHER:
            pass
    (event,) = await house.received(an_sms("moved", agent=SECOND))
    assert (event.organisation, event.agent) == (OTHER, FOREIGN)

"""A text travels from a person to an agent and back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.live.world import Agent, World, eventually, steps

REVISIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


class TestConversation:
    async def test_a_text_is_read_answered_and_received(
        self, world: World, agent: Agent, person: str, era: str
    ) -> None:
        sid = world.text(person, agent.number, "Do you have a table tonight? 🍽")
        async with agent.mcp(era) as speaker:
            assert speaker.client.protocol_version == REVISIONS[era]
            [message] = (await speaker.call("comms_get_waiting_messages", wait_s=20))["messages"]
            sent = await speaker.call("comms_send_message", thread=message["thread"], body="Yes, at eight o'clock.")
            await speaker.call("comms_ack_messages", messages=[message["message"]])
        assert (message["body"], message["sender"]) == ("Do you have a table tonight? 🍽", person)
        assert (message["to"], message["deliveries"]) == (agent.number, 0)
        assert message["trust"] == {
            "origin": "external",
            "signature_verified": True,
            "sender_authenticated": False,
            "level": "untrusted",
        }
        [received] = world.received(person)
        assert (received["body"], received["sender"]) == ("Yes, at eight o'clock.", agent.number)
        out, into = agent.trace(sent["message"], until="delivered"), agent.trace(message["message"])
        assert (into["direction"], into["provider_id"]) == ("in", sid)
        [listed] = world.provider.messages.list(to=person, from_=agent.number)
        assert (listed.sid, listed.body, listed.status) == (out["provider_id"], "Yes, at eight o'clock.", "delivered")
        assert world.provider.messages(sid).fetch().direction == "inbound"

    def test_the_whole_way_of_a_text_can_be_followed(self, world: World, agent: Agent, person: str) -> None:
        world.text(person, agent.number, "Please call me back.")
        [message] = agent.waiting()
        agent.acknowledge(message["message"])
        sent = agent.send(person, "We will, at noon.")
        arrived = ["received at the gateway", "in the inbox", "handed to the agent", "acknowledged by the agent"]
        assert steps(agent.trace(message["message"])) == arrived
        trace = agent.trace(sent["message"], until="priced")
        assert [step for step in steps(trace) if step != "priced"] == [
            "money held",
            "accepted",
            "handed to the provider",
            "sent",
            "delivered",
        ]
        assert trace["status"] == "delivered"
        priced = next(step for step in trace["steps"] if step["what"] == "priced")
        told = eventually(lambda: world.provider.messages(trace["provider_id"]).fetch().price)
        assert Decimal(priced["detail"].split()[0]) == -Decimal(told)

    @pytest.mark.parametrize(("behaviour", "code"), [("undelivered", 30005), ("unreachable", 30003)])
    def test_a_phone_that_takes_no_texts_is_in_the_trace(
        self, world: World, agent: Agent, person: str, behaviour: str, code: int
    ) -> None:
        world.phone(person, behaviour, code)
        sent = agent.send(person, "Nobody will read this one.")
        trace = agent.trace(sent["message"], until="undelivered")
        assert trace["status"] == "undelivered"
        assert any(str(code) in step["detail"] for step in trace["steps"])
        assert world.provider.messages(trace["provider_id"]).fetch().error_code == code

    def test_the_history_of_a_thread_has_both_sides_in_order(self, world: World, agent: Agent, person: str) -> None:
        other = world.person()
        world.text(person, agent.number, "First question of many.")
        world.text(other, agent.number, "Something else entirely.")
        sent = agent.send(person, "First answer of many.")
        eventually(lambda: len(agent.office.ask("GET", "/v1/agents/me/messages")["messages"]) == 3)
        page = agent.office.ask("GET", "/v1/agents/me/messages", thread=sent["thread"])
        assert [(one["direction"], one["body"]) for one in page["messages"]] == [
            ("in", "First question of many."),
            ("out", "First answer of many."),
        ]

    def test_an_answer_cut_off_is_resolved_without_a_second_text(self, world: World, agent: Agent, person: str) -> None:
        world.fault("cut_after", operation="messages.create", times=1)
        sent = agent.send(person, "Your table is by the window.")
        trace = agent.trace(sent["message"], until="delivered")
        assert "unknown" in steps(trace)
        [accepted] = world.accepted(person)
        assert accepted["provider_id"] == trace["provider_id"]

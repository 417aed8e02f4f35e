"""One intent is one text, however often and wherever it is asked for."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tests.live.world import Agent, World


class TestIntents:
    async def test_the_same_key_is_answered_the_same(self, world: World, agent: Agent, person: str, era: str) -> None:
        wish = {"to": person, "body": "Your taxi is here.", "idempotency_key": "taxi-1"}
        async with agent.mcp(era) as speaker:
            first = await speaker.call("comms_send_message", **wish)
            again = await speaker.call("comms_send_message", **wish)
            assert again["message"] == again["duplicate_of"] == first["message"]
            refusal = await speaker.refused("comms_send_message", **wish | {"body": "Your taxi is gone."})
        assert refusal.code == "key_reused"
        agent.trace(first["message"], until="delivered")
        assert len(world.accepted(person)) == 1

    def test_the_same_words_within_minutes_are_the_same_intent(self, world: World, agent: Agent, person: str) -> None:
        first = agent.send(person, "Dinner is served.")
        assert agent.send(person, "Dinner is served.")["duplicate_of"] == first["message"]
        other = agent.send(person, "Dinner is served.", key="but I mean it")
        assert (other["duplicate_of"], other["message"] == first["message"]) == ("", False)
        assert len(world.received(person, 2)) == 2

    def test_one_intent_asked_at_every_door_at_once_is_one_text(self, world: World, agent: Agent, person: str) -> None:
        doors = [world.office(agent.token, edge) for edge in world.stack.edges * 4]

        def send(number: int) -> str:
            wish = {"to": person, "body": "All of us say this once."}
            path = "/v1/agents/me/messages"
            return str(doors[number].ask("POST", path, key="all-of-us", **wish)["message"])

        with ThreadPoolExecutor(len(doors)) as pool:
            assert len(set(pool.map(send, range(len(doors))))) == 1
        assert len(world.received(person)) == 1
        assert len(world.accepted(person)) == 1

    async def test_a_key_belongs_to_its_agent(self, world: World, agent: Agent, person: str) -> None:
        other = world.tenant("Next Door").agent()
        async with agent.mcp() as mine, other.mcp() as theirs:
            wish = {"to": person, "body": "Same key, two senders.", "idempotency_key": "shared"}
            sent = await asyncio.gather(*(one.call("comms_send_message", **wish) for one in (mine, theirs)))
        assert [one["duplicate_of"] for one in sent] == ["", ""]
        assert {text["sender"] for text in world.received(person, 2)} == {agent.number, other.number}

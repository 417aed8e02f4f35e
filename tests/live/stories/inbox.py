"""The inbox: leases, acknowledgements, replay, long polls, subscriptions."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.client.subscriptions import ResourceUpdated

from tests.live.world import Agent, World

TEXTS = ["Please book it for us.", "We are four people.", "And a cake, if you can."]


class TestInbox:
    async def test_what_a_crashed_agent_did_not_acknowledge_is_handed_out_again(
        self, world: World, agent: Agent, person: str, era: str
    ) -> None:
        for text in TEXTS:
            world.text(person, agent.number, text)
        got: list[dict[str, Any]] = []
        async with agent.mcp(era) as speaker:
            while len(got) < len(TEXTS):  # a text may be on its way when we look
                page = await speaker.call("comms_get_waiting_messages", wait_s=20, lease_seconds=2)
                got += [message for message in page["messages"] if message["deliveries"] == 0]
            assert [message["body"] for message in got] == TEXTS
            assert sorted(message["cursor"] for message in got) == [message["cursor"] for message in got]
            await speaker.call("comms_ack_messages", messages=[message["message"] for message in got[:2]])
        async with agent.mcp(era) as speaker:
            page = await speaker.call("comms_get_waiting_messages", wait_s=20)
            [again] = page["messages"]
            assert again["message"] == got[2]["message"]
            assert again["deliveries"] >= 1
            await speaker.call("comms_ack_messages", messages=[again["message"]])
            await speaker.call("comms_ack_messages", messages=[again["message"]])
            assert (await speaker.call("comms_get_waiting_messages", wait_s=0))["messages"] == []

    async def test_history_can_be_replayed_from_any_cursor(self, world: World, agent: Agent, person: str) -> None:
        for text in TEXTS:
            world.text(person, agent.number, text)
        got: list[str] = []
        while len(got) < len(TEXTS):
            page = agent.waiting()
            got += [message["message"] for message in page]
            agent.acknowledge(*(message["message"] for message in page))
        async with agent.mcp() as speaker:
            replayed, cursor, more = [], 0, True
            while more:
                answer = await speaker.call("comms_get_messages", after=cursor, limit=2)
                replayed += [message["message"] for message in answer["messages"]]
                cursor, more = answer["cursor"], answer["more"]
        assert replayed == got

    async def test_a_long_poll_shows_life_and_ends_with_the_text(
        self, world: World, agent: Agent, person: str, era: str
    ) -> None:
        told: list[float] = []
        alive = asyncio.Event()

        async def follow(progress: float, total: float | None, message: str | None) -> None:
            told.append(progress)
            alive.set()

        async with agent.mcp(era) as speaker:
            waiting = asyncio.create_task(
                speaker.client.call_tool("comms_get_waiting_messages", {"wait_s": 40}, progress_callback=follow)
            )
            await asyncio.wait_for(alive.wait(), 20)
            await asyncio.to_thread(world.text, person, agent.number, "Is anybody there at all?")
            result = await asyncio.wait_for(waiting, 20)
        assert result.structured_content is not None
        assert [one["body"] for one in result.structured_content["messages"]] == ["Is anybody there at all?"]
        assert told == sorted(told)

    async def test_a_subscription_says_that_a_text_has_come(self, world: World, agent: Agent, person: str) -> None:
        async with (
            agent.mcp() as speaker,
            speaker.client.listen(resource_subscriptions=["inbox://me"]) as stream,
        ):
            await asyncio.to_thread(world.text, person, agent.number, "A text nobody asked for.")
            assert await asyncio.wait_for(anext(aiter(stream)), 20) == ResourceUpdated("inbox://me")
            page = await speaker.client.read_resource("inbox://me?after=0")
        assert "A text nobody asked for." in str(page.contents[0])

    async def test_two_at_one_inbox_are_never_handed_the_same(self, world: World, agent: Agent) -> None:
        people = [world.person() for _ in range(6)]
        for person in people:
            world.text(person, agent.number, f"Greetings from {person[-4:]}, please.")
        edges = world.stack.edges
        got: list[str] = []
        async with agent.mcp(edge=edges[0]) as one, agent.mcp(edge=edges[-1]) as two:
            async with asyncio.timeout(20):
                while len(got) < len(people):
                    pages = await asyncio.gather(
                        *(each.call("comms_get_waiting_messages", wait_s=0, limit=2) for each in (one, two))
                    )
                    got += [message["sender"] for page in pages for message in page["messages"]]
        assert sorted(got) == sorted(people)

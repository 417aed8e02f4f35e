"""STOP, START and HELP, and what an organisation records."""

from __future__ import annotations

from tests.live.world import Agent, Tenant, World, eventually


class TestConsent:
    async def test_stop_ends_texts_at_once_and_start_allows_them_again(
        self, world: World, agent: Agent, person: str, era: str
    ) -> None:
        world.text(person, agent.number, "Stop")
        async with agent.mcp(era) as speaker:
            [stop] = (await speaker.call("comms_get_waiting_messages", wait_s=20))["messages"]
            refusal = await speaker.refused("comms_send_message", thread=stop["thread"], body="One more offer for you!")
            assert refusal.code == "opted_out"
            assert "STOP" in refusal.detail
            consent = await speaker.call("comms_check_consent", address=person)
            assert (consent["opted_in"], "STOP" in consent["evidence"]) == (False, True)
            await speaker.call("comms_ack_messages", messages=[stop["message"]])
            world.text(person, agent.number, "START")
            [start] = (await speaker.call("comms_get_waiting_messages", wait_s=20))["messages"]
            await speaker.call("comms_send_message", thread=start["thread"], body="Welcome back to us!")
        eventually(lambda: "Welcome back to us!" in [text["body"] for text in world.received(person)])
        assert [entry["body"] for entry in world.accepted(person)] == ["Welcome back to us!"]

    def test_help_reaches_the_agent_and_changes_nothing(self, world: World, agent: Agent, person: str) -> None:
        world.text(person, agent.number, "HELP")
        [message] = agent.waiting()
        assert message["body"] == "HELP"
        agent.send(person, "How can we help you today?")
        eventually(lambda: "How can we help you today?" in [text["body"] for text in world.received(person)])

    def test_stop_to_one_agent_leaves_the_other_alone(
        self, world: World, tenant: Tenant, agent: Agent, person: str
    ) -> None:
        other = tenant.agent("Housekeeping")
        world.text(person, agent.number, "unsubscribe")
        agent.waiting()
        assert agent.refused(person).code == "opted_out"
        other.send(person, "Your room is ready now.")
        eventually(lambda: "Your room is ready now." in [text["body"] for text in world.received(person)])

    def test_an_organisation_revokes_and_records(self, world: World, tenant: Tenant, agent: Agent, person: str) -> None:
        path = f"/v1/agents/{agent.id}/consent"
        tenant.office.ask("POST", f"{path}/revoke", address=person, evidence="asked us at the desk")
        refusal = agent.refused(person)
        assert (refusal.status, refusal.code) == (422, "opted_out")
        assert "asked us at the desk" in refusal.detail
        tenant.office.ask("POST", f"{path}/record", address=person, evidence="signed the form")
        agent.send(person, "Thank you for signing up.")
        assert [text["body"] for text in world.received(person)] == ["Thank you for signing up."]

"""What stops a text before it leaves: caps, rates, kill switches, destinations, bad addresses, times that are over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.live.world import Agent, Tenant, World

RENT = 1_150_000


class TestLimits:
    async def test_a_cap_is_a_cap_and_says_when_it_ends(
        self, world: World, tenant: Tenant, agent: Agent, person: str, era: str
    ) -> None:
        tenant.office.ask("PUT", f"/v1/agents/{agent.id}/limits", messages_per_day=1)
        async with agent.mcp(era) as speaker:
            await speaker.call("comms_send_message", to=person, body="The one text of today.")
            today = datetime.now(UTC).date()
            refusal = await speaker.refused("comms_send_message", to=person, body="One text too many.")
            assert refusal.code == "cap_reached"
            assert f"{today + timedelta(days=1)}T00:00:00Z" in refusal.detail
            caps = (await speaker.call("comms_get_usage_dashboard"))["caps"]
        [cap] = [one for one in caps if (one["scope"], one["unit"], one["window"]) == ("agent", "messages", "day")]
        assert (cap["cap"], cap["used"] + cap["held"]) == (1, 1)
        tenant.office.ask("PUT", f"/v1/agents/{agent.id}/limits", messages_per_day=2)
        agent.send(person, "The cap was raised for this.")
        assert len(world.received(person, 2)) == 2

    def test_money_is_capped_too(self, tenant: Tenant, agent: Agent, person: str) -> None:
        tenant.office.ask(
            "PUT", f"/v1/agents/{agent.id}/limits", money_per_day=1_150_000 + 20_000
        )  # its number and one text
        agent.send(person, "This fits under the cap.")
        assert agent.refused(person, "This does not: it is longer. " * 20).code == "cap_reached"

    def test_sending_too_fast_says_how_long_to_wait(self, tenant: Tenant, agent: Agent, person: str) -> None:
        tenant.office.ask("PUT", f"/v1/agents/{agent.id}/limits", rate_per_minute=1)
        agent.send(person, "Slowly, and only this.")
        refusal = agent.refused(person, "Too soon after the other.")
        assert refusal.code == "rate_limited"
        assert datetime.now(UTC).strftime("%Y-%m-%dT") in refusal.detail

    def test_the_kill_switch_stops_one_agent_until_it_is_turned_back(
        self, world: World, tenant: Tenant, agent: Agent, person: str
    ) -> None:
        other, path = tenant.agent("Reception"), f"/v1/agents/{agent.id}/kill-switch"
        tenant.office.ask("PUT", path, stopped=True, reason="it talks nonsense")
        refusal = agent.refused(person)
        assert (refusal.code, "it talks nonsense" in refusal.detail) == ("kill_switch", True)
        other.send(person, "I am not stopped at all.")
        tenant.office.ask("PUT", path, stopped=False, reason="it is well again")
        agent.send(person, "I am back at work now.")
        assert len(world.received(person, 2)) == 2

    def test_the_kill_switch_of_an_organisation_stops_all_its_agents(self, world: World, person: str) -> None:
        tenant = world.tenant("Night Club")
        agents = [tenant.agent("Door"), tenant.agent("Bar")]
        tenant.office.ask("PUT", "/v1/kill-switch", stopped=True, reason="closed for today")
        assert {agent.refused(person).code for agent in agents} == {"kill_switch"}
        assert world.accepted(person) == []

    def test_other_countries_are_refused_until_they_are_allowed(self, world: World) -> None:
        tenant = world.tenant("Travel Agency")
        agent, briton = tenant.agent(), "+447400123456"
        world.said.note(briton)
        assert agent.refused(briton).code == "destination_denied"
        tenant.office.ask("PUT", "/v1/destinations", countries=["US", "GB"])
        sent = agent.send(briton, "Your flight to London is booked.")
        assert agent.trace(sent["message"], until="delivered")["status"] == "delivered"
        tenant.office.ask("PUT", "/v1/destinations", countries=["GB"])
        assert agent.refused(world.person()).code == "destination_denied"

    @pytest.mark.parametrize("number", ["+19005550123", "+881612345678", "+449098790000"])
    def test_dear_numbers_are_refused_whatever_is_allowed(self, world: World, agent: Agent, number: str) -> None:
        refusal = agent.refused(number)
        assert (refusal.status, refusal.code) == (422, "destination_denied")
        assert world.accepted(number) == []

    @pytest.mark.parametrize("number", ["72975", "not a number", "+1", "4155550123", ""])
    def test_what_is_no_phone_number_is_refused(self, agent: Agent, number: str) -> None:
        refusal = agent.refused(number)
        assert (refusal.status, refusal.code) == (422, "bad_address")

    async def test_an_order_past_its_time_is_refused(self, world: World, agent: Agent, person: str) -> None:
        past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        async with agent.mcp() as speaker:
            refusal = await speaker.refused("comms_send_message", to=person, body="Too late by far.", not_after=past)
        assert refusal.code == "expired"
        assert world.accepted(person) == []

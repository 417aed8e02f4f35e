"""Agents come and go, with their numbers and tokens."""

from __future__ import annotations

import secrets
import time

from tests.live.world import Agent, Tenant, World, eventually


class TestAgents:
    def test_a_new_agent_s_number_is_ours_at_the_provider(self, world: World, tenant: Tenant) -> None:
        agent = tenant.agent("Valet", country="US", area_code="415")
        [number] = world.provider.incoming_phone_numbers.list(phone_number=agent.number)
        assert agent.number.startswith("+1415")
        assert number.sms_method == "POST"
        assert number.sms_url == number.sms_fallback_url
        assert number.sms_url.startswith("https://hooks.switchboard.test/webhooks/")
        trace = tenant.office.ask("GET", f"/v1/agents/{agent.id}/provisioning")
        assert (trace["saga"], trace["state"]) == (agent.saga, "completed")
        assert tenant.office.ask("GET", f"/v1/provisionings/{agent.saga}")["steps"] == trace["steps"]

    async def test_asking_twice_for_an_agent_makes_one(self, world: World, era: str) -> None:
        tenant = world.tenant("Twin Peaks")
        wish = {"title": "Clerk", "country": "US", "idempotency_key": secrets.token_hex(8)}
        async with world.mcp(tenant.token, era) as speaker:
            first = await speaker.call("comms_provision_channels", **wish)
            again = await speaker.call("comms_provision_channels", **wish)
            found = await speaker.call("comms_get_channel_status")
        world.said.note(first["token"], first["channels"][0]["address"])
        assert (first["state"], again["agent"]) == ("active", first["agent"])
        assert (bool(first["token"]), again["token"]) == (True, "")
        assert [one["agent"] for one in found["agents"]] == [first["agent"]]

    def test_a_provisioning_that_fails_leaves_nothing_behind(self, world: World) -> None:
        tenant = world.tenant("Bad Luck Inc")
        world.fault("5xx", operation="incoming_phone_numbers.create", times=1, status=500)
        before = _owned(world)
        made = tenant.office.ask("POST", "/v1/agents", title="Unlucky", country="US")
        ended = eventually(lambda: _ended(tenant, made["saga"]))
        owned = _owned(world) - before
        assert len(owned) == (1 if ended == "completed" else 0)

    async def test_a_removed_agent_s_number_and_token_are_gone(
        self, world: World, tenant: Tenant, agent: Agent
    ) -> None:
        assert agent.number in _owned(world)
        gone = tenant.office.ask("DELETE", f"/v1/agents/{agent.id}")
        assert gone["agent"] == agent.id
        eventually(lambda: agent.number not in _owned(world))
        for edge in world.stack.edges:
            door = world.office(agent.token, edge)
            eventually(lambda door=door: door.answer("GET", "/v1/me").status_code == 401)  # type: ignore[misc]
        refusal = tenant.office.refused("POST", f"/v1/agents/{agent.id}/messages", to=world.person(), body="Anyone?")
        assert refusal.code == "no_agent"
        [status] = tenant.office.ask("GET", f"/v1/agents/{agent.id}")["agents"]
        assert status["channels"][0]["state"] == "released"

    def test_a_revoked_token_is_refused_at_every_door_within_a_second(
        self, world: World, tenant: Tenant, agent: Agent
    ) -> None:
        second = tenant.office.ask("POST", f"/v1/agents/{agent.id}/tokens")
        doors = [world.office(second["token"], edge) for edge in world.stack.edges]
        for door in doors:
            eventually(lambda door=door: door.answer("GET", "/v1/me").is_success)  # type: ignore[misc]
        tenant.office.ask("DELETE", f"/v1/tokens/{second['token_id']}")
        revoked = time.monotonic()
        for door in doors:
            while (answer := door.answer("GET", "/v1/me")).is_success:
                assert time.monotonic() < revoked + 1
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
        assert agent.office.ask("GET", "/v1/me")["agent"] == agent.id

    def test_a_token_ends_by_itself(self, world: World, tenant: Tenant, agent: Agent) -> None:
        short = tenant.office.ask("POST", f"/v1/agents/{agent.id}/tokens", expires_in=1)
        door = world.office(short["token"])
        eventually(lambda: door.answer("GET", "/v1/me").status_code == 401, seconds=5)


def _owned(world: World) -> set[str]:
    return {number.phone_number for number in world.provider.incoming_phone_numbers.list()}


def _ended(tenant: Tenant, saga: str) -> str | None:
    state = str(tenant.office.ask("GET", f"/v1/provisionings/{saga}")["state"])
    return None if state == "running" else state

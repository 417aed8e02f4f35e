"""What the command line says as JSON, for scripts."""

from __future__ import annotations

from tests.live.world import Agent, Tenant, World


class TestCommandLine:
    def test_the_command_line_says_it_as_json(self, world: World, tenant: Tenant, agent: Agent, person: str) -> None:
        sent = agent.send(person, "Something to be looked up.")
        agent.trace(sent["message"], until="delivered")
        place = ("--organization", tenant.id)
        assert all(row["ready"] for row in world.switchboard("status"))
        listed = world.switchboard("agents", "list", *place)
        assert agent.id in [row["agent"] for row in listed]
        [text] = world.switchboard("texts", "list", agent.id, *place)
        assert (text["message"], text["status"]) == (sent["message"], "delivered")
        trace = world.switchboard("trace", sent["message"], *place)
        assert trace == agent.trace(sent["message"])
        usage = world.switchboard("usage", *place, "--agent", agent.id)
        assert {line["kind"] for line in usage["lines"]} >= {"number_rent"}
        assert isinstance(world.switchboard("alerts"), list)
        assert isinstance(world.switchboard("dead-letters", "list"), list)

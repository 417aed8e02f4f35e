"""What those who look after the house see, and what its logs never show."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx

from tests.live.world import Agent, Tenant, World, eventually


class TestWatching:
    def test_the_audit_of_everything_so_far_verifies(self, world: World, tenant: Tenant, agent: Agent) -> None:
        def heads() -> list[dict[str, object]] | None:
            status = tenant.office.ask("GET", "/v1/audit")
            return status["chains"] if not status["gaps"] else None

        [chain] = eventually(heads)
        command = [sys.executable, "-m", "switchboard", "--data", str(world.stack.folder), "audit", "verify", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        verdicts = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, done.stdout + done.stderr
        assert {verdict["organisation"] for verdict in verdicts} >= {tenant.id, "platform"}
        assert chain["organisation"] == tenant.id

    def test_every_process_is_ready_and_counts(self, world: World) -> None:
        for service, places in world.stack.run["services"].items():
            for url in places:
                if service != "nats":
                    assert httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200, service
                if service not in ("nats", "carrier"):
                    metrics = httpx.get(f"{url}/metrics", trust_env=False).text
                    assert "process_cpu_seconds_total" in metrics, service
                    assert not [word for word in world.said.words if word in metrics]

    def test_no_log_shows_a_whole_number_token_or_text(self, world: World, agent: Agent, person: str) -> None:
        world.text(person, agent.number, "My code word is heliotrope.")
        agent.waiting()
        sent = agent.send(person, "And ours is chrysanthemum.")
        agent.trace(sent["message"], until="delivered")
        agent.refused("+19005550123")
        logs = sorted((world.stack.folder / "logs").glob("*.log"))
        assert len(logs) > 8
        for log in [*logs, world.stack.folder / "up.log"]:
            content = log.read_text(errors="replace")
            assert not [word for word in world.said.words if word in content], log.name

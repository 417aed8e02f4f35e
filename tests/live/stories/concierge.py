"""The example agent, run as its readme line says, with nothing but the official client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.live.world import Agent, World

EXAMPLE = Path(__file__).parents[3] / "examples" / "concierge" / "concierge.py"


class TestConcierge:
    def test_the_concierge_answers_a_text_by_itself(
        self, world: World, agent: Agent, person: str, tmp_path: Path
    ) -> None:
        token = tmp_path / "agent.token"
        token.write_text(agent.token)
        world.admitted(agent.token)
        command = [sys.executable, str(EXAMPLE), "--url", world.stack.mcp, "--token-file", str(token)]
        concierge = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            world.text(person, agent.number, "When are you open?")
            [answer] = world.received(person)
        finally:
            concierge.terminate()
            said, _ = concierge.communicate(timeout=10)
        assert answer["body"].startswith("We are open from 9 to 18"), said

"""Messaging dies at a named place on a text's way to the provider: the text is there once, or told as not sent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.faults.auditor import Evidence, until_clean
from tests.faults.conftest import QUICK
from tests.faults.test_kill_each_service import unaccounted
from tests.faults.traffic import Sender, an_agent, send_many
from tests.support.stack import a_stack

UNSENT = {"o4": {0}, "o5": {1}, "o6": {0, 1}, "o7": {0}, "o8": {0}}
"""How many of one text may not be at the provider. At o5 it was committed to and no byte left; at o6 all bytes left,
and a provider may throw away a request whose line is cut before it has read it."""
PLACES = UNSENT if os.environ.get("CRASH_POINTS") == "all" else ["o5"]
"""A house takes its time to start: by default only where most is in doubt."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("place", PLACES)
async def test_a_text_whose_sender_died_is_at_the_provider_once_or_told_as_not_sent(tmp_path: Path, place: str) -> None:
    with a_stack(tmp_path / "house", env=QUICK | {"CRASH_AT": f"{place}:1"}) as stack:
        sender, victim = Sender(stack.edges, an_agent(stack)), stack.pid("messaging")
        await send_many(sender, 1)
        await asyncio.to_thread(stack.wait_restarted, "messaging", victim)

        def check(evidence: Evidence) -> list[str]:
            return list(unaccounted(evidence, sender.accepted, may_fail=1))

        evidence = await asyncio.to_thread(until_clean, stack, also=check)
    assert 1 - len(evidence.taken_out) in UNSENT[place]

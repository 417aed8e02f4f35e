"""Who waits for an answer goes first, and what nobody waits for is never held up altogether."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from messaging.foreground import Foreground


def waiting(foreground: Foreground, count: int) -> ExitStack:
    stack = ExitStack()
    for _ in range(count):
        stack.enter_context(foreground.answering())
    return stack


async def turned(foreground: Foreground) -> bool:
    """Whether its turn comes before anybody else's."""
    turn = asyncio.create_task(foreground.turn())
    await asyncio.sleep(0)
    if turn.done():
        return True
    turn.cancel()
    return False


async def test_with_nobody_waiting_there_is_time_at_once() -> None:
    assert await turned(Foreground())


async def test_two_who_wait_are_no_crowd() -> None:
    foreground = Foreground()
    with waiting(foreground, 2):
        assert await turned(foreground)
    assert not foreground.crowded


async def test_a_crowd_goes_first_and_lasts_a_moment_longer() -> None:
    foreground = Foreground()
    with waiting(foreground, 3):
        assert not await turned(foreground)
    assert foreground.crowded


async def test_however_long_a_crowd_waits_something_else_has_its_turn() -> None:
    foreground = Foreground()
    with waiting(foreground, 3):
        for _ in range(3):
            await asyncio.wait_for(foreground.turn(), 10)
        assert foreground.crowded

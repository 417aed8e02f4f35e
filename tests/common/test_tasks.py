"""Background tasks: started again when they fail, gone when told so, even when they did not hear it the first time."""

from __future__ import annotations

import asyncio

from common.tasks import Supervisor


async def test_a_task_that_fails_is_started_again() -> None:
    supervisor, runs, again = Supervisor(), 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("the first time goes wrong")
        again.set()
        await asyncio.Event().wait()

    supervisor.start("work", work)
    async with asyncio.timeout(10):
        await again.wait()
    await supervisor.stop()
    assert runs == 2


async def test_a_task_that_misses_its_cancellation_is_told_again() -> None:
    supervisor, started = Supervisor(patience=0.2), asyncio.Event()

    async def deaf_once() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    supervisor.start("deaf", deaf_once)
    await started.wait()
    async with asyncio.timeout(10):
        await supervisor.stop()

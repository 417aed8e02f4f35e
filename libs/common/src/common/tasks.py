"""Background tasks that are noticed when they fail: logged, and started again after a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_PAUSE_FIRST, _PAUSE_MOST = 0.2, 10.0
PATIENCE = 12.0
"""Seconds, longer than any task finishes what it owes, after which one that is still there is told to end again."""

log = structlog.get_logger()


class Supervisor:
    """Owns tasks: none fails silently, none outlives `stop()`."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until `stop()`; when it raises, log it and run it again. It ends when it returns."""
        self._tasks.append(asyncio.create_task(_keep(name, work), name=name))

    async def stop(self) -> None:
        """Cancel every task and wait until it is gone.

        Before Python 3.12 `wait_for`, which the broker's client uses too, swallows a cancellation that meets its
        result; so who is still there after `patience` is told again.
        """
        waiting = set(self._tasks)
        while waiting:
            for task in waiting:
                task.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=self._patience)
        self._tasks.clear()


async def _keep(name: str, work: Callable[[], Awaitable[None]]) -> None:
    pause = _PAUSE_FIRST
    while True:
        try:
            return await work()
        except Exception:
            log.exception("task_failed", task=name, again_in_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSE_MOST)

"""Background tasks that are noticed when they fail: logged, and started again after a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_PAUSE_FIRST, _PAUSE_MOST = 0.2, 10.0

log = structlog.get_logger()


class Supervisor:
    """Owns tasks: none fails silently, none outlives `stop()`."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until `stop()`; when it raises, log it and run it again. It ends when it returns."""
        self._tasks.append(asyncio.create_task(_keep(name, work), name=name))

    async def stop(self) -> None:
        """Cancel every task and wait until it is gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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

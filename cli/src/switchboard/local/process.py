"""One program kept running: started in a session of its own with a log file, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from switchboard.local.plan import Program

_PAUSE_FIRST, _PAUSE_MOST, _STEADY = 0.1, 5.0, 10.0
_GRACE = 15.0
"""Seconds a program has to drain before it is killed."""

_LOOK_EVERY = 0.05

_ONCE = ("CRASH_AT",)
"""Not passed on to a program that is started again: a fault asked for happens once."""


class Process:
    """Runs a program until `stop()`; `changed` is called after each start, `say` with what people want to know."""

    def __init__(self, program: Program, logs: Path, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.program = program
        self.starts = 0
        self.log = logs / f"{program.name}.log"
        self.held = logs.parent / "hold" / program.name
        """While this file exists the program is not started again: for maintenance, and for tests of faults."""
        self._say, self._changed = say, changed
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int:
        """Of the running process; 0 while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    def start(self) -> None:
        """Begin keeping it up."""
        self._task = asyncio.create_task(self._keep(), name=self.program.name)

    async def stop(self) -> None:
        """Ask it to drain, wait, and kill it when it does not end in time."""
        self._stopping = True
        if self._process and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), _GRACE)
            except TimeoutError:
                self._say(f"{self.program.name} did not stop within {_GRACE:.0f} s and was killed")
                self._signal(signal.SIGKILL)
                await self._process.wait()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    async def _keep(self) -> None:
        pause = _PAUSE_FIRST
        while not self._stopping:
            began = time.monotonic()
            code = await self._run()
            if self._stopping:
                return
            pause = _PAUSE_FIRST if time.monotonic() - began > _STEADY else pause
            self._say(f"{self.program.name} ended with {_reason(code)}; starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSE_MOST)
            await self._while_held()

    async def _while_held(self) -> None:
        if self.held.exists():
            self._say(f"{self.program.name} stays down while {self.held} exists")
        while self.held.exists():  # noqa: ASYNC110 - a file has no event to wait for
            await asyncio.sleep(_LOOK_EVERY)

    async def _run(self) -> int:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                env=_environment(self.program.env, again=self.starts > 0),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        self.starts += 1
        self._changed()
        return await self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process:
                self._process.send_signal(number)


def _environment(own: Mapping[str, str], *, again: bool) -> dict[str, str]:
    env = {**os.environ, **own}
    return {name: value for name, value in env.items() if not (again and name in _ONCE)}


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"


def _end_with_parent() -> None:
    """On Linux a program gets SIGTERM when the supervisor itself is killed, so that none is left behind."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)

"""Starts every program of a plan, waits until all are ready, keeps them up, and stops them in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from switchboard.local import health, ports, runfile
from switchboard.local.plan import Place, Program
from switchboard.local.process import Process

_LOOK_EVERY = 0.05
_FIRST_READY = 90.0
_HOPELESS = 5
"""Starts without ever being ready after which a run gives up and shows the log."""


class NotStarted(Exception):
    """Something could not be started; the message says what and shows why."""


class Supervisor:
    """One local run."""

    def __init__(self, place: Place, programs: list[Program], say: Callable[[str], None]) -> None:
        self._place, self._programs, self._say = place, programs, say
        self._logs = place.data / "logs"
        self._processes = [Process(program, self._logs, say, self._note) for program in programs]
        self._up = False

    async def run(self, tables: list[str] | None, ready: Callable[[], None]) -> None:
        """Be the run until SIGINT or SIGTERM. `tables` is the command of the migration step, if it is needed."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self._logs.mkdir(parents=True, exist_ok=True)
        _refuse_taken(self._programs)
        work = asyncio.create_task(self._start(tables))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                ready()
                await stopped
        finally:
            work.cancel()
            stopped.cancel()
            await asyncio.gather(work, stopped, return_exceptions=True)
            await self._stop()

    async def _start(self, tables: list[str] | None) -> None:
        waiting = [process for process in self._processes if process.program.needs_tables and tables]
        for process in self._processes:
            if process not in waiting:
                process.start()
        if tables:
            await self._migrate(tables)
        for process in waiting:
            process.start()
        async with asyncio.TaskGroup() as group:
            for process in self._processes:
                group.create_task(self._until_ready(process))
        self._up = True
        self._note()

    async def _migrate(self, command: list[str]) -> None:
        log = self._logs / "migrate.log"
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=out, stderr=out, env=_environment(self._place)
            )
        if await process.wait() != 0:
            last = "\n".join(log.read_text().splitlines()[-15:])
            raise NotStarted(f"the tables could not be made; the end of {log}:\n{last}")
        self._say("tables are up to date")

    async def _until_ready(self, process: Process) -> None:
        began = time.monotonic()
        while await health.status(process.program.ready) != 200:
            if process.starts >= _HOPELESS or time.monotonic() - began > _FIRST_READY:
                raise NotStarted(
                    f"{process.program.name} does not get ready; the end of {process.log}:\n{process.tail()}"
                )
            await asyncio.sleep(_LOOK_EVERY)
        self._say(f"{process.program.name} is ready")

    def _note(self) -> None:
        """Keep `run.json` true after each start; it appears when everything is ready for the first time."""
        if self._up:
            pids = {process.program.name: process.pid for process in self._processes} | {"supervisor": os.getpid()}
            runfile.write(self._place.data, runfile.describe(self._place, self._programs, pids))

    async def _stop(self) -> None:
        self._up = False
        runfile.remove(self._place.data)
        for stage in sorted({process.program.stage for process in self._processes}):
            await asyncio.gather(*(p.stop() for p in self._processes if p.program.stage == stage))
        self._say("everything is stopped")


def migration(place: Place) -> list[str] | None:
    """The command that brings the tables up to date; None when a stamp says that these migrations were run here."""
    wanted = _stamp(place)
    stamp = place.data / "migrated"
    if wanted and stamp.exists() and stamp.read_text() == wanted:
        return None
    return [sys.executable, "-m", "switchboard", "migrate", "--databases"]


def stamp_migration(place: Place) -> None:
    """Remember that the tables are those of this version."""
    if wanted := _stamp(place):
        (place.data / "migrated").write_text(wanted)


def _stamp(place: Place) -> str:
    """Names every migration; empty where the databases are somebody else's, or are not there."""
    import importlib.util  # noqa: PLC0415

    from switchboard.secret_files import WITH_DATABASE  # noqa: PLC0415

    if place.database_url or not all((place.data / f"{name}.db").exists() for name in WITH_DATABASE):
        return ""
    names = []
    for service in WITH_DATABASE:
        spec = importlib.util.find_spec(service)
        folder = Path(str(spec and spec.origin)).parent / "migrations" / "versions"
        names += sorted(f"{service}/{path.name}" for path in folder.glob("*.py"))
    return "\n".join(names)


def _environment(place: Place) -> dict[str, str]:
    own = {"SWITCHBOARD_DATA": str(place.data), "SWITCHBOARD_SECRETS": str(place.secrets)}
    return {**os.environ, **own} | ({"SWITCHBOARD_DATABASE_URL": place.database_url} if place.database_url else {})


def _refuse_taken(programs: list[Program]) -> None:
    for program in programs:
        for port in program.ports:
            if not ports.free(port):
                raise NotStarted(
                    f"port {port}, which {program.name} needs, is taken; stop what listens there or set "
                    "SWITCHBOARD_PORT_BASE to another first port"
                )

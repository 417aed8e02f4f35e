"""The whole house as a subprocess: `switchboard up` on free ports, for tests that want the real thing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from switchboard.local import ports

_READY_WITHIN = 120.0


class StackFailed(AssertionError):
    """The stack did not start, or did not come back; the message carries the end of its log."""


@dataclass
class Stack:
    """A running house. Its places come from `run.json`, which is read anew each time: pids change."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def run(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        return content

    @property
    def mcp(self) -> str:
        return str(self.run["mcp"])

    @property
    def edges(self) -> list[str]:
        """Base URLs of REST and MCP, one for each replica."""
        return list(self.run["mcp_edge"])

    @property
    def gateways(self) -> list[str]:
        return list(self.run["gateway"])

    @property
    def carrier(self) -> str:
        return str(self.run["carrier"])

    @property
    def operator_token(self) -> str:
        return Path(self.run["operator_token_file"]).read_text().strip()

    @property
    def carrier_token(self) -> str:
        return Path(self.run["carrier_token_file"]).read_text().strip()

    @property
    def secrets(self) -> Path:
        return Path(self.run["secrets"])

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text(errors="replace")

    def log_of(self, name: str) -> str:
        """What one process (`messaging`, `gateway-1`) has logged."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    def database(self, service: str) -> str:
        """The URL of a service's database, as itself."""
        url = str(self.run["database_url"])
        if not url:
            return f"sqlite:///{self.folder / service}.db"
        password = (self.secrets / f"db-{service}.password").read_text().strip()
        return url.replace("{service}", service).replace("{password}", password)

    def pid(self, name: str) -> int:
        return int(self.run["pids"][name])

    def kill(self, name: str) -> int:
        """kill -9 one process by its name, such as `messaging`, `gateway-1` or `nats`; gives its pid."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextlib.contextmanager
    def down(self, name: str) -> Iterator[None]:
        """Kill -9 that process and keep it down inside the block; ready again after it."""
        held = self.folder / "hold" / name
        held.parent.mkdir(exist_ok=True)
        held.touch()
        old = self.kill(name)
        try:
            deadline = time.monotonic() + 10
            while Path(f"/proc/{old}/cmdline").exists() and Path(f"/proc/{old}/cmdline").read_bytes():
                self._not_later_than(deadline, f"{name} did not die")
            yield
        finally:
            held.unlink()
        self.wait_restarted(name, old)

    def send_signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.pid(name), number)

    def wait_restarted(self, name: str, old: int, *, seconds: float = 30) -> None:
        """Return when that process runs again under another pid and is ready."""
        deadline = time.monotonic() + seconds
        while self.pid(name) in (0, old):
            self._not_later_than(deadline, f"{name} was not started again")
        self.wait_ready(seconds=max(1.0, deadline - time.monotonic()))

    def wait_ready(self, *, seconds: float = 60) -> None:
        """Return when every process answers that it is ready."""
        deadline = time.monotonic() + seconds
        while waiting := [name for name, url in self._health() if _status(url) != 200]:
            self._not_later_than(deadline, f"not ready: {', '.join(waiting)}")

    def operator(self) -> httpx.Client:
        """REST as the operator; close it."""
        headers = {"Authorization": f"Bearer {self.operator_token}"}
        return httpx.Client(base_url=self.edges[0], headers=headers, timeout=30, trust_env=False)

    def control(self) -> httpx.Client:
        """The carrier's control API; close it."""
        headers = {"Authorization": f"Bearer {self.carrier_token}"}
        return httpx.Client(base_url=f"{self.carrier}/control", headers=headers, timeout=30, trust_env=False)

    def _health(self) -> list[tuple[str, str]]:
        pages = {"nats": "/healthz"}
        places = self.run["services"].items()
        return [(name, url + pages.get(name, "/health/ready")) for name, urls in places for url in urls]

    def _not_later_than(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline or self.process.poll() is not None:
            raise StackFailed(f"{what}\n{self.log[-3000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def a_stack(
    folder: Path,
    *,
    replicas: str = "",
    postgres_url: str = "",
    env: Mapping[str, str] | None = None,
    carrier: bool = True,
) -> Iterator[Stack]:
    """A house in `folder`, ready; gone afterwards whatever happens.

    `replicas` is such as `gateway=3,workers=2`; `postgres_url` is that of someone who may create roles. `env` reaches
    every process; `CRASH_AT` only the first start of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "SWITCHBOARD_DATA": str(folder),
        "SWITCHBOARD_PORT_BASE": str(ports.free_base()),
        "SWITCHBOARD_REPLICAS": replicas,
        "SWITCHBOARD_ADMIN_DATABASE_URL": postgres_url,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SWITCHBOARD_", "CARRIER_"))}
    command = [sys.executable, "-m", "switchboard", "up", *([] if carrier else ["--no-carrier"])]
    with (folder / "up.log").open("ab") as log:
        process = subprocess.Popen(command, env={**inherited, **own, **(env or {})}, stdout=log, stderr=log)
    stack = Stack(folder, process)
    try:
        deadline = time.monotonic() + _READY_WITHIN
        while not (folder / "run.json").exists():
            stack._not_later_than(deadline, "the stack did not start")
        yield stack
    finally:
        _stop(process, folder)


def _status(url: str) -> int:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=3, trust_env=False).status_code
    return 0


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Ask the supervisor; when it does not end, kill it and what it started."""
    pids: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        pids = json.loads((folder / "run.json").read_text())["pids"]
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        for pid in pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

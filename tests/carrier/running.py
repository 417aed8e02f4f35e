"""Starts a real carrier as a process of its own, for this suite and any other that needs the other side."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from twilio.rest import Client

STARTUP_S = 30.0


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RunningCarrier:
    """One carrier that answers; `control` carries the control token and starts at /control/."""

    folder: Path
    port: int
    env: dict[str, str]
    process: "subprocess.Popen[bytes]" = field(init=False)
    account_sid: str = ""
    auth_token: str = ""
    control: httpx.Client = field(init=False)

    @property
    def base_url(self) -> str:
        """Where REST, control API and health are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def control_token_file(self) -> Path:
        """File with the control token."""
        return Path(self.env.get("CARRIER_CONTROL_TOKEN_FILE") or self.folder / "control.token")

    @property
    def account_path(self) -> str:
        """Path of the main account's resources."""
        return f"/2010-04-01/Accounts/{self.account_sid}"

    def start(self) -> None:
        """Start the process (again) and wait until it is ready."""
        env = {**os.environ, "CARRIER_PORT": str(self.port), "CARRIER_DATA_DIR": str(self.folder), **self.env}
        with (self.folder / "carrier.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "carrier"], env=env, stdout=log, stderr=log)
        self._wait_until_ready()
        file = self.folder / "account.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        self.account_sid = self.env.get("CARRIER_ACCOUNT_SID") or kept["account_sid"]
        self.auth_token = self.env.get("CARRIER_AUTH_TOKEN") or kept["auth_token"]
        headers = {"Authorization": f"Bearer {self.control_token_file.read_text().strip()}"}
        self.control = httpx.Client(base_url=f"{self.base_url}/control", headers=headers, timeout=60, trust_env=False)

    def kill(self) -> None:
        """End the process without any warning."""
        self.process.kill()
        self.process.wait(10)
        self.control.close()

    def stop(self) -> int:
        """Ask the process to end; returns its exit status."""
        self.control.close()
        self.process.terminate()
        try:
            return self.process.wait(15)
        finally:
            if self.process.poll() is None:
                self.process.kill()

    def rest(self, sid: str = "", token: str = "") -> httpx.Client:
        """Open a plain HTTP client with an account's credentials, the main one's by default."""
        auth = (sid or self.account_sid, token or self.auth_token)
        return httpx.Client(base_url=self.base_url, auth=auth, timeout=30, trust_env=False)

    def client(self, sid: str = "", token: str = "", account_sid: str | None = None) -> "Client":
        """Open the provider's official client on this carrier."""
        from twilio.rest import Client  # noqa: PLC0415 - seconds to import, and most suites do without

        client = Client(sid or self.account_sid, token or self.auth_token, account_sid)
        client.api.base_url = self.base_url
        return client

    def fault(self, kind: str, **scope: Any) -> dict[str, Any]:
        """Put a fault in force."""
        answer = self.control.post("/faults", json={"kind": kind, **scope})
        assert answer.status_code == 201, answer.text
        fault: dict[str, Any] = answer.json()
        return fault

    def text(self, sender: str, to: str, body: str, wait_s: float = 20, **more: Any) -> dict[str, Any]:
        """Send a text as a person and wait for its webhook's outcome."""
        order = {"from": sender, "to": to, "body": body, "wait_s": wait_s, **more}
        answer = self.control.post("/texts", json=order)
        assert answer.status_code == 201, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    def received(self, person: str, at_least: int = 1, wait_s: float = 20) -> list[dict[str, Any]]:
        """Read what a person received, waiting for a number of texts."""
        texts: list[dict[str, Any]] = []
        deadline = time.monotonic() + wait_s
        while len(texts) < at_least and time.monotonic() < deadline:
            query: dict[str, Any] = {"person": person, "after": texts[-1]["id"] if texts else 0, "wait_s": 5}
            texts += self.control.get("/received", params=query).json()["texts"]
        return texts

    def ledger(self, kind: str = "", **match: Any) -> list[dict[str, Any]]:
        """Read the whole ledger, or the entries of a kind whose columns have these values."""
        entries: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 5000, "after": 0, **({"kind": kind} if kind else {})}
        while page := self.control.get("/ledger", params=query).json()["entries"]:
            entries += page
            query["after"] = page[-1]["seq"]
        return [entry for entry in entries if all(entry[name] == value for name, value in match.items())]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.base_url}/health/ready", trust_env=False).is_success:
                    return
            time.sleep(0.02)  # another process's start has no event to wait for
        self.process.kill()
        raise AssertionError(f"the carrier did not start: {(self.folder / 'carrier.log').read_text()[-2000:]}")


@contextlib.contextmanager
def running_carrier(folder: Path, **env: str) -> Iterator[RunningCarrier]:
    """Run a carrier in a folder; `env` are its settings without prefix, e.g. `hosts="a.test=127.0.0.1:80"`."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {f"CARRIER_{name.upper()}": value for name, value in env.items()}
    defaults = {"CARRIER_STATUS_STEP_MS": "10", "CARRIER_PRICE_DELAY_MS": "20"}
    carrier = RunningCarrier(folder, free_port(), {**defaults, **given})
    carrier.start()
    try:
        yield carrier
    finally:
        if carrier.process.poll() is None:
            carrier.stop()

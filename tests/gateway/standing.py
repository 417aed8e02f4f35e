"""A gateway with what it needs around it: secrets, snapshots on disk, signed requests as the provider makes them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from common import service
from common.sealed import Sealer
from gateway.app import build
from gateway.settings import Settings
from twilio.request_validator import RequestValidator

from tests.support.servers import free_port

PUBLIC = "https://hooks.switchboard.test"
MAIN, OTHER = "AC" + "1" * 32, "AC" + "2" * 32
TOKENS = {MAIN: "token-of-main", OTHER: "token-of-other"}
OURS, PERSON = "+14155550100", "+14155550199"
ROUTE, OTHER_ROUTE, ORGANISATION = "rt_main", "rt_other", "org_a"
NOWHERE = "nats://127.0.0.1:1"


def sms(n: int = 1, **changed: str | None) -> dict[str, str]:
    """The form of a text as the provider sends it: twenty fields. None takes one away."""
    sid = f"SM{n:032x}"
    form: dict[str, str | None] = {
        "ToCountry": "US",
        "ToState": "CA",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ToCity": "SAN FRANCISCO",
        "FromZip": "94105",
        "SmsSid": sid,
        "FromState": "CA",
        "SmsStatus": "received",
        "FromCity": "SAN FRANCISCO",
        "Body": "Hello, is anyone there? The boiler is making that noise again & I'd like someone to look.",
        "FromCountry": "US",
        "To": OURS,
        "ToZip": "94107",
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": MAIN,
        "From": PERSON,
        "ApiVersion": "2010-04-01",
        "MessagingServiceSid": "MG" + "3" * 32,
    }
    return {name: value for name, value in (form | changed).items() if value is not None}


def status(n: int = 1, **changed: str | None) -> dict[str, str]:
    """The form of a status callback."""
    sid = f"SM{n:032x}"
    form: dict[str, str | None] = {
        "AccountSid": MAIN,
        "From": OURS,
        "To": PERSON,
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
        "ApiVersion": "2010-04-01",
    }
    return {name: value for name, value in (form | changed).items() if value is not None}


def sign(target: str, form: Mapping[str, Any], token: str, *, public: str = PUBLIC) -> dict[str, str]:
    """The headers of a signed request, by the provider's own library."""
    signature = RequestValidator(token).compute_signature(public + target, form)
    return {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Standing:
    """A folder that a gateway starts from."""

    folder: Path
    nats_url: str = NOWHERE
    port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)
    instance: str = "0"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def prepare(self) -> Standing:
        """Secrets and the two snapshots of a last run."""
        key = secrets.token_bytes(32)
        (self.folder / "secrets").mkdir(parents=True, exist_ok=True)
        (self.folder / "secrets" / "credentials.key").write_text(key.hex())
        sealer = Sealer(key)
        routes = [_route(ROUTE, MAIN, OURS), _route(OTHER_ROUTE, OTHER, "+14155550111")]
        credentials = [
            {"provider": "twilio", "account": account, "sealed": sealer.seal(f"twilio/{account}", token)}
            for account, token in TOKENS.items()
        ]
        self._snapshot("directory", {"routes": routes, "tokens": []})
        self._snapshot("credentials", {"credentials": credentials})
        return self

    def beside(self, instance: str) -> Standing:
        """Another instance on the same folder."""
        return Standing(self.folder, self.nats_url, instance=instance)

    def settings(self, **changed: Any) -> Settings:
        values: dict[str, Any] = {
            "nats_auth": False,
            "nats_url": self.nats_url,
            "data": self.folder,
            "secrets": self.folder / "secrets",
            "gateway_port": self.port,
            "internal_port": self.internal_port,
            "public_url": PUBLIC,
            "instance": self.instance,
        }
        return Settings(**(values | changed))

    def environment(self, **more: str) -> dict[str, str]:
        settings = self.settings().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        mine = {f"SWITCHBOARD_{name.upper()}": str(value) for name, value in settings.items()}
        return os.environ | mine | {"SWITCHBOARD_NATS_AUTH": "false"} | more

    def process(self, log: Path | None = None, **more: str) -> subprocess.Popen[bytes]:
        """A real process; wait with `answering`."""
        command = [sys.executable, "-m", "gateway"]
        with (log or self.folder / f"gateway-{self.instance}.log").open("ab") as out:
            return subprocess.Popen(command, env=self.environment(**more), stdout=out, stderr=out)

    def _snapshot(self, name: str, content: dict[str, Any]) -> None:
        path = self.folder / "gateway" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps({"revision": 1, "content": content}))


def _route(route: str, account: str, address: str) -> dict[str, Any]:
    return {
        "route": route,
        "organisation": ORGANISATION,
        "agent": f"agt_{route}",
        "provider": "twilio",
        "account": account,
        "addresses": [{"kind": "e164", "value": address}],
    }


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """That process, gone at the end of the block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(10)


async def answering(url: str, seconds: float = 15) -> None:
    """Return when something answers HTTP there."""
    deadline = time.monotonic() + seconds
    async with httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get(url)
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing answers at {url}")
            await asyncio.sleep(0.02)


class Door:
    """The provider's side of a running gateway."""

    def __init__(self, standing: Standing, client: httpx.AsyncClient) -> None:
        self.standing, self.client = standing, client

    async def post(self, target: str, form: Mapping[str, Any], *, token: str = TOKENS[MAIN]) -> httpx.Response:
        """A request signed with `token`."""
        body = urlencode(form, doseq=True)
        return await self.client.post(target, content=body, headers=sign(target, form, token))

    async def text(self, n: int = 1, route: str = ROUTE, **changed: Any) -> httpx.Response:
        """A signed text."""
        return await self.post(f"/webhooks/{route}/sms", sms(n, **changed))

    async def report(self, n: int = 1, **changed: Any) -> httpx.Response:
        """A signed status callback."""
        return await self.post(f"/webhooks/{ROUTE}/status/att_1", status(n, **changed))

    async def ready(self) -> httpx.Response:
        """What the internal port says."""
        return await self.client.get(f"http://127.0.0.1:{self.standing.internal_port}/health/ready")


@contextlib.asynccontextmanager
async def a_door(standing: Standing, **changed: Any) -> AsyncIterator[Door]:
    """A gateway in this process, and a client for it."""
    settings = standing.settings(**changed)
    async with service.running(await build(settings), settings):
        await answering(standing.url)
        async with httpx.AsyncClient(base_url=standing.url) as client:
            yield Door(standing, client)

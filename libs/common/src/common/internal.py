"""The internal port: health for the machine that runs us, metrics for the machine that watches us. Never public."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common.errors import SwitchboardError

Check = Callable[[], Awaitable[None]]


@dataclass
class Health:
    """What must answer for us to be ready, and what may fail while we are only degraded."""

    required: dict[str, Check] = field(default_factory=dict)
    wanted: dict[str, Check] = field(default_factory=dict)

    async def report(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body of `/health/ready`: a real round trip to each dependency, all at once."""
        names = [*self.required, *self.wanted]
        found = await asyncio.gather(*map(_try, [*self.required.values(), *self.wanted.values()]))
        checks = dict(zip(names, found, strict=True))
        broken = [name for name in self.required if checks[name] != "ok"]
        degraded = [name for name in self.wanted if checks[name] != "ok"]
        status = "unavailable" if broken else "degraded" if degraded else "ready"
        return (503 if broken else 200), {"status": status, "checks": checks}


async def _try(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), 2)
    except SwitchboardError as error:
        return error.detail
    except TimeoutError:
        return "no answer within 2 s"
    except Exception as error:
        return repr(error)
    return "ok"


class InternalApp:
    """`/health`, `/health/ready` and `/metrics`, as bare ASGI."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/metrics":
            await _respond(send, 200, generate_latest(), CONTENT_TYPE_LATEST)
        elif path == "/health":
            await _respond(send, 200, b'{"status":"alive"}', "application/json")
        elif path == "/health/ready":
            status, body = await self._health.report()
            await _respond(send, status, orjson.dumps(body), "application/json")
        else:
            await _respond(send, 404, b'{"status":"no such page"}', "application/json")


async def _respond(send: Any, status: int, body: bytes, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """A uvicorn that leaves signals to the process that owns it."""

    def install_signal_handlers(self) -> None:
        """Nothing: `service.run` listens for signals."""

    def capture_signals(self) -> Any:
        """Nothing, as above."""
        import contextlib  # noqa: PLC0415

        return contextlib.nullcontext()


def server(app: Any, host: str, port: int, *, protocol: type[asyncio.Protocol] | Literal["auto"] = "auto") -> Server:
    """An HTTP server for `app` that logs nothing itself; requests are logged by whoever answers them."""
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=protocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=30,
        )
    )

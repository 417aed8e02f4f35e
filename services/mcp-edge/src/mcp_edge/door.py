"""What every request passes before anything looks at it: host, token, size. Bare ASGI, the same for tools and REST."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from common import metrics, problems
from common.errors import Rejected, SwitchboardError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_edge.gate import Gate, Unauthorised
from mcp_edge.metrics import TURNED_AWAY
from mcp_edge.protocol import Protocol
from mcp_edge.refusal import more

BODY_LIMIT = 64 * 1024
_OPEN = "/v1/openapi.json"

log = structlog.get_logger()


class Door:
    """The ASGI application of the public port."""

    def __init__(self, gate: Gate, protocol: Protocol, rest: ASGIApp, hosts: frozenset[str]) -> None:
        self._gate, self._protocol, self._rest, self._hosts = gate, protocol, rest, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            await self._serve(scope, receive, send)
        except SwitchboardError as error:
            await self._turn_away(scope, send, error)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self._check_names(headers)
        path = scope["path"]
        if path == _OPEN:
            return await self._rest(scope, receive, send)
        scope["principal"] = await self._gate.let_in(headers.get(b"authorization", b"").decode("latin-1"))
        if path == "/mcp" and scope["method"] == "GET":
            return await _reply(send, 405, {"allow": "POST"}, b"")  # stateless: there is no stream to pick up
        body = await _read(headers, receive)
        if path == "/mcp":
            return await self._protocol.handle(scope, _again(body, receive), send, body)
        return await self._rest(scope, _again(body, receive), send)

    def _check_names(self, headers: dict[bytes, bytes]) -> None:
        """A page in somebody's browser must not reach us under a name that it made point here."""
        if _host(headers.get(b"host", b"").decode("latin-1")) not in self._hosts:
            raise Rejected("this host name is not served here; see edge_allowed_hosts", code="forbidden")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and (urlsplit(origin).hostname or "") not in {host.strip("[]") for host in self._hosts}:
            raise Rejected("pages of this origin may not call here", code="forbidden")

    async def _turn_away(self, scope: Scope, send: Send, error: SwitchboardError) -> None:
        problem = problems.of(error, **more(error))
        status, headers = problem.status, dict(problem.headers)
        if isinstance(error, Unauthorised):
            headers["www-authenticate"] = _challenge(scope)
        TURNED_AWAY.labels(error.code).inc()
        log.info("turned_away", path=scope["path"][:4], code=error.code, status=status)
        await _reply(send, status, headers, problem.body)


def _challenge(scope: Scope) -> str:
    """RFC 6750: no error code where no token was sent."""
    sent = any(name == b"authorization" for name, _ in scope["headers"])
    return 'Bearer realm="switchboard"' + (', error="invalid_token"' if sent else "")


def _host(header: str) -> str:
    """Without its port."""
    host = header.lower()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


async def _read(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The whole body. `too_large` as soon as that is known, without keeping what came."""
    declared = headers.get(b"content-length", b"0")
    too_large = Rejected(f"the body is larger than {BODY_LIMIT} bytes", code="too_large")
    if declared.isdigit() and int(declared) > BODY_LIMIT:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Rejected("the caller is gone", code="gone")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_LIMIT:
            raise too_large
        if not message.get("more_body", False):
            return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """The body once more for who reads it next, then whatever the connection says."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _reply(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    metrics.HTTP.labels("door", str(status)).inc()
    pairs: list[Any] = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})

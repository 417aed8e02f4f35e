"""The outermost layer: gives each request an id, sends REST past the slower framework, logs one line.

Also hands out the means to cut a connection, which only the server's own `send` has.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()
DIGITS = re.compile(r"\d{3,}(?=\d{4}(?!\d))")
REST_PATHS = ("/2010-04-01/", "/media-store/")


class Door:
    """An ASGI app in front of two others."""

    def __init__(self, rest: ASGIApp, control: ASGIApp) -> None:
        self._rest, self._control = rest, control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._control(scope, receive, send)
            return
        request_id, started, answered = "RQ" + secrets.token_hex(16), time.monotonic(), [0]

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered[0] = message["status"]
            await send(message)

        scope.setdefault("state", {}).update(request_id=request_id, cut=cutter(send))
        app = self._rest if scope["path"].startswith(REST_PATHS) else self._control
        try:
            await app(scope, receive, counted)
        finally:
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                path=masked(scope["path"]),
                status=answered[0] or "cut",
                ms=round((time.monotonic() - started) * 1000, 1),
            )


def cutter(send: Send) -> Callable[[], Awaitable[None]]:
    """Build what closes this request's TCP connection without an answer."""

    async def cut() -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is None:
            raise RuntimeError("connections can only be cut under uvicorn")
        transport.abort()
        # The server must notice before this request ends, or it tries to answer.
        for _ in range(3):
            await asyncio.sleep(0)

    return cut


def masked(path: str) -> str:
    """Hide phone numbers in a path but for their last four digits; sids are no secret."""
    return "/".join(DIGITS.sub("…", part) if part[:1] in "+0123456789" else part for part in path.split("/"))

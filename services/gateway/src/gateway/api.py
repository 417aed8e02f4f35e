"""What comes in over HTTP. The webhooks are bare ASGI, since most of a request's time would be a framework's.

It commits before it answers and depends on nothing but its own disk.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from common import problems
from common.crash import crash
from common.errors import SwitchboardError
from common.messages import Event
from common.spool import Spool
from fastapi import FastAPI, Request, Response

from gateway.accounts import Accounts
from gateway.domain import Admission
from gateway.providers.port import Answer, Provider, Webhook
from gateway.requests import Gone, Receive, read

Send = Callable[[dict[str, Any]], Awaitable[None]]

_PATH = re.compile(r"/webhooks/([A-Za-z0-9_-]{1,64})/(?:(sms)|(status)/([A-Za-z0-9_-]{1,64}))")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, ready to send, and what to count it as."""

    status: int
    outcome: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


Noted = dict[bool, Reply]
"""The answer to what is new, and to what was there already."""


def _reply(status: int, outcome: str, headers: Mapping[str, str], body: bytes) -> Reply:
    whole = {**headers, "content-length": str(len(body))}
    return Reply(status, outcome, [(name.encode(), value.encode()) for name, value in whole.items()], body)


def _taken(answer: Answer) -> Noted:
    headers = {"content-type": answer.content_type}
    return {
        new: _reply(answer.status, outcome, headers, answer.body)
        for new, outcome in ((True, "stored"), (False, "repeat"))
    }


_NOTED: Noted = {True: Reply(204, "stored", [], b""), False: Reply(204, "repeat", [], b"")}
_IGNORED = Reply(204, "ignored", [], b"")
_FAILED = _reply(
    500, "failed", {"content-type": problems.CONTENT_TYPE}, problems.problem(500, "internal", "Failed", "it is logged")
)


class Webhooks:
    """The hot routes; everything else goes to `rest`."""

    def __init__(
        self,
        admission: Admission,
        providers: Iterable[Provider],
        spool: Spool,
        accounts: Accounts,
        body_limit: int,
        rest: Any,
    ) -> None:
        self._admission, self._spool, self._accounts = admission, spool, accounts
        self._limit, self._rest = body_limit, rest
        self._taken = {one.name: _taken(one.taken) for one in providers}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request and account for it."""
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._rest(scope, receive, send)
            return
        started = time.perf_counter()
        route, kind, _, attempt = found.groups()
        try:
            reply = await self._take(route, attempt, scope, receive)
        except Gone:
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})
        crash("g3")
        self._accounts.add(kind or "status", reply.status, reply.outcome, time.perf_counter() - started)

    async def _take(self, route: str, attempt: str | None, scope: dict[str, Any], receive: Receive) -> Reply:
        try:
            webhook = await read(scope, receive, self._limit)
            event, noted = self._text(route, webhook) if attempt is None else self._report(route, attempt, webhook)
            if event is None:
                return _IGNORED
            crash("g1")
            new = await self._spool.append(event)
            crash("g2")
            return noted[new]
        except SwitchboardError as error:
            refusal = problems.of(error)
            return _reply(refusal.status, getattr(error, "reason", error.code), refusal.headers, refusal.body)
        except Gone:
            raise
        except Exception:
            log.exception("webhook_failed")
            return _FAILED

    def _text(self, route: str, webhook: Webhook) -> tuple[Event | None, Noted]:
        provider, sms = self._admission.sms(route, webhook)
        return sms, self._taken[provider.name]

    def _report(self, route: str, attempt: str, webhook: Webhook) -> tuple[Event | None, Noted]:
        return self._admission.status(route, attempt, webhook), _NOTED


def rest() -> FastAPI:
    """The pages that are not in a hurry. Unknown ones answer a problem."""
    app = FastAPI(title="Switchboard gateway", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(404)
    async def unknown(request: Request, error: Exception) -> Response:
        body = problems.problem(404, "not_found", "Not found", "there is no such page")
        return Response(body, 404, media_type=problems.CONTENT_TYPE)

    return app

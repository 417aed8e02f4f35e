"""What comes in over HTTP. The webhooks are bare ASGI, since most of a request's time would be a framework's.

It commits before it answers and depends on nothing but its own disk.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog
from common import problems
from common.crash import crash
from common.errors import SwitchboardError
from common.messages import Event
from common.spool import Spool
from fastapi import FastAPI, Response
from fastapi import Request as Page

from gateway.accounts import Accounts
from gateway.domain import Admission
from gateway.protocol import head
from gateway.providers.port import Answer, Provider, Webhook
from gateway.requests import Gone, Receive, Reply, Request, body_of, read

Send = Callable[[dict[str, Any]], Awaitable[None]]

_PATH = re.compile(r"/webhooks/([A-Za-z0-9_-]{1,64})/(?:(sms)|(status)/([A-Za-z0-9_-]{1,64}))")

log = structlog.get_logger()


Noted = dict[bool, Reply]
"""The answer to what is new, and to what was there already."""


def _reply(status: int, outcome: str, headers: Mapping[str, str], body: bytes) -> Reply:
    whole = {**headers, "content-length": str(len(body))} if body else headers
    pairs = [(name.encode(), value.encode()) for name, value in whole.items()]
    return Reply(status, outcome, pairs, head(status, pairs), body)


def _taken(answer: Answer) -> Noted:
    headers = {"content-type": answer.content_type}
    return {
        new: _reply(answer.status, outcome, headers, answer.body)
        for new, outcome in ((True, "stored"), (False, "repeat"))
    }


_NOTED: Noted = {True: _reply(204, "stored", {}, b""), False: _reply(204, "repeat", {}, b"")}
_IGNORED = _reply(204, "ignored", {}, b"")
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
        self.limit, self._rest = body_limit, rest
        self._taken = {one.name: _taken(one.taken) for one in providers}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request that is not for the short way of `protocol`."""
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._rest(scope, receive, send)
            return
        try:
            request, reply = await self._asked(found, scope, receive)
        except Gone:
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})
        self.answered(request, reply)

    async def _asked(self, found: re.Match[str], scope: dict[str, Any], receive: Receive) -> tuple[Request, Reply]:
        request = _request(found, scope)
        try:
            if request.method == "POST":
                request = request._replace(body=await body_of(request.headers, receive, self.limit))
        except SwitchboardError as error:
            return request, _refusal(error)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.receive(request, lambda given: None if reply.done() else reply.set_result(given))
        return request, await reply

    def receive(self, request: Request, done: Callable[[Reply], None]) -> None:
        """Give `done` the answer: a refusal at once, else when the event is durable."""
        try:
            webhook = read(request)
            event, noted = self._event(request, webhook)
            if event is None:
                done(_IGNORED)
                return
            crash("g1")
            stored = self._spool.append(event)
        except SwitchboardError as error:
            done(_refusal(error))
        except Exception:
            log.exception("webhook_failed")
            done(_FAILED)
        else:
            stored.add_done_callback(lambda _: done(_outcome(stored, noted)))

    def answered(self, request: Request, reply: Reply) -> None:
        """Account for it."""
        crash("g3")
        self._accounts.add(request.kind, reply.status, reply.outcome, time.perf_counter() - request.began)

    def _event(self, request: Request, webhook: Webhook) -> tuple[Event | None, Noted]:
        if request.attempt is None:
            return self._text(request.route, webhook)
        return self._report(request.route, request.attempt, webhook)

    def _text(self, route: str, webhook: Webhook) -> tuple[Event | None, Noted]:
        provider, sms = self._admission.sms(route, webhook)
        return sms, self._taken[provider.name]

    def _report(self, route: str, attempt: str, webhook: Webhook) -> tuple[Event | None, Noted]:
        return self._admission.status(route, attempt, webhook), _NOTED


def _request(found: re.Match[str], scope: dict[str, Any]) -> Request:
    route, kind, _, attempt = found.groups()
    query: bytes = scope["query_string"]
    target = (scope["raw_path"] + b"?" + query if query else scope["raw_path"]).decode("latin-1")
    headers = dict(scope["headers"])
    return Request(route, kind or "status", attempt, scope["method"], target, headers, query, b"", time.perf_counter())


def _refusal(error: SwitchboardError) -> Reply:
    refusal = problems.of(error)
    return _reply(refusal.status, getattr(error, "reason", error.code), refusal.headers, refusal.body)


def _outcome(stored: asyncio.Future[bool], noted: Noted) -> Reply:
    error = stored.exception()
    if error is None:
        crash("g2")
        return noted[stored.result()]
    if isinstance(error, SwitchboardError):
        return _refusal(error)
    log.error("webhook_failed", exc_info=error)
    return _FAILED


def rest() -> FastAPI:
    """The pages that are not in a hurry. Unknown ones answer a problem."""
    app = FastAPI(title="Switchboard gateway", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(404)
    async def unknown(request: Page, error: Exception) -> Response:
        body = problems.problem(404, "not_found", "Not found", "there is no such page")
        return Response(body, 404, media_type=problems.CONTENT_TYPE)

    return app

"""One REST operation: credentials, faults, the handler, the answer. Refuses in the provider's own words."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from carrier.accounts import Account
from carrier.errors import ProviderError, not_found, unauthenticated
from carrier.faults import AFTER, BEFORE, Fault
from carrier.ledger import Facts
from carrier.plant import Plant
from carrier.rest.params import Params

BASE = "/2010-04-01"
LARGEST_FORM = 1 << 20
log = structlog.get_logger()


@dataclass(frozen=True)
class Call:
    """A request whose credentials were checked."""

    account: Account
    caller: Account
    path: Mapping[str, str]
    query: Params
    form: Params
    facts: Facts
    url: str


@dataclass(frozen=True)
class Reply:
    """What a handler answers: JSON, or nothing with 204."""

    content: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


Handler = Callable[[Call], Awaitable[Reply]]


class Desk:
    """Collects operations into routes."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.routes: list[Route] = []

    def on(self, method: str, path: str, operation: str) -> Callable[[Handler], Handler]:
        """Serve an operation under its name, by which faults find it."""

        def register(handler: Handler) -> Handler:
            endpoint = Operation(self.plant, operation, handler)
            self.routes.append(Route(BASE + path, endpoint, methods=[method]))
            return handler

        return register


class Operation:
    """The ASGI endpoint around one handler."""

    def __init__(self, plant: Plant, name: str, handler: Handler) -> None:
        self._plant, self._name, self._handler = plant, name, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut the line if a fault says so."""
        request_id = scope["state"]["request_id"]
        try:
            response = await self._answer(scope, receive, request_id)
        except _Cut:
            await scope["state"]["cut"]()
            return
        except ProviderError as error:
            response = _json(error.body(), error.status, error.headers)
        except Exception:
            log.exception("operation failed", operation=self._name, request_id=request_id)
            response = _json(ProviderError(500, 20500, "Internal server error").body(), 500, {})
        response.headers["Twilio-Request-Id"] = request_id
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Response:
        call = _understand(self._plant, scope, await _body(receive), request_id)
        await self._strike_before(call)
        reply = await self._handler(call)
        self._strike_after(call)
        if reply.raw is not None or reply.status == 204:
            return Response(reply.raw, reply.status, reply.headers)
        return _json(reply.content, reply.status, reply.headers)

    async def _strike_before(self, call: Call) -> None:
        faults, account = self._plant.faults, call.account.sid
        if slow := faults.draw(("delay",), self._name, account):
            await asyncio.sleep(slow.seconds)
        if fault := faults.draw(_possible(self._name), self._name, account):
            raise _refusal(fault)

    def _strike_after(self, call: Call) -> None:
        if fault := self._plant.faults.draw(AFTER, self._name, call.account.sid):
            raise _refusal(fault)


class _Cut(Exception):
    """The connection ends here, without an answer."""


def _possible(operation: str) -> tuple[Any, ...]:
    return BEFORE if operation == "numbers.buy" else tuple(kind for kind in BEFORE if kind != "number_taken")


def _refusal(fault: Fault) -> Exception:
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after is not None else {}
    if fault.kind == "429":
        return ProviderError(429, 20429, "Too Many Requests", headers | {"Twilio-Concurrent-Requests": "100"})
    if fault.kind in ("5xx", "5xx_after"):
        return ProviderError(fault.status, 20500, "Internal server error", headers)
    if fault.kind == "number_taken":
        return ProviderError(400, 21422, "PhoneNumber Requested is not available")
    return _Cut()


def _understand(plant: Plant, scope: Scope, body: bytes, request_id: str) -> Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = {name: str(value) for name, value in scope["path_params"].items()}
    caller = _caller(plant, headers.get("authorization", ""))
    account = _subject(plant, caller, path.get("AccountSid"), scope["method"], scope["path"])
    query = scope["query_string"].decode("latin-1")
    facts = Facts(request_id, headers.get("x-request-id", "")[:200], headers.get("user-agent", "")[:200])
    form = Params(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Call(account, caller, path, Params(parse_qsl(query, keep_blank_values=True)), form, facts, scope["path"])


def _caller(plant: Plant, header: str) -> Account:
    scheme, _, encoded = header.partition(" ")
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise unauthenticated() from error
    caller = plant.accounts.authenticate(username, password) if scheme.lower() == "basic" else None
    if caller is None or caller.status == "closed":
        raise unauthenticated()
    return caller


def _subject(plant: Plant, caller: Account, sid: str | None, method: str, path: str) -> Account:
    """Return the account a path speaks of: the caller's own, or one it owns."""
    if caller.status == "suspended" and method not in ("GET", "HEAD"):
        raise ProviderError(403, 20005, "Account not active")
    if sid is None or sid == caller.sid:
        return caller
    account = plant.accounts.by_sid.get(sid)
    if account is None:
        raise not_found(path)
    if account.owner_sid != caller.sid:
        raise unauthenticated()
    return account


async def _body(receive: Receive) -> bytes:
    chunks, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Cut
        chunks += message.get("body", b"")
        more = message.get("more_body", False)
        if len(chunks) > LARGEST_FORM:
            raise ProviderError(413, 20001, "Request body is larger than 1 MB")
    return bytes(chunks)


def _json(content: Any, status: int, headers: Mapping[str, str]) -> Response:
    return Response(orjson.dumps(content), status, dict(headers), "application/json")

"""Reads one HTTP request into a webhook: bounded, UTF-8, form-encoded. Refuses everything else before looking at it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.providers.port import Webhook
from gateway.refusals import Refused

Receive = Callable[[], Awaitable[dict[str, Any]]]

_FORM = b"application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_SHORT = 24


class Gone(Exception):
    """The sender hung up before the end of its request: nobody waits for an answer."""


class Request(NamedTuple):
    """One request for a hot route, whole, as it came."""

    route: str
    kind: str
    """`sms` or `status`."""
    attempt: str | None
    method: str
    target: str
    headers: dict[bytes, bytes]
    query: bytes
    body: bytes
    began: float
    """When, by `time.perf_counter`."""


class Reply(NamedTuple):
    """One answer, ready to send, and what to count it as."""

    status: int
    outcome: str
    headers: list[tuple[bytes, bytes]]
    head: bytes
    """The status line and the headers as they are sent, without the empty line after them."""
    body: bytes


async def body_of(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The whole body of a POST; `too_large` as soon as that is known."""
    if _announced(headers) > limit:
        raise _too_large(limit)
    return await _body(receive, limit)


def read(request: Request) -> Webhook:
    """The request with its parameters, from the form of a POST or the query of a GET."""
    if request.method == "GET":
        return _webhook(request, request.query)
    if request.method != "POST":
        raise Refused("use POST, or GET where the provider is set so", code="wrong_method")
    if not request.headers.get(b"content-type", b"").lower().startswith(_FORM):
        raise Refused(f"send {_FORM.decode()}", code="wrong_type")
    return _webhook(request, request.body)


def _announced(headers: dict[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


async def _body(receive: Receive, limit: int) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return body


def _webhook(request: Request, form: bytes) -> Webhook:
    """With every parameter in order, blank ones too: each is part of the signature."""
    try:
        fields = parameters(form.decode())
    except UnicodeDecodeError:
        raise Refused("the parameters are not UTF-8", code="invalid", reason="not_utf8") from None
    return Webhook(request.method, request.target, request.headers, fields, dict(fields))


def parameters(form: str) -> list[tuple[str, str]]:
    """As `urllib.parse.parse_qsl` with blank values kept and strict UTF-8, at a third of its time."""
    pairs = form.replace("+", " ").split("&")
    if len(pairs) > _MOST_FIELDS:
        raise Refused(f"more than {_MOST_FIELDS} parameters", code="invalid", reason="too_many_fields")
    fields = []
    for pair in pairs:
        name, _, value = pair.partition("=")
        if "%" in pair:
            fields.append((_decoded(name), _decoded(value)))
        elif pair:
            fields.append((name, value))
    return fields


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    return _short(text) if len(text) <= _SHORT else unquote_to_bytes(text).decode()


@lru_cache(maxsize=4096)
def _short(text: str) -> str:
    """A number, mostly: the same few come again and again."""
    return unquote_to_bytes(text).decode()


def _too_large(limit: int) -> Refused:
    return Refused(f"the body has more than {limit} bytes", code="too_large")

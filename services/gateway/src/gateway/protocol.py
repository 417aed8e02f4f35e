"""HTTP as uvicorn speaks it, with a shorter way for plain webhooks: no task, no messages of ASGI, one write.

Those took a third of a webhook's time. Whatever is not plain, or not for the hot routes, goes uvicorn's own way.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.requests import Reply, Request

_PLAIN = re.compile(rb"/webhooks/([A-Za-z0-9_-]{1,64})/(?:(sms)|status/([A-Za-z0-9_-]{1,64}))(?:\?[!-~]*)?")


class Webhooks(Protocol):
    """The application behind: what a short way needs of it."""

    limit: int

    def receive(self, request: Request, done: Callable[[Reply], None]) -> None:
        """Give `done` the answer, at once or later."""

    def answered(self, request: Request, reply: Reply) -> None:
        """The answer is on its way."""


class _Nobody:
    """Stands where uvicorn keeps who waits for a request's body."""

    def set(self) -> None:
        """Nobody waits."""


class _Short:
    """A request on the short way; uvicorn knows it as its connection's cycle."""

    __slots__ = ("body", "disconnected", "found", "keep_alive", "message_event", "more_body", "response_complete")

    def __init__(self, found: re.Match[bytes]) -> None:
        self.found = found
        self.body = b""
        self.more_body = self.keep_alive = True
        self.response_complete = self.disconnected = False
        self.message_event = _Nobody()


class ShortWay(HttpToolsProtocol):
    """One connection."""

    _defaults: tuple[Any, bytes] = ([], b"")
    """Headers of every answer, which uvicorn replaces each second, and their bytes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._webhooks = cast(Webhooks, self.app)

    def on_headers_complete(self) -> None:
        """Choose the way."""
        found = self._plain()
        if found is None:
            super().on_headers_complete()
        else:
            self.cycle = _Short(found)  # type: ignore[assignment] # it has what uvicorn looks at

    def on_message_complete(self) -> None:
        """The request is whole."""
        short: Any = self.cycle
        if short.__class__ is not _Short:
            super().on_message_complete()
            return
        route, text, attempt = short.found.groups()
        request = Request(
            route.decode(),
            "sms" if text else "status",
            attempt.decode() if attempt else None,
            "POST",
            self.url.decode("latin-1"),
            dict(self.headers),
            b"",
            short.body,
            time.perf_counter(),
        )
        self._webhooks.receive(request, lambda reply: self._answer(short, request, reply))

    def _plain(self) -> re.Match[bytes] | None:
        """The route, when nothing about the request is out of the ordinary."""
        cycle: Any = self.cycle
        busy = cycle is not None and not cycle.response_complete
        if busy or self.expect_100_continue or self.flow.write_paused or self.parser.get_method() != b"POST":
            return None
        if self.parser.should_upgrade() or not self.parser.should_keep_alive():
            return None
        if self.parser.get_http_version() != "1.1":
            return None
        length = dict(self.headers).get(b"content-length", b"")
        if not length.isdigit() or int(length) > self._webhooks.limit:
            return None
        return _PLAIN.fullmatch(self.url)

    def _answer(self, short: _Short, request: Request, reply: Reply) -> None:
        short.response_complete = True
        if self.transport.is_closing():
            return
        close = b"" if short.keep_alive else b"connection: close\r\n"
        self.transport.write(b"".join((reply.head, self._default_headers(), close, b"\r\n", reply.body)))
        self._webhooks.answered(request, reply)
        if not short.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _default_headers(self) -> bytes:
        known, raw = ShortWay._defaults
        headers = self.server_state.default_headers
        if known is not headers:
            raw = b"".join([b"%b: %b\r\n" % pair for pair in headers])
            ShortWay._defaults = headers, raw
        return raw


def head(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The beginning of an answer, up to the headers that every answer has."""
    return b"".join([STATUS_LINE[status], *[b"%b: %b\r\n" % pair for pair in headers]])

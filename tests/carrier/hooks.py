"""A real web server that takes webhooks, remembers them, and answers as a test tells it to."""

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import uvicorn
from starlette.types import Receive, Scope, Send

HOST = "hooks.example.test"
TWIML = "text/xml"


@dataclass(frozen=True)
class Request:
    """One webhook request as received."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    pairs: list[tuple[str, str]]

    @property
    def params(self) -> dict[str, str]:
        """Parameters of the form, or of the query for GET."""
        return dict(self.pairs)

    @property
    def url(self) -> str:
        """The public URL that was signed."""
        return f"https://{HOST}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def form(self) -> dict[str, Any]:
        """The form as the official validator wants it."""
        if self.method == "GET":
            return {}
        return {k: v[0] if len(v) == 1 else v for k, v in parse_qs(urlencode(self.pairs), True).items()}


@dataclass
class Reply:
    """What the server answers; `wait` holds the answer back until it is set."""

    status: int = 200
    body: str = "<Response/>"
    content_type: str = TWIML
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None


@dataclass
class Hooks:
    """The server; each path has its own queue of requests and its own replies, the last one repeated."""

    port: int = 0
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    queues: dict[str, "Queue[Request]"] = field(default_factory=lambda: defaultdict(Queue))

    def url(self, path: str) -> str:
        """Public URL of a path."""
        return f"https://{HOST}{path}"

    def next(self, path: str, timeout: float = 20) -> Request:
        """Wait for the next request to a path."""
        return self.queues[path].get(timeout=timeout)

    def count(self, path: str) -> int:
        """Requests to a path nobody has taken yet."""
        return self.queues[path].qsize()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        query, path = scope["query_string"].decode(), scope["path"]
        pairs = parse_qsl(query if scope["method"] == "GET" else body.decode(), keep_blank_values=True)
        self.queues[path].put(Request(scope["method"], path, query, headers, pairs))
        await self._answer(path, send)

    async def _answer(self, path: str, send: Send) -> None:
        replies = self.replies.get(path) or [Reply()]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if reply.wait:
            await asyncio.to_thread(reply.wait.wait, 20)
        extra = [(k.encode(), v.encode()) for k, v in reply.headers.items()]
        kind = [(b"content-type", reply.content_type.encode())] if reply.content_type else []
        await send({"type": "http.response.start", "status": reply.status, "headers": [*kind, *extra]})
        await send({"type": "http.response.body", "body": reply.body.encode()})


@contextlib.contextmanager
def running_hooks(port: int) -> Iterator[Hooks]:
    """Serve webhooks on a port in a thread."""
    hooks = Hooks(port)
    server = uvicorn.Server(uvicorn.Config(hooks, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)  # the server's start has no event to wait for
    try:
        yield hooks
    finally:
        server.should_exit = True
        thread.join(10)

"""The one way to the broker: events out and in, orders and queries asked and served."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import nats
import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from pydantic import BaseModel, ValidationError

from common import envelope, errors, logs, metrics, together
from common.consumer import Consumer, Delivery
from common.errors import Rejected, SwitchboardError, Unavailable
from common.messages import Event, Order, Query, Request
from common.relay import Relay, Source
from common.tasks import Supervisor
from common.together import Together

if TYPE_CHECKING:
    from common.db import Database
    from common.outbox import Outbox

E = TypeVar("E", bound=Event)
R = TypeVar("R", bound=BaseModel)
Q = TypeVar("Q", bound=Request[Any])

ORDER_TOTAL = 6.0
"""Seconds for asking again with the same id (each try for the order's `patience`) until the answer is `pending`."""

QUERY_DEADLINE = 5.0

_OUTBOX_PACE = 0.02
"""Seconds between publications of a service that is busy: who waits for what it does is answered, not told."""

_ASKING = 30
"""Seconds an answer to a ping may be late: by then the client has noticed by itself that the broker is gone."""

_RESULT = b'{"result":'
"""How every answer begins that is no refusal; what follows is the result itself, read without an unpacked copy."""

log = structlog.get_logger()


class Bus:
    """One connection, as one user with that service's rights. Register everything, then `start()`."""

    def __init__(self, service: str, url: str, *, user: str = "", password: str = "") -> None:
        self.service = service
        self._options: dict[str, Any] = {
            "servers": url,
            "name": service,
            "user": user or None,
            "password": password or None,
            "inbox_prefix": f"_INBOX_{service}".encode(),
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.25,
            "connect_timeout": 2,
            "ping_interval": 5,
            "max_outstanding_pings": 2,
            "pending_size": 32 * 1024**2,
            "reconnected_cb": self._reconnected,
            "error_cb": _log_error,
        }
        self._client: Client | None = None
        self._pending: list[tuple[list[str], str, Callable[[Delivery], Awaitable[None]], float]] = []
        self._sources: list[tuple[Source, float]] = []
        self._signals: list[tuple[str, Callable[[Msg], Awaitable[None]]]] = []
        self._served: list[tuple[str, str, Callable[[Msg], Awaitable[None]]]] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Subscription] = []
        self._consumers: list[Consumer] = []
        self._relays: list[Relay] = []
        self._on_reconnect: list[Callable[[], Awaitable[None]]] = []
        self._tasks = Supervisor()
        self._together = Together(self._send)

    @property
    def client(self) -> Client:
        """The connection itself, for what has no verb here. `Unavailable` before `start()`."""
        if self._client is None:
            raise Unavailable("not connected to the broker yet", code="bus")
        return self._client

    @property
    def connected(self) -> bool:
        """Whether the broker answers at this moment, as far as the client knows."""
        return self._client is not None and self._client.is_connected

    async def ping(self) -> None:
        """A real round trip; raises `Unavailable` when the broker does not answer within a second.

        The client breaks the connection over an answer to somebody who gave up, so the asking itself goes on.
        """
        asking = asyncio.ensure_future(self.client.flush(timeout=_ASKING))
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(1):
                await asyncio.shield(asking)
        except Exception as error:
            raise Unavailable(f"the broker does not answer: {error!r}", code="bus") from error

    # registering

    def subscribe(
        self, event: type[E], durable: str, handler: Callable[[E], Awaitable[None]], *, pace: float = 0.0
    ) -> None:
        """Handle every `event`, of all organisations, at least once. `durable` names the handler for ever.

        `pace` is how many seconds they may gather before they are read, for what nobody waits for.
        """

        async def handle(delivery: Delivery) -> None:
            decoded = envelope.decode(delivery.body)
            structlog.contextvars.bind_contextvars(trace=decoded.traceparent[3:35], organisation=decoded.organisation)
            await handler(decoded)  # type: ignore[arg-type] # the subject bound the class

        self.subscribe_raw([event.pattern()], durable, handle, pace=pace)

    def subscribe_raw(
        self,
        subjects: list[str],
        durable: str,
        handler: Callable[[Delivery], Awaitable[None]],
        *,
        pace: float = 0.0,
    ) -> None:
        """Handle whatever arrives on `subjects`, as bytes."""
        self._pending.append((subjects, f"{self.service}-{durable}", handler, pace))

    def serve(self, request: type[Q], handler: Callable[[Q], Awaitable[BaseModel]]) -> None:
        """Answer this order or query; replicas share the work, unless it is for everyone."""
        if request.owner() != self.service:
            raise TypeError(f"{request.__name__} belongs to {request.owner()}, not to {self.service}")

        async def answer(message: Msg) -> None:
            asked = together.split(message.data)
            if len(asked) == 1:
                await message.respond(await _answer(request, handler, message.data))
            else:
                answers = await asyncio.gather(*(_answer(request, handler, one) for one in asked))
                await message.respond(together.join(answers))

        queue = "" if request.everyone else self.service
        self._served.append((request.pattern(), queue, answer))

    def relay(self, source: Source, *, pace: float = 0.0) -> None:
        """Publish what this outbox or spool holds, `pace` seconds apart at least."""
        self._sources.append((source, pace))

    def outbox(self, database: Database) -> Outbox:
        """Give `database` an outbox whose rows this bus publishes."""
        from common.outbox import Outbox  # noqa: PLC0415 - only for who has a database

        outbox = Outbox(database, self.service)
        self.relay(outbox, pace=_OUTBOX_PACE)
        return outbox

    def listen(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> None:
        """Hear a core subject while connected: a hint that may be missed, never a record."""
        self._signals.append((subject, callback))

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call this after each reconnect: the broker may have lost what it had."""
        self._on_reconnect.append(callback)

    # life

    async def start(self, *, wait: bool = True) -> None:
        """Connect and begin; with `wait=False` in the background, for a service that can work without a broker."""
        if wait:
            await self._begin()
        else:
            self._tasks.start("connect", self._begin_when_possible)

    async def stop(self) -> None:
        """Stop reading, finish what is in hand, then disconnect."""
        for subscription in self._subscriptions:
            await subscription.drain()  # type: ignore[no-untyped-call] # nats-py leaves it untyped
        while self._answering:
            await asyncio.wait(self._answering)
        await asyncio.gather(*(consumer.drain() for consumer in self._consumers))
        await self._tasks.stop()
        if self._client is not None:
            with contextlib.suppress(NatsError, OSError):  # the broker may be gone at this very moment
                await self._client.close()
            self._client = None

    async def _begin_when_possible(self) -> None:
        while True:
            try:
                await self._begin()
            except (OSError, TimeoutError, SwitchboardError) as error:
                log.warning("broker_away", error=repr(error))
                await asyncio.sleep(0.5)
            else:
                await asyncio.Event().wait()

    async def _begin(self) -> None:
        client = await nats.connect(**self._options)
        self._client = client
        for subject, callback in self._signals:
            await client.subscribe(subject, cb=callback)
        for subject, queue, answer in self._served:
            self._subscriptions.append(await client.subscribe(subject, queue=queue, cb=self._beside(answer)))
        for source, pace in self._sources:
            relay = Relay(source, client, pace=pace)
            self._relays.append(relay)
            self._tasks.start("relay", relay.run)
            self._tasks.start("backlog", relay.watch_backlog)
        for subjects, durable, handler, pace in self._pending:
            consumer = Consumer(client, durable, subjects, handler, pace=pace)
            self._consumers.append(consumer)
            self._tasks.start(durable, consumer.run)
        await self._reconnected()

    def _beside(self, answer: Callable[[Msg], Awaitable[None]]) -> Callable[[Msg], Awaitable[None]]:
        """Answer each request in a task of its own: a slow one delays nobody, and they share commits."""

        async def start(message: Msg) -> None:
            task = asyncio.ensure_future(answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        return start

    async def _reconnected(self) -> None:
        log.info("broker_connected")
        for relay in self._relays:
            relay.recheck.set()
        for callback in self._on_reconnect:
            await callback()

    # asking

    async def order(self, order: Order[R], *, total: float | None = None) -> R:
        """Ask until answered, with the same id, for `total` seconds; then `Unavailable` with code `pending`."""
        deadline = time.monotonic() + (max(ORDER_TOTAL, order.answered_within) if total is None else total)
        shared = order.shared
        while True:
            try:
                patience = min(order.answered_within, max(0.05, deadline - time.monotonic()))
                return await self._ask(order, patience, shared=shared)
            except _NoAnswer:
                shared = False
                if time.monotonic() >= deadline:
                    raise Unavailable(
                        "not accepted as far as we know; ask again with the same idempotency key",
                        code="pending",
                    ) from None

    async def query(self, query: Query[R], *, deadline: float = QUERY_DEADLINE) -> R:
        """Ask once, within `deadline` seconds; `Unavailable` without an answer."""
        end = time.monotonic() + deadline
        while True:
            try:
                return await self._ask(query, max(0.05, end - time.monotonic()))
            except _NoAnswer:
                if time.monotonic() >= end:
                    raise Unavailable(f"{query.owner()} does not answer now; try again", code="no_answer") from None

    async def _ask(self, request: Request[R], timeout: float, *, shared: bool = False) -> R:
        send = self._together.ask if shared else self._send
        try:
            raw = await send(request.subject, _encode(request), timeout)
        except NoRespondersError as error:
            await asyncio.sleep(min(0.1, timeout))
            raise _NoAnswer from error
        except (TimeoutError, OSError) as error:
            raise _NoAnswer from error
        if not raw.startswith(_RESULT):
            raise errors.from_wire(orjson.loads(raw)["error"])
        reply: R = type(request).reply.validate_json(raw[len(_RESULT) : -1])
        return reply

    async def _send(self, subject: str, body: bytes, timeout: float) -> bytes:
        return bytes((await self.client.request(subject, body, timeout=timeout)).data)


class _NoAnswer(Exception):
    """Nobody served the request, or nobody answered in time."""


def _encode(request: BaseModel) -> bytes:
    return request.model_dump_json().encode()


async def _answer(request: type[Q], handler: Callable[[Q], Awaitable[BaseModel]], raw: bytes) -> bytes:
    """Decode, handle, encode; every outcome becomes a reply, a metric and one log line."""
    started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    try:
        asked = request.model_validate_json(raw)
        structlog.contextvars.bind_contextvars(trace=asked.traceparent[3:35], organisation=asked.organisation)
        _refuse_late(asked)
        result = await handler(asked)
        wire, outcome = _RESULT + result.model_dump_json().encode() + b"}", "ok"
    except SwitchboardError as error:
        wire, outcome = orjson.dumps({"error": errors.to_wire(error)}), error.code
    except ValidationError as error:
        refusal = Rejected(f"not a valid {request.__name__}: {error}", code="invalid")
        wire, outcome = orjson.dumps({"error": errors.to_wire(refusal)}), "invalid"
    except Exception:
        log.exception("request_failed", request=request.name)
        fault = Unavailable("something failed on our side; it is logged; try again", code="internal")
        wire, outcome = orjson.dumps({"error": errors.to_wire(fault)}), "failed"
    elapsed = time.perf_counter() - started
    kind = outcome if outcome in ("ok", "failed") else "refused"
    metrics.requests(request.name, kind).inc()
    metrics.answering(request.name).observe(elapsed)
    logs.went_well("request", request=request.name, outcome=outcome, ms=round(elapsed * 1e3, 1))
    return wire


def _refuse_late(request: Request[Any]) -> None:
    late = isinstance(request, Order) and request.not_after and request.not_after < datetime.now(UTC)
    if late:
        raise Rejected("this order arrived after its not_after; nothing was done", code="expired")


async def _log_error(error: Exception) -> None:
    log.warning("broker_error", error=repr(error))

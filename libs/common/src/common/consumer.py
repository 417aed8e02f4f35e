"""Reads events from the stream with a durable pull consumer of its own, and settles each exactly once handled.

It re-declares the consumer when the broker lost it, gives slow handlers more time, and sets poison aside with a reason.
With a `pace` it reads in bursts, for what nobody waits for: a burst costs both sides little more than one event.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from common import ids, logs, metrics
from common.errors import Rejected, SwitchboardError, Unavailable
from common.streams import EVENTS

IN_FLIGHT = 256
"""Most messages one process handles at a time per consumer."""

DELIVERIES = 12
_ACK_WAIT = 10.0
_PROGRESS_SHARE = 0.4
"""Part of the broker's patience after which it hears that a handler is still at work."""

_DELAYS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 60, 60)
_EXPIRES = 20.0
_SILENCE = 2.0

_AT_ONCE = 1_000_000
"""Nanoseconds the broker may look for what is there: asked not to wait at all, it says what it says of a lost consumer.
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker delivered it."""

    subject: str
    body: bytes
    stream_seq: int
    tries: int


Handler = Callable[[Delivery], Awaitable[None]]


class Consumer:
    """A durable reader. `run()` ends only when cancelled; `drain()` stops reading and waits for what is in hand."""

    def __init__(
        self,
        client: Client,
        durable: str,
        subjects: list[str],
        handler: Handler,
        *,
        in_flight: int = IN_FLIGHT,
        ack_wait: float = _ACK_WAIT,
        pace: float = 0.0,
    ) -> None:
        self._client = client
        self.durable = durable
        self._subjects = subjects
        self._handler = handler
        self._in_flight = in_flight
        self._ack_wait = ack_wait
        self._pace = pace
        self._came = 0
        self._asked = 0
        self._heard = 0.0
        self._doubted = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._inbox = ""
        self._stopping = False

    async def run(self) -> None:
        """Read for ever."""
        self._inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(self._inbox, cb=self._arrived)
        try:
            declared = False
            while not self._stopping:
                try:
                    if not declared:
                        await self._declare()
                        self._asked, self._heard, self._doubted, declared = 0, time.monotonic(), False, True
                    declared = await self._keep_asking()
                except (NatsError, TimeoutError, OSError, Unavailable) as error:
                    log.warning("consumer_waits_for_broker", durable=self.durable, error=repr(error))
                    declared = False
                    await asyncio.sleep(0.25)
        finally:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def drain(self) -> None:
        """Take nothing more and wait until everything in hand is settled."""
        self._stopping = True
        self._wake.set()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _keep_asking(self) -> bool:
        """Keep credit for half the window open. False when the consumer seems to be gone."""
        free = self._in_flight - len(self._tasks) - self._asked
        if free >= self._in_flight // 2:
            await (self._ask_in_bursts(free) if self._pace else self._ask(free))
        self._wake.clear()
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that meets a wake-up.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE / 2):
                await self._wake.wait()
        silent = self._asked > 0 and time.monotonic() - self._heard > _SILENCE
        return await self._exists() if silent or self._doubted else True

    async def _ask_in_bursts(self, free: int) -> None:
        """One while nothing comes; then, after each pause, all that has gathered, without a pause while it is much."""
        if self._asked:
            return
        if not self._came:
            await self._ask(1)
            return
        if self._came < self._in_flight // 2:
            await asyncio.sleep(self._pace)
        self._came = 0
        await self._ask(free, wait=False)

    async def _ask(self, count: int, *, wait: bool = True) -> None:
        """For so many as they come, or for what is there now."""
        patience = {"expires": int(_EXPIRES * 1e9), "idle_heartbeat": int(_SILENCE / 2 * 1e9)}
        request = {"batch": count, **(patience if wait else {"expires": _AT_ONCE})}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{self.durable}"
        await self._client.publish(subject, orjson.dumps(request), reply=self._inbox)
        self._asked += count

    async def _arrived(self, message: Msg) -> None:
        self._heard = time.monotonic()
        status = (message.headers or {}).get("Status")
        if status:
            self._on_status(status)
            return
        self._asked = max(0, self._asked - 1)
        self._came += 1
        task = asyncio.create_task(self._settle(message))
        self._tasks.add(task)
        task.add_done_callback(self._settled)
        if self._in_flight - len(self._tasks) - self._asked >= self._in_flight // 2:
            self._wake.set()

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._asked:
            self._wake.set()

    def _on_status(self, status: str) -> None:
        """100 is a heartbeat; anything else ends the request: expired, consumer gone, no responders."""
        if status != "100":
            self._asked = 0
            self._wake.set()
        self._doubted = self._doubted or status in ("404", "409", "503")

    async def _exists(self) -> bool:
        reply = await self._client.request(f"$JS.API.CONSUMER.INFO.{EVENTS}.{self.durable}", b"", timeout=2)
        if "error" in orjson.loads(reply.data):
            return False
        self._asked, self._heard, self._doubted = 0, time.monotonic(), False
        return True

    async def _declare(self) -> None:
        """With its one subject in the request too: the broker then checks that the user was granted that reading."""
        only = self._subjects[0] if len(self._subjects) == 1 else ""
        config = {
            "durable_name": self.durable,
            **({"filter_subject": only} if only else {"filter_subjects": self._subjects}),
            "ack_policy": "explicit",
            "ack_wait": int(self._ack_wait * 1e9),
            "max_deliver": DELIVERIES,
            "max_ack_pending": 4096,
            "deliver_policy": "all",
        }
        subject = f"$JS.API.CONSUMER.CREATE.{EVENTS}.{self.durable}" + (f".{only}" if only else "")
        body = orjson.dumps({"stream_name": EVENTS, "config": config})
        answer = orjson.loads((await self._client.request(subject, body, timeout=5)).data)
        if error := answer.get("error"):
            raise Unavailable(f"the broker refuses consumer {self.durable}: {error.get('description')}")

    async def _settle(self, message: Msg) -> None:
        """Handle one message and tell the broker what became of it."""
        tries = message.metadata.num_delivered
        delivery = Delivery(message.subject, message.data, message.metadata.sequence.stream, tries)
        started = time.perf_counter()
        progress = _Progress(message, self._ack_wait * _PROGRESS_SHARE)
        try:
            outcome = await self._outcome(message, delivery)
        except (NatsError, OSError, TimeoutError) as error:
            outcome = "unsettled"  # the broker will deliver it again
            log.warning("event_not_settled", durable=self.durable, error=repr(error))
        finally:
            progress.cancel()
        elapsed = time.perf_counter() - started
        metrics.handled(self.durable, outcome).inc()
        metrics.handling(self.durable).observe(elapsed)
        logs.went_well(
            "event",
            handler=self.durable,
            subject=delivery.subject,
            outcome=outcome,
            tries=tries,
            ms=round(elapsed * 1e3, 1),
        )

    async def _outcome(self, message: Msg, delivery: Delivery) -> str:
        try:
            await self._handler(delivery)
        except Rejected as error:
            await self._set_aside(message, delivery, error.detail)
            return "rejected"
        except SwitchboardError as error:
            return await self._later(message, delivery, error.detail, getattr(error, "retry_after", None))
        except Exception as error:
            log.exception("event_handler_failed", durable=self.durable, subject=delivery.subject)
            return await self._later(message, delivery, repr(error), None)
        await message.ack()
        return "ok"

    async def _later(self, message: Msg, delivery: Delivery, reason: str, after: float | None) -> str:
        if delivery.tries >= DELIVERIES:
            await self._set_aside(message, delivery, reason)
            return "rejected"
        await message.nak(delay=max(after or 0.0, _DELAYS[min(delivery.tries, len(_DELAYS)) - 1]))
        return "again"

    async def _set_aside(self, message: Msg, delivery: Delivery, reason: str) -> None:
        """A dead letter first, acknowledged by its stream; only then is the message ours no longer."""
        headers = {
            "Nats-Msg-Id": ids.derived(self.durable, str(delivery.stream_seq), delivery.subject),
            "Dead-Reason": " ".join(reason.split())[:500],
            "Dead-Handler": self.durable,
            "Dead-Subject": delivery.subject,
            "Dead-Tries": str(delivery.tries),
        }
        reply = await self._client.request(f"dead.{self.durable}", delivery.body, timeout=5, headers=headers)
        if "error" in orjson.loads(reply.data):
            raise OSError("the dead-letter stream did not take it")
        metrics.DEAD_LETTERS.labels(self.durable).inc()
        log.error("dead_letter", handler=self.durable, subject=delivery.subject, reason=reason, tries=delivery.tries)
        await message.term()


class _Progress:
    """Tells the broker, while a handler works, that it is still being worked on. A timer, because few work so long."""

    def __init__(self, message: Msg, every: float) -> None:
        self._message, self._every = message, every
        self._telling: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(every, self._begin)

    def cancel(self) -> None:
        """It is done."""
        self._timer.cancel()
        if self._telling is not None:
            self._telling.cancel()

    def _begin(self) -> None:
        self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while True:
            with contextlib.suppress(NatsError):
                await self._message.in_progress()
            await asyncio.sleep(self._every)

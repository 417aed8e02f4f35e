"""The life of a text sent by an account: queued, sending, sent, then delivered, undelivered or failed."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from carrier import owned, people, texts
from carrier.bells import Bells
from carrier.callouts import Caller
from carrier.people import ERRORS
from carrier.pricing import Pricing
from carrier.status import Callbacks, Trail
from carrier.store import Store
from carrier.submission import Order, check_active, check_content, check_recipient, place
from carrier.tasks import Tasks
from carrier.texts import Attachment, Text

Inward = Callable[[str, str, str, tuple[Attachment, ...]], Awaitable[Any]]


class Outgoing:
    """Accepts texts and carries them to people, or to other owned numbers."""

    def __init__(
        self,
        store: Store,
        caller: Caller,
        callbacks: Callbacks,
        pricing: Pricing,
        bells: Bells,
        tasks: Tasks,
        step_s: float,
        blocked_regions: frozenset[str],
    ) -> None:
        self._store, self._caller, self._callbacks, self._pricing = store, caller, callbacks, pricing
        self._bells, self._tasks, self._step_s, self._blocked = bells, tasks, step_s, blocked_regions
        self._inward: Inward | None = None

    def connect(self, inward: Inward) -> None:
        """Say who takes texts whose recipient is an owned number."""
        self._inward = inward

    async def accept(self, order: Order) -> Text:
        """Accept a text, committed on return; ProviderError if it may not be sent."""
        check_active(order.account)
        check_content(order)
        check_recipient(order, self._blocked)
        text = await self._store.write(lambda conn: place(conn, order))
        self.carry(text)
        return text

    def carry(self, text: Text) -> None:
        """Take a text from where it stands to its end, in the background."""
        self._tasks.spawn(self._live(text))

    async def _live(self, text: Text) -> None:
        trail = self._callbacks.of(text)
        now: Text | None = text
        if now and now.status == "queued":
            now = await self._step(now, status="sending")
        if now and now.status == "sending":
            now = await self._leave(now, trail)
        if now and now.status == "sent":
            await self._arrive(now, trail)

    async def _step(self, text: Text, **values: Any) -> Text | None:
        await asyncio.sleep(self._step_s)
        return await self._store.write(lambda conn: texts.change(conn, text.sid, **values))

    async def _leave(self, text: Text, trail: Trail) -> Text | None:
        """Hand a text to the network, with its media; failed if those cannot be fetched."""
        failure = await self._collect(text) if text.num_media else None
        values: dict[str, Any] = {"status": "sent", "sent": time.time()}
        if failure is not None:
            values = {"status": "failed", "error_code": failure, "error_message": ERRORS.get(failure)}
        values["price_due"] = self._pricing.due(text.account_sid, (text.sender, text.recipient))
        left = await self._step(text, **values)
        if left:
            trail.tell(left)
            self._pricing.schedule(left)
        return left

    async def _collect(self, text: Text) -> int | None:
        for item in await self._store.read(lambda conn: texts.media_of(conn, text.sid)):
            answer = await self._caller.fetch(item.source)
            if answer.failure is not None:
                return 11210 if answer.failure == "host" else 11200
            kind = answer.content_type.partition(";")[0] or "application/octet-stream"
            await self._store.write(partial(texts.keep_media, sid=item.sid, content_type=kind, content=answer.body))
        return None

    async def _arrive(self, text: Text, trail: Trail) -> None:
        """Let the recipient's phone decide, and report."""
        phone = await self._store.read(lambda conn: people.phone_of(conn, text.recipient))
        await asyncio.sleep(min(phone.delay_s, text.validity_s))
        failure = 30036 if phone.delay_s > text.validity_s else phone.failure
        await asyncio.sleep(self._step_s)
        ended, number = await self._store.write(lambda conn: _end(conn, text.sid, failure))
        if ended is None:
            return
        self._bells.ring(ended.recipient)
        trail.tell(ended)
        if number and self._inward and ended.status == "delivered":
            media = await self._store.read(lambda conn: texts.media_of(conn, ended.sid))
            carried = tuple(Attachment(item.source, item.content_type, item.content) for item in media)
            await self._inward(ended.sender, ended.recipient, ended.body, carried)


def _end(conn: sqlite3.Connection, sid: str, failure: int | None) -> tuple[Text | None, bool]:
    """Settle a text's final status; a delivered one is on its person's screen in the same transaction."""
    if failure is not None:
        message = ERRORS.get(failure, "Unknown error")
        return texts.change(conn, sid, status="undelivered", error_code=failure, error_message=message), False
    ended = texts.change(conn, sid, status="delivered")
    if ended is None:
        return None, False
    is_owned = owned.is_owned(conn, ended.recipient)
    if not is_owned:
        people.receive(conn, ended)
    return ended, is_owned

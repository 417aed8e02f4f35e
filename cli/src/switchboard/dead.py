"""Reads and replays dead letters at the broker itself, as its user `operator`.

A letter is either what a handler set aside, with its reason, or the broker's own notice that a consumer ran out of
tries without a word; the event of the latter is still in the stream of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.header import Header, decode_header
from typing import Any

import nats
from common import envelope, ids
from common.errors import Rejected
from common.grants import OPERATOR
from common.settings import Settings
from common.streams import DEAD, EVENTS
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from switchboard.local import runfile

_ADVISORY = "$JS.EVENT.ADVISORY."
_PATIENCE = 3.0
"""Seconds to wait for a connection; the client itself would try for ever."""


class NoLetter(Exception):
    """There is no such letter, or its event is gone."""


class NoBroker(Exception):
    """The broker does not answer."""


@dataclass(frozen=True)
class Letter:
    """One dead letter. `number` is its place in the stream of dead letters."""

    number: int
    handler: str
    subject: str
    reason: str
    tries: int
    body: bytes = field(repr=False)

    @property
    def event(self) -> dict[str, Any] | str:
        """The event, or its bytes as text when they are none."""
        try:
            return envelope.parse(self.body)
        except Rejected:
            return self.body.decode(errors="replace")

    def line(self) -> dict[str, Any]:
        """What a list shows: no content."""
        event = self.event
        organisation = event.get("organisation", "") if isinstance(event, dict) else ""
        return {
            "number": self.number,
            "handler": self.handler,
            "type": event.get("type", "?") if isinstance(event, dict) else "?",
            "organisation": organisation,
            "tries": self.tries,
            "reason": self.reason,
        }


class Desk:
    """Where dead letters are looked through."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def newest(self, limit: int) -> list[Letter]:
        """Letters, newest first."""
        state = (await self._js.stream_info(DEAD)).state
        found: list[Letter] = []
        if not state.messages:
            return found
        for number in range(state.last_seq, state.first_seq - 1, -1):
            with contextlib.suppress(NoLetter):
                found.append(await self.letter(number))
            if len(found) == limit:
                break
        return found

    async def letter(self, number: int) -> Letter:
        """One letter; `NoLetter` when there is none."""
        try:
            raw = await self._js.get_msg(DEAD, number)
        except NotFoundError:
            raise NoLetter(f"no dead letter {number}; `switchboard dead-letters list` shows what there is") from None
        if str(raw.subject).startswith(_ADVISORY):
            return await self._given_up(number, json.loads(raw.data or b"{}"))
        return _set_aside(number, raw)

    async def replay(self, letter: Letter) -> dict[str, Any]:
        """Publish its event again under a fresh message id, then take the letter away."""
        headers = envelope.headers(ids.derived("replay", str(letter.number), ids.random("replay")))
        ack = await self._js.publish(letter.subject, letter.body, headers=headers, stream=EVENTS, timeout=5)
        await self._js.delete_msg(DEAD, letter.number)
        return {"number": letter.number, "handler": letter.handler, "stream_seq": ack.seq}

    async def _given_up(self, number: int, notice: dict[str, Any]) -> Letter:
        place = int(notice["stream_seq"])
        try:
            raw = await self._js.get_msg(EVENTS, place)
        except NotFoundError:
            raise NoLetter(f"the event of dead letter {number} is no longer in the stream") from None
        reason = "the consumer ran out of tries without a word: its worker died, or was too slow, each time"
        tries = int(notice.get("deliveries", 0))
        return Letter(number, str(notice.get("consumer", "?")), str(raw.subject), reason, tries, raw.data or b"")


def _set_aside(number: int, raw: RawStreamMsg) -> Letter:
    headers = {name: _text(value) for name, value in (raw.headers or {}).items()}
    return Letter(
        number=number,
        handler=headers.get("Dead-Handler", str(raw.subject).removeprefix("dead.")),
        subject=headers.get("Dead-Subject", ""),
        reason=headers.get("Dead-Reason", ""),
        tries=int(headers.get("Dead-Tries", "0")),
        body=raw.data or b"",
    )


def _text(value: str | Header) -> str:
    """A header of a stored message; the client leaves what is not ASCII in its bytes."""
    parts = [part for part, _ in decode_header(value)]
    return "".join(part.decode(errors="replace") if isinstance(part, bytes) else part for part in parts)


@contextlib.asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """A desk at the broker of the local run, or of `SWITCHBOARD_NATS_URL`."""
    run = runfile.read(settings.data.absolute())
    url = run["nats"] if run else settings.nats_url
    user, password = settings.broker_login(OPERATOR)
    try:
        async with asyncio.timeout(_PATIENCE):
            client = await nats.connect(
                url, user=user or None, password=password or None, inbox_prefix=f"_INBOX_{OPERATOR}".encode()
            )
    except (NatsError, OSError, TimeoutError) as error:
        raise NoBroker(f"the broker at {url} does not answer: {error!r}") from error
    try:
        yield Desk(client.jetstream())
    finally:
        await client.close()

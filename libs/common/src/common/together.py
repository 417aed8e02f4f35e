"""Requests of one subject share messages: while one is on its way the next gather, and go as one, a line each.

Who asks alone waits for nobody, and a crowd costs the broker and both sides little more than one request. Who was not
answered in time asks again alone, so that one slow answer never holds up the others twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

MOST = 32
"""Most requests in one message."""

MOST_BYTES = 256 * 1024
"""Most bytes of one message: well below what the broker takes."""

Send = Callable[[str, bytes, float], Awaitable[bytes]]
"""Asks at a subject with these bytes, for so many seconds; gives the answer's bytes."""


@dataclass(slots=True)
class _Asked:
    body: bytes
    timeout: float
    answer: asyncio.Future[bytes]


class Together:
    """All requests of one process that may share messages."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[str, list[_Asked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, subject: str, body: bytes, timeout: float) -> bytes:
        """The answer to `body`, which holds no line end. Raises what `send` raises, or `TimeoutError`."""
        loop = asyncio.get_running_loop()
        asked = _Asked(body, timeout, loop.create_future())
        if subject in self._waiting:
            self._waiting[subject].append(asked)
        else:
            self._waiting[subject] = [asked]
            loop.call_soon(self._next, subject)  # with whoever asks in this turn of the loop
        async with asyncio.timeout(timeout):
            return await asked.answer

    def _next(self, subject: str) -> None:
        """Whoever gathered meanwhile goes now."""
        waiting = [asked for asked in self._waiting[subject] if not asked.answer.done()]
        group = list(_fitting(waiting))
        if not group:
            del self._waiting[subject]
            return
        self._waiting[subject] = waiting[len(group) :]
        task = asyncio.create_task(self._ask_all(subject, group))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_all(self, subject: str, group: list[_Asked]) -> None:
        try:
            raw = await self._send(subject, join([asked.body for asked in group]), max(one.timeout for one in group))
            answers = split(raw)
            if len(answers) != len(group):
                raise TimeoutError("not every request was answered")
        except Exception as error:
            for asked in group:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
        else:
            for asked, answer in zip(group, answers, strict=True):
                if not asked.answer.done():
                    asked.answer.set_result(answer)
        finally:
            self._next(subject)


def join(bodies: list[bytes]) -> bytes:
    """Several requests, or their answers, as one message."""
    return b"\n".join(bodies)


def split(raw: bytes) -> list[bytes]:
    """What `join` joined; JSON as we write it has no line ends of its own."""
    return raw.split(b"\n")


def _fitting(waiting: list[_Asked]) -> Iterator[_Asked]:
    """The first of them that fit into one message, at least one."""
    size = 0
    for n, asked in enumerate(waiting):
        size += len(asked.body)
        if n and (n == MOST or size > MOST_BYTES):
            return
        yield asked

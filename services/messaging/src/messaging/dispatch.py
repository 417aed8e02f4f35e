"""Hands accepted texts to providers: at once when this replica accepted them, else when they have become due.

Texts of one thread go one after another; a shutdown waits for the answers it is owed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from common.crash import crash
from common.db import Database, Tx
from common.errors import Rejected, Unavailable, Unknown
from sqlalchemy.exc import IntegrityError

from messaging import ledger
from messaging.foreground import Foreground
from messaging.lanes import Lanes, attempt_lane
from messaging.ledger import Rules
from messaging.providers import registry
from messaging.providers.port import Text
from messaging.providers.registry import Providers
from messaging.store import operations
from messaging.store.operations import Task

_ROOM = 256
"""Most tasks held in memory: few enough that each is reached well before its lease ends."""

Outcome = str | Rejected | Unavailable | Unknown
"""The provider's id of a text, or why there is none."""

log = structlog.get_logger()


class _Withheld(Exception):
    """The text must not be sent any more, or is another's to send."""


class Dispatcher:
    """Owns the tasks this replica has claimed."""

    def __init__(
        self,
        database: Database,
        lanes: Lanes,
        providers: Providers,
        rules: Rules,
        *,
        public_url: str,
        concurrency: int,
        foreground: Foreground,
    ) -> None:
        self._database, self._lanes, self._providers, self._rules = database, lanes, providers, rules
        self._public_url = public_url.rstrip("/")
        self._slots = asyncio.Semaphore(concurrency)
        self._foreground = foreground
        self._ready: asyncio.Queue[Task] = asyncio.Queue()
        self._threads: dict[str, deque[Task]] = {}
        self._active: set[asyncio.Task[None]] = set()
        self._held = 0

    @property
    def lease(self) -> timedelta:
        """How long a claim lasts."""
        return self._rules.lease

    @property
    def room(self) -> int:
        """How many more tasks may be claimed now."""
        return max(0, _ROOM - self._held)

    def take(self, task: Task) -> None:
        """Send this text, which is claimed for us, as soon as its thread and a slot are free."""
        self._held += 1
        if task.thread in self._threads:
            self._threads[task.thread].append(task)
        else:
            self._threads[task.thread] = deque()
            self._ready.put_nowait(task)

    async def run(self) -> None:
        """Work for ever; when told to stop, finish what is on its way."""
        try:
            while True:
                await self._slots.acquire()
                try:
                    task = await self._ready.get()
                    await self._foreground.turn()
                except BaseException:
                    self._slots.release()
                    raise
                working = asyncio.create_task(self._work(task))
                self._active.add(working)
                working.add_done_callback(self._active.discard)
        finally:
            await asyncio.gather(*self._active, return_exceptions=True)

    async def _work(self, task: Task) -> None:
        try:
            await self._send(task)
        except Exception:  # whatever it was, the claim ends and another look follows
            log.exception("dispatch_failed", operation=task.operation)
        finally:
            self._held -= 1
            self._slots.release()
            self._next_of(task.thread)

    def _next_of(self, thread: str) -> None:
        if self._threads[thread]:
            self._ready.put_nowait(self._threads[thread].popleft())
        else:
            del self._threads[thread]

    async def _send(self, task: Task) -> None:
        with contextlib.suppress(_Withheld):
            outcome = await self._outcome(task)
            crash("o7")
            await self._settle(task, outcome)
            crash("o8")

    async def _outcome(self, task: Task) -> Outcome:
        """The provider's id, or which of the three went wrong. A bug in an adapter counts as the worst of them."""
        try:
            provider = registry.named(self._providers, task.provider)
            return await provider.send(self._text(task), partial(self._leave, task))
        except (Rejected, Unavailable, Unknown) as error:
            return error
        except _Withheld:
            raise
        except Exception as error:
            log.exception("provider_failed", provider=task.provider)
            return Unknown(f"our adapter failed: {error!r}")

    async def _leave(self, task: Task) -> None:
        """Commit to the request as late as can be: who dies between here and its first byte leaves a text in doubt."""
        if not await self._database.write(lambda tx: ledger.begin(tx, task, self._rules)):
            raise _Withheld
        crash("o5")

    async def _settle(self, task: Task, outcome: Outcome) -> None:
        try:
            await self._record(task, outcome)
        except IntegrityError:  # the provider gave an id that belongs to another attempt: no proof of this one
            await self._record(task, Unknown("the provider answered with another text's id"))

    async def _record(self, task: Task, outcome: Outcome) -> None:
        attempt = operations.attempt_of(task)

        def record(tx: Tx) -> None:
            row = operations.of_attempt(tx, attempt)
            if row is None and ledger.begin(tx, task, self._rules):  # it ended before it could leave
                row = operations.of_attempt(tx, attempt)
            if row is None:
                return
            if isinstance(outcome, str):
                ledger.taken(tx, row, outcome, "its answer")
            elif isinstance(outcome, Rejected):
                ledger.not_taken(tx, row, outcome.code, outcome.detail)
            elif isinstance(outcome, Unavailable):
                ledger.nothing_left(tx, row, outcome)
            else:
                ledger.uncertain(tx, row, outcome.detail, self._rules)

        await self._lanes.write(attempt_lane(attempt), datetime.now(UTC), record)

    def _text(self, task: Task) -> Text:
        attempt = operations.attempt_of(task)
        callback = f"{self._public_url}/webhooks/{task.route}/status/{attempt}"
        return Text(attempt, task.account, task.sender, task.recipient, task.body, callback)

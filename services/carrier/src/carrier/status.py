"""Status callbacks of one text: in order normally; repeated, delayed, reversed or dropped if faults say so."""

import asyncio
from datetime import UTC, datetime

from carrier.accounts import Accounts
from carrier.callouts import Caller, Question
from carrier.faults import Fault, Faults, Kind
from carrier.tasks import Tasks
from carrier.texts import Text

KINDS: tuple[Kind, ...] = (
    "callbacks_duplicated", "callbacks_delayed", "callbacks_reordered", "callbacks_dropped",
)  # fmt: skip
FINAL = frozenset({"delivered", "undelivered", "failed"})


class Callbacks:
    """Tells a text's StatusCallback of sent, delivered, undelivered and failed."""

    def __init__(self, caller: Caller, accounts: Accounts, faults: Faults, tasks: Tasks) -> None:
        self._caller, self._accounts, self._faults, self._tasks = caller, accounts, faults, tasks

    def of(self, text: Text) -> "Trail":
        """Start the trail of one text; faults are drawn once for all its callbacks."""
        if not text.status_callback:
            return Trail(self, {})
        near = (text.sender, text.recipient)
        drawn = {kind: self._faults.draw((kind,), "callbacks", text.account_sid, near) for kind in KINDS}
        return Trail(self, {kind: fault for kind, fault in drawn.items() if fault})

    async def ask(self, text: Text, delay_s: float, copies: int) -> None:
        """Send one callback after a pause, and copies of it."""
        await asyncio.sleep(delay_s)
        account = self._accounts.by_sid[text.account_sid]
        url = text.status_callback or ""
        question = Question(url, "POST", _params(text), "status", account, text.sid, text.status)
        for _ in range(1 + copies):
            await self._caller.ask(question)

    def tell_all(self, batch: list[Text], delay_s: float, copies: int) -> None:
        """Send callbacks one after another, in the background."""

        async def send() -> None:
            for text in batch:
                await self.ask(text, delay_s, copies)

        self._tasks.spawn(send())


class Trail:
    """The callbacks of one text."""

    def __init__(self, callbacks: Callbacks, faults: dict[Kind, Fault]) -> None:
        self._callbacks, self._faults = callbacks, faults
        self._held: list[Text] = []

    def tell(self, text: Text) -> None:
        """Report the text's present status, if anybody asked for it."""
        if not text.status_callback or "callbacks_dropped" in self._faults:
            return
        self._held.append(text)
        if "callbacks_reordered" in self._faults and text.status not in FINAL:
            return
        batch, self._held = self._held[::-1], []
        delayed, doubled = self._faults.get("callbacks_delayed"), self._faults.get("callbacks_duplicated")
        self._callbacks.tell_all(batch, delayed.seconds if delayed else 0, doubled.copies if doubled else 0)


def _params(text: Text) -> list[tuple[str, str]]:
    params = {
        "AccountSid": text.account_sid, "From": text.sender, "To": text.recipient, "MessageSid": text.sid,
        "MessageStatus": text.status, "SmsSid": text.sid, "SmsStatus": text.status, "ApiVersion": "2010-04-01",
    }  # fmt: skip
    if text.error_code is not None:
        params |= {"ErrorCode": str(text.error_code), "ErrorMessage": text.error_message or ""}
    if text.status in ("delivered", "undelivered"):
        params["RawDlrDoneDate"] = datetime.fromtimestamp(text.updated, UTC).strftime("%y%m%d%H%M")
    return list(params.items())

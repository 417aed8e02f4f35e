"""Twilio's Messages: form bodies, Basic auth with the account's own token, prices as negative decimal strings.

`POST Messages` has no idempotency key, so this adapter knows exactly whether a request's first byte left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
from common.catalogue.messages import ProviderStatus
from common.catalogue.values import Money
from common.crash import crash
from common.directory import Credentials
from common.errors import NotFound, Rejected, Unavailable, Unknown

from messaging.domain.matching import SKEW, Listed
from messaging.providers.port import Fate, Leave, Text

NAME = "twilio"

_IDLE = 2.0
"""Seconds a connection may lie unused: shorter than any server waits, so we do not write into a closed one."""

_MOST = 24
"""Connections. The client looks at each of them before every request, so that many cost more than they bring."""

_PAGE, _PAGES = 100, 20

_STATUS: dict[str, ProviderStatus] = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "sending",
    "sent": "sent",
    "delivered": "delivered",
    "partially_delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "read": "read",
    "canceled": "canceled",
}


@dataclass
class _Leaving:
    """Whether any byte of a request has been written; told by the HTTP client as it works.

    Its first byte waits for `leave`, on a connection made before, and the provider's time begins after it.
    """

    limit: asyncio.Timeout
    seconds: float
    leave: Leave | None
    begun: bool = False

    async def __call__(self, step: str, _info: Mapping[str, Any]) -> None:
        if step.endswith("send_request_headers.started"):
            if self.leave:
                self.limit.reschedule(None)
                await self.leave()
                self.limit.reschedule(asyncio.get_running_loop().time() + self.seconds)
            self.begun = True
        elif step.endswith("send_request_body.complete"):
            crash("o6")


class TwilioSms:
    """Twilio, or whatever speaks as it does at `url`."""

    def __init__(self, url: str, credentials: Credentials, *, timeout: float) -> None:
        self._credentials = credentials
        self._timeout = timeout
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(timeout, connect=min(3.0, timeout)),
            limits=httpx.Limits(max_connections=_MOST, keepalive_expiry=_IDLE),
            trust_env=False,
        )

    async def send(self, text: Text, leave: Leave) -> str:
        """See the port."""
        form = {"To": text.to, "From": text.sender, "Body": text.body, "StatusCallback": text.callback}
        answer = await self._ask("POST", text.account, "Messages.json", leave, data=form)
        sid = _json(answer).get("sid")
        if not isinstance(sid, str) or not sid:
            raise Unknown(f"an answer {answer.status_code} without a message id", code="provider_answer")
        return sid

    async def find(self, text: Text, since: datetime) -> list[Listed]:
        """See the port. Pages newest first, without a date filter: one would hide texts still queued."""
        found: list[Listed] = []
        query: dict[str, str] = {"To": text.to, "From": text.sender, "PageSize": str(_PAGE)}
        path = f"/2010-04-01/Accounts/{text.account}/Messages.json?{httpx.QueryParams(query)}"
        for _ in range(_PAGES):
            page = await self._page(text.account, path)
            found += [_listed(one) for one in page["messages"]]
            path = page.get("next_page_uri") or ""
            if not path or (found and found[-1].created_at < since - SKEW):
                return [one for one in found if one.created_at >= since - SKEW]
        raise Unavailable(f"more than {_PAGES * _PAGE} texts to one recipient since then", code="provider_list")

    async def fetch(self, account: str, provider_id: str) -> Fate:
        """See the port."""
        try:
            wire = _json(await self._ask("GET", account, f"Messages/{provider_id}.json"))
        except Unknown as error:
            raise Unavailable(error.detail, code=error.code) from error
        status = _STATUS.get(str(wire.get("status")), "queued")
        return Fate(status, str(wire.get("error_code") or ""), _price(wire))

    async def close(self) -> None:
        """See the port."""
        await self._client.aclose()

    async def _page(self, account: str, path: str) -> dict[str, Any]:
        try:
            page = _json(await self._request("GET", account, path))
        except (Unknown, Rejected) as error:
            raise Unavailable(error.detail, code=error.code, retry_after=5) from error
        if not isinstance(page.get("messages"), list):
            raise Unavailable("the list of messages is not a list", code="provider_answer")
        return page

    async def _ask(
        self, method: str, account: str, path: str, leave: Leave | None = None, **body: Any
    ) -> httpx.Response:
        return await self._request(method, account, f"/2010-04-01/Accounts/{account}/{path}", leave, **body)

    async def _request(
        self, method: str, account: str, url: str, leave: Leave | None = None, **body: Any
    ) -> httpx.Response:
        """One request. What went wrong is told by whether it had begun to leave."""
        leaving = _Leaving(asyncio.timeout(self._timeout), self._timeout, leave)
        try:
            async with leaving.limit:
                answer = await self._client.request(
                    method, url, auth=self._auth(account), extensions={"trace": leaving}, **body
                )
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            if leaving.begun:
                raise Unknown(f"sent, and no answer came: {error!r}", code="no_answer") from error
            raise Unavailable(f"the provider cannot be reached: {error!r}", code="unreachable") from error
        _raise_for(answer)
        return answer

    def _auth(self, account: str) -> tuple[str, str]:
        try:
            return account, self._credentials.secret(NAME, account)
        except NotFound as error:  # they come with a snapshot, which may still be on its way
            raise Unavailable(error.detail, code=error.code, retry_after=2) from error


def _raise_for(answer: httpx.Response) -> None:
    """A refusal is `Rejected` with the provider's code and words; 5xx may have been accepted."""
    if answer.is_success:
        return
    if answer.status_code == 429:
        raise Unavailable("the provider asks for a pause", code="provider_busy", retry_after=_retry_after(answer))
    if not 400 <= answer.status_code < 500:
        raise Unknown(f"the provider answered {answer.status_code}", code="no_answer")
    wire = _refusal(answer)
    sentence = str(wire.get("message") or wire.get("detail") or f"HTTP {answer.status_code}")
    kind = NotFound if answer.status_code == 404 else Rejected
    raise kind(f"the provider refused: {sentence}", code=f"provider_{wire.get('code') or answer.status_code}")


def _refusal(answer: httpx.Response) -> dict[str, Any]:
    try:
        wire = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return wire if isinstance(wire, dict) else {}


def _retry_after(answer: httpx.Response) -> float:
    """Seconds asked for; the header may be missing, or a date, which this provider does not use."""
    try:
        return min(60.0, max(0.1, float(answer.headers.get("retry-after", "1"))))
    except ValueError:
        return 1.0


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        wire = orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise Unknown(f"an answer {answer.status_code} that is no JSON", code="provider_answer") from error
    if not isinstance(wire, dict):
        raise Unknown(f"an answer {answer.status_code} that is no object", code="provider_answer")
    return wire


def _listed(wire: dict[str, Any]) -> Listed:
    try:
        made = parsedate_to_datetime(wire["date_created"])
        return Listed(str(wire["sid"]), str(wire.get("body") or ""), made)
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"a line of the list cannot be read: {error!r}", code="provider_answer") from error


def _price(wire: dict[str, Any]) -> Money | None:
    """What we pay is shown as a negative amount; a credit would be positive."""
    if wire.get("price") in (None, ""):
        return None
    try:
        micros = int((-Decimal(str(wire["price"])) * 1_000_000).to_integral_value())
    except InvalidOperation:
        return None
    return Money(micros=micros, currency=str(wire.get("price_unit") or "USD").upper())

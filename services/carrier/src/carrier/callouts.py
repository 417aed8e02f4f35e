"""Webhook requests: signed for the public URL, sent to the mapped address, retried by the URL's own rules.

Refuses hosts that are not in the table (11210).
"""

import asyncio
import base64
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, quote, urlencode, urljoin, urlsplit, urlunsplit

from carrier.accounts import Account
from carrier.hosts import HostTable
from carrier.ledger import Entry, record
from carrier.overrides import Overrides, read_overrides
from carrier.signing import signature
from carrier.store import Store
from carrier.wire import ConnectFailed, NoReply, Wire, WireReply

MOST_REDIRECTS = 10
LARGEST_TWIML = 64 * 1024
# Everything a URL may hold stays as it was configured; only what HTTP cannot carry is escaped.
URL_CHARS = "!#$%&'()*+,/:;=?@[]~"
Purpose = Literal["message", "fallback", "redirect", "status"]
Failure = Literal["ct", "rt", "4xx", "5xx", "host", "size", "redirects"]


@dataclass(frozen=True)
class Question:
    """One event to tell a webhook of. The idempotency token stays the same over all tries."""

    url: str
    method: str
    params: list[tuple[str, str]]
    purpose: Purpose
    account: Account
    resource_sid: str
    event: str = ""
    token: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Answer:
    """What came back. `failure` is None for 2xx; `code` is then the debugger's."""

    status: int | None = None
    body: bytes = b""
    content_type: str = ""
    failure: Failure | None = None
    code: int | None = None
    reason: str = ""
    address: str = ""


class Caller:
    """Calls webhooks of any account."""

    def __init__(self, store: Store, hosts: HostTable, repeat_on_timeout: bool) -> None:
        self._store, self._hosts, self._repeat_on_timeout = store, hosts, repeat_on_timeout
        self._wire = Wire()

    async def close(self) -> None:
        """Hang up all connections."""
        await self._wire.close()

    async def ask(self, question: Question) -> Answer:
        """Send a question, again if its rules say so; each try is in the ledger."""
        url, overrides = read_overrides(question.url)
        deadline = time.monotonic() + overrides.total_ms / 1000
        answer = Answer()
        for attempt in range(1, overrides.retries + 2):
            started = time.monotonic()
            answer = await self._follow(question, url, overrides, deadline, answer.address)
            await self._remember(question, answer, attempt, time.monotonic() - started)
            if not self._again(question, answer, overrides) or time.monotonic() >= deadline:
                break
        return answer

    async def fetch(self, url: str) -> Answer:
        """Get a file (outbound media) from a host in the table."""
        return await self._request("GET", url, {}, None, Overrides(), time.monotonic() + 15)

    def _again(self, question: Question, answer: Answer, overrides: Overrides) -> bool:
        late = answer.failure == "rt" and self._repeat_on_timeout and question.purpose == "message"
        return answer.failure is not None and (late or overrides.retries_after(answer.failure))

    async def _follow(self, question: Question, url: str, overrides: Overrides, deadline: float, after: str) -> Answer:
        """Send once, following redirects with GET and without the parameters."""
        method, params = question.method, question.params
        for _ in range(MOST_REDIRECTS + 1):
            target = _with_query(url, params) if method == "GET" else url
            form = params if method == "POST" else None
            headers = _headers(question, target, form or [])
            answer = await self._request(method, target, headers, form, overrides, deadline, after)
            if answer.status is None or not 300 <= answer.status < 400 or not answer.reason:
                return answer
            url, method, params = urljoin(url, answer.reason), "GET", []
        return Answer(failure="redirects", code=11215, reason="Too many redirects")

    async def _request(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        form: Iterable[tuple[str, str]] | None,
        overrides: Overrides,
        deadline: float,
        after: str = "",
    ) -> Answer:
        parts = urlsplit(url)
        address = self._hosts.address_for(parts, after)
        if address is None or parts.scheme not in ("http", "https"):
            return Answer(failure="host", code=11210, reason=f"Host {parts.hostname or '(none)'} is not known here")
        content = urlencode(list(form)).encode() if form is not None else None
        target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe=URL_CHARS)
        sent = headers | _host_headers(parts)
        times = (overrides.connect_ms / 1000, overrides.read_ms / 1000)
        try:
            async with asyncio.timeout(max(0.001, deadline - time.monotonic())):
                response = await self._wire.request(address, method, target, sent, content, *times)
        except ConnectFailed as error:
            return Answer(failure="ct", code=11205, reason=f"Cannot connect: {error}", address=address)
        except (NoReply, TimeoutError) as error:
            return Answer(failure="rt", code=11200, reason=f"No answer: {error}", address=address)
        return _answer(response, address)

    async def _remember(self, question: Question, answer: Answer, attempt: int, seconds: float) -> None:
        detail = {
            "purpose": question.purpose, "event": question.event, "url": question.url, "method": question.method,
            "address": answer.address, "status": answer.status, "failure": answer.failure, "code": answer.code,
            "try": attempt, "latency_ms": round(seconds * 1000, 1), "idempotency_token": question.token,
        }  # fmt: skip
        entry = Entry("webhook", question.account.sid, question.resource_sid, detail=detail)
        await self._store.write(lambda conn: record(conn, entry))


def _answer(response: WireReply, address: str) -> Answer:
    status, kind = response.status, response.headers.get("content-type", "")
    if len(response.body) > LARGEST_TWIML and kind.startswith(("text/", "application/xml")):
        return Answer(status, failure="size", code=11750, reason="Answer larger than 64 KB", address=address)
    if 200 <= status < 300:
        return Answer(status, response.body, kind, address=address)
    if 300 <= status < 400:
        target = response.headers.get("location", "")
        return Answer(status, failure="4xx", code=11200, reason=target, address=address)
    failure: Failure = "5xx" if status >= 500 else "4xx"
    return Answer(status, b"", kind, failure, 11200, f"HTTP {status}", address)


def _headers(question: Question, url: str, form: list[tuple[str, str]]) -> dict[str, str]:
    headers = {
        "User-Agent": "TwilioProxy/1.1",
        "Accept": "*/*",
        "X-Home-Region": "us1",
        "I-Twilio-Idempotency-Token": question.token,
        "X-Twilio-Signature": signature(question.account.auth_token, url, form),
    }
    if question.method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    return headers


def _host_headers(parts: SplitResult) -> dict[str, str]:
    headers = {"Host": parts.netloc.rpartition("@")[2]}
    if parts.username is not None:
        pair = f"{parts.username}:{parts.password or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    return headers


def _with_query(url: str, params: list[tuple[str, str]]) -> str:
    if not params:
        return url
    return url + ("&" if urlsplit(url).query else "?") + urlencode(params)

"""Texts from people to owned numbers: opt-out words, the number's webhook, its fallback, and the answer's TwiML."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from carrier import optout, owned, people, prices, texts
from carrier.accounts import Account, Accounts
from carrier.addresses import is_person, normalised
from carrier.callouts import Answer, Caller, Purpose, Question
from carrier.errors import ProviderError
from carrier.faults import Faults
from carrier.ledger import Entry, complain, record
from carrier.outgoing import Outgoing
from carrier.owned import Number
from carrier.places import place_of
from carrier.pricing import Pricing
from carrier.segments import count_segments
from carrier.store import Store
from carrier.submission import LONGEST_BODY, MOST_MEDIA, Order, write_down
from carrier.tasks import Tasks
from carrier.texts import Attachment, Text
from carrier.twiml import BadAnswer, Redirect, Script, SendText, read_answer

MOST_REDIRECTS = 10


class Undeliverable(Exception):
    """The network cannot take this text; the message says why."""


@dataclass(frozen=True)
class Arrival:
    """A text on its way in, where it landed, and what the carrier itself answers."""

    text: Text
    number: Number
    reply: Text | None


class Incoming:
    """Takes texts from anybody and tells the owners of the numbers."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        caller: Caller,
        outgoing: Outgoing,
        pricing: Pricing,
        faults: Faults,
        tasks: Tasks,
        base_url: str,
        opt_out: Callable[[], bool],
    ) -> None:
        self._store, self._accounts, self._caller, self._outgoing = store, accounts, caller, outgoing
        self._pricing, self._faults, self._tasks = pricing, faults, tasks
        self._base_url, self._opt_out = base_url, opt_out

    async def accept(
        self, sender: str, recipient: str, body: str, media: tuple[Attachment, ...] = ()
    ) -> tuple[Text, "asyncio.Task[str]"]:
        """Take a text, committed on return, and a task that ends with its webhook's outcome.

        Raises Undeliverable if nobody owns the number or it cannot take texts.
        """
        sender, recipient = normalised(sender) or sender, normalised(recipient) or recipient
        _check(sender, body, media)
        due = self._pricing.due("", (sender, recipient))
        arrival = await self._store.write(lambda conn: self._arrive(conn, sender, recipient, body, media, due))
        self._pricing.schedule(arrival.text)
        if arrival.reply:
            self._outgoing.carry(arrival.reply)
        return arrival.text, self.deliver(arrival.text)

    def deliver(self, text: Text) -> "asyncio.Task[str]":
        """Tell the number's webhook of a text, in the background; ends with delivered, failed or none."""
        return self._tasks.spawn(self._deliver(text))

    def _arrive(
        self,
        conn: sqlite3.Connection,
        sender: str,
        recipient: str,
        body: str,
        media: tuple[Attachment, ...],
        due: float | None,
    ) -> Arrival:
        number = owned.by_address(conn, recipient)
        if number is None:
            raise Undeliverable(f"{recipient} is not an owned number; see the inventory for those that are")
        if self._accounts.by_sid[number.account_sid].status != "active":
            raise Undeliverable(f"the account that owns {recipient} is suspended")
        if "sms" not in number.capable_of:
            raise Undeliverable(f"{recipient} is a fixed line that cannot take texts")
        segments = count_segments(body)
        values = {
            "account_sid": number.account_sid, "direction": "inbound", "sender": sender, "recipient": recipient,
            "body": body, "status": "received", "num_segments": segments, "price_due": due,
            "webhook": "pending" if number.settings.get("sms_url") else "none",
        }  # fmt: skip
        text = texts.insert(conn, values, media)
        charge = prices.charged(prices.inbound(segments, len(media)))
        detail = {"segments": segments, "media": len(media)}
        record(conn, Entry("message_in", number.account_sid, text.sid, sender, recipient, body, charge, detail=detail))
        return Arrival(text, number, self._handle_wish(conn, text, number))

    def _handle_wish(self, conn: sqlite3.Connection, text: Text, number: Number) -> Text | None:
        """Block or unblock the pair as a STOP or START asks, and write down the carrier's own answer."""
        wish = optout.wish_in(text.body, number.country, number.kind) if self._opt_out() else None
        if wish is None or normalised(text.sender) is None:
            return None
        was_blocked = people.is_blocked(conn, text.recipient, text.sender)
        if wish is optout.Wish.STOP:
            people.block(conn, text.recipient, text.sender)
        elif wish is optout.Wish.START:
            people.unblock(conn, text.recipient, text.sender)
        if was_blocked and wish is not optout.Wish.START:
            return None
        account = self._accounts.by_sid[text.account_sid]
        answer = Order(account, text.recipient, text.sender, optout.ANSWERS[wish], direction="outbound-reply")
        return write_down(conn, answer, "opt_out_reply")

    async def _deliver(self, text: Text) -> str:
        number = await self._store.read(lambda conn: owned.by_address(conn, text.recipient))
        if number is None or not number.settings.get("sms_url"):
            await self._store.write(lambda conn: texts.change(conn, text.sid, webhook="none"))
            return "none"
        near = (text.sender, text.recipient)
        fault = self._faults.draw(("webhooks_duplicated",), "webhooks", text.account_sid, near)
        media = await self._store.read(lambda conn: texts.media_of(conn, text.sid)) if text.num_media else []
        params = inbound_params(text, [(self._media_url(item), item.content_type) for item in media])
        copies = [self._tell(text, number, params) for _ in range(1 + (fault.copies if fault else 0))]
        outcomes = await asyncio.gather(*copies)
        state = "delivered" if any(outcomes) else "failed"
        await self._store.write(lambda conn: texts.change(conn, text.sid, webhook=state))
        return state

    def _media_url(self, item: texts.Media) -> str:
        path = f"/2010-04-01/Accounts/{item.account_sid}/Messages/{item.text_sid}/Media/{item.sid}"
        return self._base_url + path

    async def _tell(self, text: Text, number: Number, params: list[tuple[str, str]]) -> bool:
        """Ask the number's URL, else its fallback; carry out what comes back. False if both failed."""
        settings, account = number.settings, self._accounts.by_sid[number.account_sid]
        question = Question(
            settings["sms_url"], settings.get("sms_method") or "POST", params, "message", account, text.sid, "received"
        )
        problem = await self._answered(text, question)
        if problem is None or not settings.get("sms_fallback_url"):
            return problem is None
        again = replace(
            question,
            url=settings["sms_fallback_url"],
            method=settings.get("sms_fallback_method") or "POST",
            params=[*params, ("ErrorCode", str(problem)), ("ErrorUrl", question.url)],
            purpose="fallback",
        )
        return await self._answered(text, again) is None

    async def _answered(self, text: Text, question: Question) -> int | None:
        """Ask, and do what the answer says; returns the debugger's code if that cannot be done."""
        for _ in range(MOST_REDIRECTS):
            answer = await self._caller.ask(question)
            try:
                script = _understood(answer)
            except BadAnswer as bad:
                await self._complain(text, bad.code, str(bad), question.url)
                return bad.code
            target = await self._perform(text, question, script)
            if target is None:
                return None
            redirect: Purpose = "redirect"
            method = "GET" if target.method == "GET" else "POST"
            question = replace(question, url=urljoin(question.url, target.url), method=method, purpose=redirect)
        await self._complain(text, 11215, "Too many <Redirect>s", question.url)
        return 11215

    async def _perform(self, text: Text, question: Question, script: Script) -> Redirect | None:
        for warning in script.warnings:
            await self._complain(text, 12200, warning, question.url)
        for verb in script.verbs:
            if isinstance(verb, Redirect):
                return verb
            await self._reply(question.account, text, verb, question.url)
        return None

    async def _reply(self, account: Account, text: Text, verb: SendText, url: str) -> None:
        callback = urljoin(url, verb.status_callback) if verb.status_callback else None
        order = Order(
            account, verb.sender or text.recipient, verb.to or text.sender, verb.body, verb.media, callback,
            direction="outbound-reply",
        )  # fmt: skip
        try:
            await self._outgoing.accept(order)
        except ProviderError as error:
            await self._complain(text, error.code, error.message, url)

    async def _complain(self, text: Text, code: int, reason: str, url: str) -> None:
        await self._store.write(lambda conn: complain(conn, text.account_sid, code, reason, url, text.sid))


def _check(sender: str, body: str, media: tuple[Attachment, ...]) -> None:
    if not is_person(sender):
        raise Undeliverable(f"{sender!r} is neither an E.164 number, a short code nor a name of 11 characters")
    if not body and not media:
        raise Undeliverable("a text needs a body or media")
    if len(body) > LONGEST_BODY or len(media) > MOST_MEDIA:
        raise Undeliverable(f"a text has at most {LONGEST_BODY} characters and {MOST_MEDIA} attachments")


def _understood(answer: Answer) -> Script:
    if answer.failure is not None:
        raise BadAnswer(answer.code or 11200, answer.reason)
    return read_answer(answer.body, answer.content_type)


def inbound_params(text: Text, media: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Write a text as the parameters its webhook gets."""
    params = [
        ("MessageSid", text.sid), ("SmsSid", text.sid), ("SmsMessageSid", text.sid),
        ("AccountSid", text.account_sid), ("From", text.sender), ("To", text.recipient), ("Body", text.body),
        ("NumMedia", str(len(media))), ("NumSegments", str(text.num_segments)), ("SmsStatus", "received"),
        ("ApiVersion", "2010-04-01"),
    ]  # fmt: skip
    params += _geography("From", text.sender) + _geography("To", text.recipient)
    for at, (url, content_type) in enumerate(media):
        params += [(f"MediaUrl{at}", url), (f"MediaContentType{at}", content_type)]
    return params


def _geography(side: str, address: str) -> list[tuple[str, str]]:
    """City, state, zip and country of a number the network knows; nothing for names and short codes."""
    place = place_of(address)
    if place is None:
        return []
    values = {
        "City": place.locality.upper(), "State": place.region, "Zip": place.postal, "Country": place.country,
    }  # fmt: skip
    return [(side + name, value) for name, value in values.items()]

"""Messages: send, list, fetch, redact, delete."""

import sqlite3
from typing import Any

from carrier import texts
from carrier.addresses import normalised
from carrier.errors import ProviderError, bad_parameter, refused
from carrier.ledger import Entry, record
from carrier.rest.operation import BASE, Call, Desk, Reply
from carrier.rest.paging import asked_page, envelope, select
from carrier.rest.params import moment, rfc2822
from carrier.submission import LONGEST_VALIDITY, Order
from carrier.texts import Text


def show(text: Text) -> dict[str, Any]:
    """Represent a message; counts and price are strings here."""
    uri = f"{BASE}/Accounts/{text.account_sid}/Messages/{text.sid}"
    return {
        "sid": text.sid, "account_sid": text.account_sid, "api_version": "2010-04-01", "body": text.body,
        "num_segments": str(text.num_segments), "num_media": str(text.num_media), "direction": text.direction,
        "from": text.sender, "to": text.recipient, "status": text.status, "error_code": text.error_code,
        "error_message": text.error_message, "messaging_service_sid": None, "price": text.price,
        "price_unit": "USD", "date_created": rfc2822(text.created), "date_updated": rfc2822(text.updated),
        "date_sent": rfc2822(text.created if text.direction == "inbound" else text.sent), "uri": f"{uri}.json",
        "subresource_uris": {"media": f"{uri}/Media.json", "feedback": f"{uri}/Feedback.json"},
    }  # fmt: skip


def order_of(call: Call) -> Order:
    """Read an order to send; ProviderError for what is missing."""
    form = call.form
    recipient, sender = form.text("To"), form.text("From")
    if not recipient:
        raise refused(21604, "A 'To' phone number is required.")
    if form.get("MessagingServiceSid"):
        raise ProviderError(404, 21701, "The Messaging Service does not exist")
    if not sender:
        raise refused(21603, "A 'From' phone number is required.")
    return Order(
        account=call.account,
        sender=normalised(sender) or sender,
        recipient=normalised(recipient) or recipient,
        body=form.text("Body"),
        media=tuple(form.all("MediaUrl")),
        status_callback=form.get("StatusCallback") or None,
        validity_s=form.number("ValidityPeriod", LONGEST_VALIDITY),
        facts=call.facts,
    )


def listed(conn: sqlite3.Connection, call: Call) -> dict[str, Any]:
    """Read a page of an account's messages, newest first."""
    page = asked_page(call)
    where, values = "account_sid = ? AND NOT deleted", [call.account.sid]
    for name, column in (("To", "recipient"), ("From", "sender")):
        if wanted := call.query.text(name):
            where, values = f"{where} AND {column} = ?", [*values, normalised(wanted) or wanted]
    for condition, value in _dates(call):
        where, values = f"{where} AND {condition}", [*values, value]
    rows, more = select(conn, "texts", where, values, page)
    found = [texts.read_text(row) for row in rows]
    return envelope(call, "messages", page, found, more, lambda text: text.seq, show)


def _dates(call: Call) -> list[tuple[str, Any]]:
    """Read DateSent filters (inclusive). A text still queued counts by when it was created."""
    at, conditions = "coalesce(sent, created)", []
    if day := call.query.get("DateSent"):
        since, until = moment("DateSent", day)
        conditions += [(f"{at} >= ?", since), (f"{at} < ?", until)]
    if after := call.query.get("DateSent>"):
        conditions.append((f"{at} >= ?", moment("DateSent", after)[0]))
    if before := call.query.get("DateSent<"):
        conditions.append((f"{at} < ?", moment("DateSent", before)[1]))
    return conditions


def routes(desk: Desk) -> None:
    """Serve messages."""
    store, base = desk.plant.store, "/Accounts/{AccountSid}/Messages"

    @desk.on("POST", f"{base}.json", "messages.create")
    async def create(call: Call) -> Reply:
        return Reply(show(await desk.plant.outgoing.accept(order_of(call))), 201)

    @desk.on("GET", f"{base}.json", "messages.list")
    async def list_messages(call: Call) -> Reply:
        return Reply(await store.read(lambda conn: listed(conn, call)))

    @desk.on("GET", f"{base}/{{Sid}}.json", "messages.fetch")
    async def fetch(call: Call) -> Reply:
        text = await store.read(lambda conn: texts.of_account(conn, call.account.sid, call.path["Sid"]))
        return Reply(show(text))

    @desk.on("POST", f"{base}/{{Sid}}.json", "messages.update")
    async def update(call: Call) -> Reply:
        return Reply(show(await store.write(lambda conn: _redact(conn, call))))

    @desk.on("DELETE", f"{base}/{{Sid}}.json", "messages.delete")
    async def delete(call: Call) -> Reply:
        await store.write(lambda conn: _delete(conn, call))
        return Reply(status=204)


def _finished(conn: sqlite3.Connection, call: Call) -> Text:
    text = texts.of_account(conn, call.account.sid, call.path["Sid"])
    if text.status in ("queued", "sending"):
        raise ProviderError(409, 20009, "Message is in progress and cannot be changed or deleted yet")
    return text


def _redact(conn: sqlite3.Connection, call: Call) -> Text:
    if call.form.get("Status") == "canceled":
        raise bad_parameter("Only scheduled messages can be canceled")
    if call.form.get("Body") != "":
        raise bad_parameter("A message's Body can only be redacted, by an empty Body")
    text = _finished(conn, call)
    record(conn, Entry("message_redacted", text.account_sid, text.sid, text.sender, text.recipient, facts=call.facts))
    return texts.change(conn, text.sid, body="") or text


def _delete(conn: sqlite3.Connection, call: Call) -> None:
    text = _finished(conn, call)
    texts.delete(conn, text.sid)
    record(conn, Entry("message_deleted", text.account_sid, text.sid, text.sender, text.recipient, facts=call.facts))

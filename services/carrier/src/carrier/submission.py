"""Whether a text may be sent at all: the provider's checks at create, and writing down what was accepted."""

import sqlite3
from dataclasses import dataclass
from urllib.parse import urlsplit

from carrier import owned, people, prices, texts
from carrier.accounts import Account
from carrier.addresses import SHORT_CODE, country_of, normalised
from carrier.errors import ProviderError, bad_parameter, refused
from carrier.ledger import NO_FACTS, Entry, Facts, record
from carrier.segments import count_segments
from carrier.texts import Attachment, Text

LONGEST_BODY = 1600
MOST_MEDIA = 10
LONGEST_VALIDITY = 36000


@dataclass(frozen=True)
class Order:
    """A text somebody wants sent from an account's number."""

    account: Account
    sender: str
    recipient: str
    body: str
    media: tuple[str, ...] = ()
    status_callback: str | None = None
    validity_s: int = LONGEST_VALIDITY
    direction: str = "outbound-api"
    facts: Facts = NO_FACTS


def check_content(order: Order) -> None:
    """Refuse what can be told from the order alone."""
    if not order.body and not order.media:
        raise refused(21602, "Message body is required.")
    if len(order.body) > LONGEST_BODY:
        raise refused(21617, "The concatenated message body exceeds the 1600 character limit.")
    if len(order.media) > MOST_MEDIA:
        raise refused(21623, "Number of media files exceeds allowed limit.")
    if bad := [url for url in order.media if not is_url(url)]:
        raise refused(21620, f"Invalid media URL(s): {bad[0]}")
    if order.status_callback and not is_url(order.status_callback):
        raise refused(21609, f"The 'StatusCallback' URL {order.status_callback} is not a valid URL.")
    if not 1 <= order.validity_s <= LONGEST_VALIDITY:
        raise bad_parameter("ValidityPeriod must be between 1 and 36000 seconds")


def check_recipient(order: Order, blocked_regions: frozenset[str]) -> None:
    """Refuse recipients that cannot exist or may not be texted."""
    if SHORT_CODE.match(order.recipient):
        raise refused(21265, f"'To' number cannot be a Short Code: {order.recipient}")
    if normalised(order.recipient) is None:
        raise refused(21211, f"Invalid 'To' Phone Number: {order.recipient}")
    if country_of(order.recipient) in blocked_regions:
        raise refused(
            21408, f"Permission to send an SMS has not been enabled for the region indicated by the 'To' number: "
            f"{order.recipient}."
        )  # fmt: skip
    if order.sender == order.recipient:
        raise refused(21266, f"'To' and 'From' number cannot be the same: {order.recipient}")


def is_url(text: str) -> bool:
    """Tell whether a text is an absolute http(s) URL."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def place(conn: sqlite3.Connection, order: Order) -> Text:
    """Accept a checked order: refuse senders that are not the account's, and pairs a person has stopped."""
    _check_sender(conn, order)
    if people.is_blocked(conn, order.sender, order.recipient):
        raise refused(21610, "Attempt to send to unsubscribed recipient")
    return write_down(conn, order, "message_out")


def _check_sender(conn: sqlite3.Connection, order: Order) -> None:
    number = owned.by_address(conn, order.sender)
    if number is None and normalised(order.sender) is None and not SHORT_CODE.match(order.sender):
        raise refused(21212, f"Invalid From Number (caller ID): {order.sender}")
    if number is not None and number.account_sid != order.account.sid:
        raise refused(21660, f"Mismatch between the 'From' number {order.sender} and the account")
    if number is None or "sms" not in number.capable_of:
        raise refused(
            21606, f"The 'From' phone number provided ({order.sender}) is not a valid, SMS-capable inbound phone "
            "number or short code for your account."
        )  # fmt: skip


def write_down(conn: sqlite3.Connection, order: Order, kind: str) -> Text:
    """Store an accepted text, queued, with its ledger entry."""
    segments = count_segments(order.body)
    values = {
        "account_sid": order.account.sid, "direction": order.direction, "sender": order.sender,
        "recipient": order.recipient, "body": order.body, "status": "queued", "num_segments": segments,
        "status_callback": order.status_callback, "validity_s": order.validity_s,
    }  # fmt: skip
    text = texts.insert(conn, values, tuple(Attachment(source=url) for url in order.media))
    price = prices.charged(prices.outbound(country_of(order.recipient), segments, len(order.media)))
    detail = {"direction": order.direction, "segments": segments, "media": list(order.media)}
    pair = (order.sender, order.recipient, order.body)
    record(conn, Entry(kind, order.account.sid, text.sid, *pair, price, order.facts, detail))
    return text


def check_active(account: Account) -> None:
    """Refuse accounts that are suspended or closed."""
    if account.status != "active":
        raise ProviderError(403, 10001, "Account is not active")

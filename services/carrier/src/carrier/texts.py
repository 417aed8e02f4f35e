"""Texts in both directions and their media: rows and queries. Decides nothing."""

import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from carrier.errors import not_found

UNFINISHED = "status IN ('queued', 'sending', 'sent') OR webhook = 'pending' OR price_due IS NOT NULL"


@dataclass(frozen=True)
class Text:
    """One message resource. Times are Unix seconds; `price` a negative decimal string or None."""

    seq: int
    sid: str
    account_sid: str
    direction: str
    sender: str
    recipient: str
    body: str
    status: str
    num_segments: int
    num_media: int
    error_code: int | None
    error_message: str | None
    price: str | None
    price_due: float | None
    status_callback: str | None
    validity_s: int
    webhook: str | None
    created: float
    updated: float
    sent: float | None


@dataclass(frozen=True)
class Attachment:
    """Media on its way into a text: fetched later from `source`, or content at hand."""

    source: str = ""
    content_type: str = ""
    content: bytes | None = None


@dataclass(frozen=True)
class Media:
    """One stored attachment; `key` opens its storage URL without credentials."""

    seq: int
    sid: str
    text_sid: str
    account_sid: str
    content_type: str
    source: str
    content: bytes | None
    key: str
    created: float


def read_text(row: sqlite3.Row) -> Text:
    """Build a text from its row."""
    return Text(*(row[name] for name in Text.__dataclass_fields__))


def read_media(row: sqlite3.Row) -> Media:
    """Build an attachment from its row."""
    return Media(*(row[name] for name in Media.__dataclass_fields__))


def insert(conn: sqlite3.Connection, values: dict[str, Any], attachments: tuple[Attachment, ...] = ()) -> Text:
    """Write down a new text under a new sid: SM.., or MM.. with media."""
    now = time.time()
    sid = ("MM" if attachments else "SM") + secrets.token_hex(16)
    row = {"validity_s": 36000, **values, "sid": sid, "num_media": len(attachments), "created": now, "updated": now}
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    conn.execute(f"INSERT INTO texts ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608 - our column names
    for item in attachments:
        conn.execute(
            "INSERT INTO media (sid, text_sid, account_sid, content_type, source, content, key, created)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (
                *("ME" + secrets.token_hex(16), sid, row["account_sid"], item.content_type, item.source),
                *(item.content, secrets.token_urlsafe(24), now),
            ),
        )
    return by_sid(conn, sid)


def by_sid(conn: sqlite3.Connection, sid: str) -> Text:
    """Find a text, whoever it belongs to; ProviderError 20404 if deleted or never there."""
    row = conn.execute("SELECT * FROM texts WHERE sid = ? AND NOT deleted", (sid,)).fetchone()
    if row is None:
        raise not_found(f"/Messages/{sid}.json")
    return read_text(row)


def of_account(conn: sqlite3.Connection, account_sid: str, sid: str) -> Text:
    """Find a text of an account; ProviderError 20404 if it has none such."""
    text = by_sid(conn, sid)
    if text.account_sid != account_sid:
        raise not_found(f"/2010-04-01/Accounts/{account_sid}/Messages/{sid}.json")
    return text


def change(conn: sqlite3.Connection, sid: str, **values: Any) -> Text | None:
    """Set columns of a text, and when it was updated; None if it was deleted meanwhile."""
    values["updated"] = time.time()
    names = ", ".join(f"{name} = ?" for name in values)
    conn.execute(f"UPDATE texts SET {names} WHERE sid = ?", [*values.values(), sid])  # noqa: S608 - our column names
    row = conn.execute("SELECT * FROM texts WHERE sid = ? AND NOT deleted", (sid,)).fetchone()
    return read_text(row) if row else None


def delete(conn: sqlite3.Connection, sid: str) -> None:
    """Hide a text from the API and drop its body and media."""
    conn.execute("UPDATE texts SET deleted = 1, body = '' WHERE sid = ?", (sid,))
    conn.execute("DELETE FROM media WHERE text_sid = ?", (sid,))


def unfinished(conn: sqlite3.Connection) -> list[Text]:
    """Texts that a restart has to take up again, oldest first."""
    rows = conn.execute(f"SELECT * FROM texts WHERE {UNFINISHED} ORDER BY seq")  # noqa: S608 - a constant
    return [read_text(row) for row in rows if not row["deleted"]]


def media_of(conn: sqlite3.Connection, text_sid: str) -> list[Media]:
    """Attachments of a text in order."""
    rows = conn.execute("SELECT * FROM media WHERE text_sid = ? ORDER BY seq", (text_sid,))
    return [read_media(row) for row in rows]


def keep_media(conn: sqlite3.Connection, sid: str, content_type: str, content: bytes) -> None:
    """Store what an attachment's source served."""
    conn.execute("UPDATE media SET content_type = ?, content = ? WHERE sid = ?", (content_type, content, sid))

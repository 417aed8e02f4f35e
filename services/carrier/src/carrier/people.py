"""The other side: what each person's phone does with a text, and what each person has received."""

import sqlite3
import time
from dataclasses import dataclass
from typing import Any, Literal

from carrier.texts import Text

Behaviour = Literal["delivered", "undelivered", "unreachable", "slow"]
UNREACHABLE = 30003
ERRORS = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30034: "US A2P 10DLC - Message from an Unregistered Number",
    30036: "Validity Period Expired",
    11200: "HTTP retrieval failure",
    11210: "HTTP bad host name",
}


@dataclass(frozen=True)
class Phone:
    """How a phone treats a text, and how long it takes to say so."""

    behaviour: Behaviour = "delivered"
    error_code: int | None = None
    delay_s: float = 0.0

    @property
    def failure(self) -> int | None:
        """Error code the sender will see, or None when texts arrive."""
        if self.behaviour == "unreachable":
            return self.error_code or UNREACHABLE
        return (self.error_code or 30008) if self.behaviour == "undelivered" else None


def phone_of(conn: sqlite3.Connection, address: str) -> Phone:
    """Look up a phone; one nobody spoke of takes every text."""
    row = conn.execute("SELECT behaviour, error_code, delay_s FROM phones WHERE address = ?", (address,)).fetchone()
    return Phone(*row) if row else Phone()


def set_phone(conn: sqlite3.Connection, address: str, phone: Phone) -> None:
    """Decide how a phone behaves from now on."""
    conn.execute(
        "INSERT OR REPLACE INTO phones (address, behaviour, error_code, delay_s) VALUES (?,?,?,?)",
        (address, phone.behaviour, phone.error_code, phone.delay_s),
    )


def receive(conn: sqlite3.Connection, text: Text) -> None:
    """Put a text on its recipient's screen, once."""
    conn.execute(
        "INSERT OR IGNORE INTO received (person, sender, body, text_sid, at) VALUES (?,?,?,?,?)",
        (text.recipient, text.sender, text.body, text.sid, time.time()),
    )


def received(conn: sqlite3.Connection, person: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Texts people received after an `id`, newest last; of one person, or of all."""
    where, values = ("AND person = ?", [person]) if person else ("", [])
    rows = conn.execute(
        f"SELECT * FROM received WHERE id > ? {where} ORDER BY id LIMIT ?",  # noqa: S608 - constants only
        [after, *values, limit],
    ).fetchall()
    return [{**dict(row), "media": _media(conn, row["text_sid"])} for row in rows]


def _media(conn: sqlite3.Connection, text_sid: str) -> list[dict[str, Any]]:
    if not text_sid.startswith("MM"):
        return []
    rows = conn.execute("SELECT sid, content_type, source FROM media WHERE text_sid = ? ORDER BY seq", (text_sid,))
    return [dict(row) for row in rows]


def conversations(conn: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Pairs of person and owned number with how much passed between them, latest first."""
    rows = conn.execute(
        "SELECT CASE direction WHEN 'inbound' THEN sender ELSE recipient END AS person,"
        " CASE direction WHEN 'inbound' THEN recipient ELSE sender END AS number,"
        " count(*) AS texts, sum(direction = 'inbound') AS from_person, max(created) AS last_at,"
        " account_sid FROM texts GROUP BY 1, 2 ORDER BY last_at DESC LIMIT ?",
        (limit,),
    )
    return [dict(row) for row in rows]


def block(conn: sqlite3.Connection, ours: str, person: str) -> None:
    """Refuse texts of this pair from now on."""
    conn.execute("INSERT OR IGNORE INTO blocks (ours, person, since) VALUES (?,?,?)", (ours, person, time.time()))


def unblock(conn: sqlite3.Connection, ours: str, person: str) -> None:
    """Allow texts of this pair again."""
    conn.execute("DELETE FROM blocks WHERE ours = ? AND person = ?", (ours, person))


def is_blocked(conn: sqlite3.Connection, ours: str, person: str) -> bool:
    """Tell whether the person stopped texts from this number."""
    return conn.execute("SELECT 1 FROM blocks WHERE ours = ? AND person = ?", (ours, person)).fetchone() is not None


def blocks(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every blocked pair, oldest first."""
    return [dict(row) for row in conn.execute("SELECT * FROM blocks ORDER BY since")]

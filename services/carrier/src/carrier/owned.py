"""Numbers somebody owns: their settings, and buying, changing and releasing them, each with its ledger entry."""

import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

import orjson

from carrier import prices
from carrier.errors import not_found, refused
from carrier.inventory import block_of
from carrier.ledger import Entry, Facts, record
from carrier.places import Block, capabilities


@dataclass(frozen=True)
class Number:
    """One owned number. `settings` are the API's own names in lower case (`sms_url`, ...)."""

    seq: int
    sid: str
    phone_number: str
    account_sid: str
    country: str
    kind: str
    settings: dict[str, Any]
    created: float
    updated: float

    @property
    def capable_of(self) -> frozenset[str]:
        """What this number can do: voice, sms, mms, fax."""
        return capabilities(self.country, self.kind)


def read_number(row: sqlite3.Row) -> Number:
    """Build a number from its row."""
    values = {name: row[name] for name in Number.__dataclass_fields__}
    return Number(**{**values, "settings": orjson.loads(row["settings"])})


def by_address(conn: sqlite3.Connection, address: str) -> Number | None:
    """Find the owned number with this address."""
    row = conn.execute("SELECT * FROM numbers WHERE phone_number = ?", (address,)).fetchone()
    return read_number(row) if row else None


def by_sid(conn: sqlite3.Connection, account_sid: str, sid: str) -> Number:
    """Find a number of an account; ProviderError 20404 if it has none such."""
    row = conn.execute("SELECT * FROM numbers WHERE sid = ? AND account_sid = ?", (sid, account_sid)).fetchone()
    if row is None:
        raise not_found(f"/2010-04-01/Accounts/{account_sid}/IncomingPhoneNumbers/{sid}.json")
    return read_number(row)


def is_owned(conn: sqlite3.Connection, address: str) -> bool:
    """Tell whether anybody owns this number."""
    return conn.execute("SELECT 1 FROM numbers WHERE phone_number = ?", (address,)).fetchone() is not None


def buy(conn: sqlite3.Connection, account_sid: str, address: str, settings: dict[str, Any], facts: Facts) -> Number:
    """Buy a number; one the account already owns is updated instead. ProviderError 21422 if not for sale."""
    mine = by_address(conn, address)
    if mine is not None and mine.account_sid == account_sid:
        return change(conn, mine, settings, facts)
    block = block_of(address)
    if mine is not None or block is None:
        raise refused(21422, f"PhoneNumber Requested is not available: {address}")
    return _add(conn, account_sid, address, block, settings, facts)


def _add(
    conn: sqlite3.Connection, account_sid: str, address: str, block: Block, settings: dict[str, Any], facts: Facts
) -> Number:
    number = insert(conn, "PN", account_sid, address, block.country, block.kind, settings)
    detail = {"country": number.country, "kind": number.kind, "settings": settings}
    rent = str(prices.month(number.kind))
    record(conn, Entry("number_bought", account_sid, number.sid, None, address, None, rent, facts, detail))
    return number


def insert(
    conn: sqlite3.Connection,
    prefix: str,
    account_sid: str,
    address: str,
    country: str,
    kind: str,
    settings: dict[str, Any],
) -> Number:
    """Write down a number as owned."""
    now, sid = time.time(), prefix + secrets.token_hex(16)
    conn.execute(
        "INSERT INTO numbers (sid, phone_number, account_sid, country, kind, settings, created, updated)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (sid, address, account_sid, country, kind, orjson.dumps(settings).decode(), now, now),
    )
    return by_sid(conn, account_sid, sid)


def change(
    conn: sqlite3.Connection, number: Number, settings: dict[str, Any], facts: Facts, account_sid: str | None = None
) -> Number:
    """Change settings, or hand the number to another account."""
    merged = {**number.settings, **settings}
    owner = account_sid or number.account_sid
    conn.execute(
        "UPDATE numbers SET settings = ?, account_sid = ?, updated = ? WHERE sid = ?",
        (orjson.dumps(merged).decode(), owner, time.time(), number.sid),
    )
    detail = {"settings": settings, **({"from_account": number.account_sid} if account_sid else {})}
    record(conn, Entry("number_updated", owner, number.sid, None, number.phone_number, facts=facts, detail=detail))
    return by_sid(conn, owner, number.sid)


def release(conn: sqlite3.Connection, account_sid: str, sid: str, facts: Facts) -> None:
    """Give a number back at once; there is no undo."""
    number = by_sid(conn, account_sid, sid)
    conn.execute("DELETE FROM numbers WHERE sid = ?", (sid,))
    record(conn, Entry("number_released", account_sid, sid, None, number.phone_number, facts=facts))


def inventory(conn: sqlite3.Connection) -> list[Number]:
    """Every owned number, oldest first."""
    return [read_number(row) for row in conn.execute("SELECT * FROM numbers ORDER BY seq")]


def ensure_short_codes(conn: sqlite3.Connection, account_sid: str, codes: list[str]) -> None:
    """Make sure the main account owns these short codes."""
    for code in codes:
        if not is_owned(conn, code):
            number = insert(conn, "SC", account_sid, code, "US", "short", {"friendly_name": code})
            rent = str(prices.SHORT_CODE_MONTH)
            record(conn, Entry("number_bought", account_sid, number.sid, None, code, None, rent))

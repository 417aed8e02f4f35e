"""The judge's evidence: every operation accepted, every webhook attempt, and the debugger's complaints.

Rows are only ever added, in the same transaction as what they tell of.
"""

import hashlib
import sqlite3
import time
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Facts:
    """What the carrier knows of the request behind an operation."""

    request_id: str = ""
    client_request_id: str = ""
    user_agent: str = ""


NO_FACTS = Facts()


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `price` is a decimal string in USD."""

    kind: str
    account_sid: str
    provider_id: str
    sender: str | None = None
    recipient: str | None = None
    body: str | None = None
    price: str | None = None
    facts: Facts = NO_FACTS
    detail: dict[str, Any] = field(default_factory=dict)


def record(conn: sqlite3.Connection, entry: Entry) -> None:
    """Append an entry."""
    digest = hashlib.sha256(entry.body.encode()).hexdigest() if entry.body is not None else None
    detail = dict(entry.detail)
    if entry.facts.client_request_id:
        detail["client_request_id"] = entry.facts.client_request_id
    conn.execute(
        "INSERT INTO ledger (at, kind, account_sid, provider_id, sender, recipient, body, body_sha256, price,"
        " request_id, user_agent, detail) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            *(time.time(), entry.kind, entry.account_sid, entry.provider_id, entry.sender, entry.recipient),
            *(entry.body, digest, entry.price, entry.facts.request_id, entry.facts.user_agent),
            orjson.dumps(detail).decode(),
        ),
    )


def page(conn: sqlite3.Connection, kind: str | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Read entries in order, those after a `seq`."""
    where, values = ("AND kind = ?", [kind]) if kind else ("", [])
    rows = conn.execute(
        f"SELECT * FROM ledger WHERE seq > ? {where} ORDER BY seq LIMIT ?",  # noqa: S608 - constants only
        [after, *values, limit],
    )
    return [{**dict(row), "detail": orjson.loads(row["detail"])} for row in rows]


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """Count entries by kind."""
    return {row["kind"]: row["n"] for row in conn.execute("SELECT kind, count(*) AS n FROM ledger GROUP BY kind")}


def complain(conn: sqlite3.Connection, account_sid: str, code: int, reason: str, url: str, resource_sid: str) -> None:
    """Leave an alert in the account's debugger."""
    conn.execute(
        "INSERT INTO debugger (at, account_sid, code, reason, url, resource_sid) VALUES (?,?,?,?,?,?)",
        (time.time(), account_sid, code, reason, url, resource_sid),
    )


def complaints(conn: sqlite3.Connection, after: int, limit: int) -> list[dict[str, Any]]:
    """Read debugger alerts in order, those after an `id`."""
    rows = conn.execute("SELECT * FROM debugger WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    return [dict(row) for row in rows]

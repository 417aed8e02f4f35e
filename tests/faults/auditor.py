"""The one judge of every fault: compares what the carrier's ledger says with what our databases say.

It trusts neither side and repairs nothing. Each broken invariant is a sentence; an empty list is a clean bill.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from tests.support.stack import Stack

RANK = {
    "accepted": 0,
    "sending": 1,
    "unknown": 2,
    "sent": 3,
    "delivered": 4,
    "undelivered": 4,
    "failed": 4,
    "refused": 4,
}
"""Statuses only move up; the last four are ends."""

WORKERS = ("messaging", "provisioning", "billing", "audit")


@dataclass
class Evidence:
    """Both sides, read once."""

    taken_in: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Texts of people that our webhook answered 2xx, by the provider's id."""
    taken_out: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    operations: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    not_sent: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    charges: list[dict[str, Any]] = field(default_factory=list)
    unpublished: dict[str, int] = field(default_factory=dict)


def until_clean(stack: Stack, *, seconds: float = 60, also: Callable[[Evidence], list[str]] | None = None) -> Evidence:
    """Wait until nothing is wrong any more, at most `seconds`; then fail with what still is."""
    deadline = time.monotonic() + seconds
    while True:
        evidence = gather(stack)
        wrong = [*violations(evidence), *(also(evidence) if also else [])]
        if not wrong:
            break
        assert time.monotonic() < deadline, "\n".join(["after the drain:", *wrong[:20], f"({len(wrong)} in all)"])
        time.sleep(0.3)
    assert not (damage := chain_damage(stack)), damage
    return evidence


def gather(stack: Stack) -> Evidence:
    """Read the ledger and the databases."""
    evidence = Evidence()
    answered = {
        entry["provider_id"]
        for entry in ledger(stack, "webhook")
        if entry["detail"].get("purpose") == "message" and 200 <= (entry["detail"].get("status") or 0) < 300
    }
    evidence.taken_in = {e["provider_id"]: e for e in ledger(stack, "message_in") if e["provider_id"] in answered}
    evidence.taken_out = list(ledger(stack, "message_out"))
    with _connected(stack, "messaging") as rows:
        evidence.messages = rows("SELECT * FROM messages")
        evidence.operations = rows("SELECT * FROM operations")
        evidence.attempts = rows(
            "SELECT a.*, m.contact FROM attempts a JOIN operations o USING (operation) JOIN messages m USING (message)"
        )
        evidence.stopped = rows("SELECT * FROM consents WHERE opted_in = false")
        evidence.steps = rows("SELECT * FROM steps ORDER BY seq")
        evidence.statuses = list(_told(rows, "status-changed"))
        evidence.not_sent = list(_told(rows, "not-sent"))
    with _connected(stack, "billing") as rows:
        evidence.charges = rows("SELECT * FROM charges")
    for worker in WORKERS:
        with _connected(stack, worker) as rows:
            evidence.unpublished[worker] = rows("SELECT count(*) AS n FROM outbox WHERE stream_seq IS NULL")[0]["n"]
    return evidence


def _told(rows: Callable[[str], list[dict[str, Any]]], verb: str) -> Iterator[dict[str, Any]]:
    """What messaging's events of this verb say, in their order."""
    for row in rows(f"SELECT body FROM outbox WHERE subject LIKE '%.{verb}' ORDER BY seq"):
        yield orjson.loads(bytes(row["body"]))["data"]


def violations(evidence: Evidence) -> list[str]:
    """Every broken invariant, as sentences."""
    return [
        *_inbound_lost(evidence),
        *_inbound_doubled(evidence),
        *_sent_twice(evidence),
        *_in_limbo(evidence),
        *_status_went_back(evidence),
        *_sent_after_stop(evidence),
        *_money_left_held(evidence),
        *_not_drained(evidence),
    ]


def _inbound_lost(evidence: Evidence) -> Iterator[str]:
    ours = {message["provider_id"] for message in evidence.messages if message["direction"] == "in"}
    yield from (f"I1: text {sid} was answered 2xx and is in no thread" for sid in evidence.taken_in.keys() - ours)


def _inbound_doubled(evidence: Evidence) -> Iterator[str]:
    inbound = [message for message in evidence.messages if message["direction"] == "in"]
    yield from (
        f"I2: text {sid} is there {n} times" for sid, n in Counter(m["provider_id"] for m in inbound).items() if n > 1
    )
    cursors = Counter((m["organisation"], m["agent"], m["cursor"]) for m in evidence.messages)
    yield from (f"I2: cursor {place} stands {n} times" for place, n in cursors.items() if n > 1)


def _sent_twice(evidence: Evidence) -> Iterator[str]:
    """Each intent has a body of its own in these tests, so the ledger tells intents apart by it."""
    taken = Counter((entry["recipient"], entry["body"]) for entry in evidence.taken_out)
    yield from (f"I3: the carrier took {n} texts for the intent {intent}" for intent, n in taken.items() if n > 1)
    ours = Counter(attempt["provider_id"] for attempt in evidence.attempts if attempt["provider_id"])
    yield from (f"I3: {n} attempts claim {sid}" for sid, n in ours.items() if n > 1)
    left = Counter(attempt["operation"] for attempt in evidence.attempts if attempt["state"] != "nothing_left")
    yield from (f"I3: {n} requests may have left for operation {operation}" for operation, n in left.items() if n > 1)
    known = {attempt["provider_id"] for attempt in evidence.attempts}
    yield from (
        f"I3: the carrier took {e['provider_id']} and no attempt knows it"
        for e in evidence.taken_out
        if e["provider_id"] not in known
    )


def _in_limbo(evidence: Evidence) -> Iterator[str]:
    for attempt in evidence.attempts:
        if attempt["state"] == "in_flight":
            yield f"I4: attempt {attempt['attempt']} is still in flight"
    outbound = {message["message"]: message for message in evidence.messages if message["direction"] == "out"}
    for operation in evidence.operations:
        status = outbound[operation["message"]]["status"]
        if RANK[status] < RANK["sent"]:
            yield f"I4: message {operation['message']} is {status}, operation {operation['state']}"


def _status_went_back(evidence: Evidence) -> Iterator[str]:
    last: dict[str, str] = {}
    for change in evidence.statuses:
        before = last.get(change["message"], "accepted")
        if RANK[change["status"]] < RANK[before]:
            yield f"I5: message {change['message']} went from {before} back to {change['status']}"
        last[change["message"]] = change["status"]


def _sent_after_stop(evidence: Evidence) -> Iterator[str]:
    since = {(row["agent"], row["contact"]): row["since"] for row in evidence.stopped}
    agents = {operation["operation"]: operation["agent"] for operation in evidence.operations}
    for attempt in evidence.attempts:
        stop = since.get((agents[attempt["operation"]], attempt["contact"]))
        if stop is not None and attempt["started_at"] > stop:
            yield f"I11: attempt {attempt['attempt']} began after its contact had said STOP"


def _money_left_held(evidence: Evidence) -> Iterator[str]:
    for charge in evidence.charges:
        if charge["state"] not in ("captured", "released"):
            yield f"I7: hold {charge['hold']} of {charge['held']} is still {charge['state']}"


def _not_drained(evidence: Evidence) -> Iterator[str]:
    yield from (f"I12: {worker} has {n} unpublished events" for worker, n in evidence.unpublished.items() if n)


def chain_damage(stack: Stack) -> str:
    """I8: what the verifier says of the audit, or nothing when every chain is whole."""
    command = [sys.executable, "-m", "audit.verify", "--database", stack.database("audit")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else f"I8: {done.stdout}{done.stderr}"


def ledger(stack: Stack, kind: str) -> Iterator[dict[str, Any]]:
    """Every entry of a kind."""
    after = 0
    with stack.control() as control:
        while True:
            page = (
                control.get("/ledger", params={"kind": kind, "after": after, "limit": 5000}).raise_for_status().json()
            )
            yield from page["entries"]
            if not page["entries"]:
                return
            after = page["after"]


class _connected:
    """`with _connected(stack, "messaging") as rows: rows("SELECT …")`."""

    def __init__(self, stack: Stack, service: str) -> None:
        self._engine = sa.create_engine(stack.database(service), isolation_level="AUTOCOMMIT")

    def __enter__(self) -> Callable[[str], list[dict[str, Any]]]:
        self._connection = self._engine.connect()
        return lambda query: [dict(row) for row in self._connection.execute(sa.text(query)).mappings()]

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._engine.dispose()

"""How one entry leads to the next. Pure: bytes in, hashes out; the encoding leaves no two entries the same bytes.

The payload enters an entry only as a salted hash, so erasing payload and salt leaves the chain valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

VERSION = 1
GENESIS = bytes(32)
"""What the first entry of every chain points back to."""

SALT = 16
"""Bytes of salt: nobody can test a guess of an erased payload against its commitment."""

Damage = Literal[
    "edited payload",
    "removed payload",
    "edited entry",
    "removed",
    "inserted",
    "reordered",
    "truncated",
    "rewritten",
    "forked head",
    "foreign row",
    "bad checkpoint",
]

_LABEL = b"switchboard audit entry"


class Entry(NamedTuple):
    """One link as stored. `n` counts from 1 within the organisation."""

    organisation: str
    n: int
    previous: bytes
    event: str
    type: str
    time: str
    commitment: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: its length and the hash of its last entry."""

    n: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing wrong with a chain: where, and what was done to it as far as can be told."""

    organisation: str
    index: int
    damage: Damage
    detail: str


def commitment(salt: bytes, body: bytes) -> bytes:
    """What an entry says of its payload."""
    return hashlib.sha256(salt + body).digest()


def entry_hash(entry: Entry, *, at: int | None = None) -> bytes:
    """The hash an entry should have, at its own index or at another."""
    fields = (
        _LABEL,
        VERSION.to_bytes(2, "big"),
        entry.organisation.encode(),
        (entry.n if at is None else at).to_bytes(8, "big", signed=True),
        entry.previous,
        entry.event.encode(),
        entry.type.encode(),
        entry.time.encode(),
        entry.commitment,
    )
    return hashlib.sha256(b"".join([len(field).to_bytes(4, "big") + field for field in fields])).digest()


def link(organisation: str, head: Head, *, event: str, kind: str, time: str, commitment: bytes) -> Entry:
    """The entry that follows `head`."""
    bare = Entry(organisation, head.n + 1, head.hash, event, kind, time, commitment, b"")
    return bare._replace(hash=entry_hash(bare))


def check_link(entry: Entry, before: Head, head: Head, find: Callable[[int], Entry | None]) -> Finding | None:
    """What is wrong with the next stored entry after `before`, if anything; `find` reads the entry at an index."""
    if entry.n != before.n + 1 or entry.n > head.n:
        return _miscounted(entry, before, head)
    if entry_hash(entry) != entry.hash:
        return _misplaced(entry, before, head, find)
    if entry.previous != before.hash:
        return _finding(entry, max(before.n, 1), "edited entry", f"it does not lead to entry {entry.n}")
    return None


def check_end(organisation: str, last: Head, head: Head) -> Finding | None:
    """What is wrong between the last stored entry and the head, if anything."""
    if last.n < head.n:
        detail = f"the head says {head.n} entries, {last.n} are stored"
        return Finding(organisation, last.n + 1, "truncated", detail)
    if last.hash != head.hash:
        return Finding(organisation, head.n, "forked head", "the head has another hash than the last entry")
    return None


def check_payload(entry: Entry, salt: bytes, body: bytes) -> Finding | None:
    """Whether the stored payload is the one that was chained."""
    if commitment(salt, body) == entry.commitment:
        return None
    return _finding(entry, entry.n, "edited payload", f"event {entry.event} does not match its commitment")


def _miscounted(entry: Entry, before: Head, head: Head) -> Finding:
    expected = before.n + 1
    if entry.n < expected:
        return _finding(entry, entry.n, "inserted", "chains count from 1")
    if before.n >= head.n:
        index = _home(entry, head) or head.n + 1
        return _finding(entry, index, "inserted", f"the head says that the chain ends at {head.n}")
    return _finding(entry, expected, "removed", f"entries {expected} to {min(entry.n - 1, head.n)} are gone")


def _misplaced(entry: Entry, before: Head, head: Head, find: Callable[[int], Entry | None]) -> Finding:
    """An entry whose hash is wrong here: right at another index (moved, or others came or went), or edited."""
    here = entry.n
    home = _home(entry, head)
    if home is None:
        return _finding(entry, here, "edited entry", f"entry {here} does not match its own hash")
    there = find(home)
    if there is not None and entry_hash(there, at=here) == there.hash and there.previous == before.hash:
        return _finding(entry, here, "reordered", f"entries {here} and {home} have changed places")
    if home < here:
        return _finding(entry, home, "inserted", f"the entry at {here} belongs at {home}")
    return _finding(entry, here, "removed", f"the entry at {here} belongs at {home}")


def _home(entry: Entry, head: Head) -> int | None:
    """The index at which the entry's hash would be right."""
    return next((n for n in range(1, head.n + 2) if entry_hash(entry, at=n) == entry.hash), None)


def _finding(entry: Entry, index: int, damage: Damage, detail: str) -> Finding:
    return Finding(entry.organisation, index, damage, detail)

"""Which ids a spool file has: the newest in memory, all others in a table.

Ids are random: written as they come, each changes a page of its own, which costs a commit more than the event itself.
They are written some thousand later, those together that begin alike and so share pages.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence

import orjson

IN_MEMORY = 16_384
"""Ids that wait to be written. A crash loses none: the rows they came with are there to read them from."""

_BEGINNING = 2
"""Characters that tell which ids are written together; ids are hexadecimal, so it is one of 256."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ids_written (one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL);
INSERT OR IGNORE INTO ids_written VALUES (1, 0);
"""
_WAITING = "SELECT id FROM rows WHERE seq > (SELECT upto FROM ids_written)"
_FOUND = "SELECT id FROM ids WHERE id IN (SELECT value FROM json_each(?))"


class Seen:
    """Its statements belong to the file's open transaction; `settle` or `undo` says how that ended."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._waiting: set[str] = set()
        self._alike: defaultdict[str, list[str]] = defaultdict(list)
        self._written: list[str] = []
        self._round: list[str] = []
        self._round_began: int | None = None
        self._loaded = False
        db.executescript(_SCHEMA)

    def load(self) -> None:
        """Read which ids wait: tens of thousands of rows, needless where nothing is added."""
        if not self._loaded:
            self._add([row[0] for row in self._db.execute(_WAITING)])
            self._loaded = True

    def among(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are there."""
        if not ids:
            return set()
        self.load()
        found = self._waiting.intersection(ids)
        found.update([row[0] for row in self._db.execute(_FOUND, (orjson.dumps(ids).decode(),))])
        return found

    def make_room(self, count: int, last: int) -> None:
        """Write ids so that `count` more may wait; every row up to `last` is committed."""
        surplus = min(len(self._waiting) + count - IN_MEMORY, len(self._waiting))
        while len(self._written) < surplus:
            if not self._round:
                self._begin_round(last)
            alike = self._alike.pop(self._round.pop(), [])
            self._written += [one for one in alike if one in self._waiting]
        if self._written:
            self._db.executemany("INSERT OR IGNORE INTO ids VALUES (?)", [(one,) for one in self._written])

    def settle(self, added: Collection[str]) -> None:
        """The transaction is on the disk, and `added` in it."""
        self._waiting.difference_update(self._written)
        self._written = []
        self._add(added)

    def undo(self) -> None:
        """The transaction left nothing."""
        for one in self._written:
            self._alike[one[:_BEGINNING]].append(one)
        self._written, self._round, self._round_began = [], [], None

    def delete(self, ids: Collection[str]) -> None:
        """Take out the ids of rows that the open transaction deletes."""
        self._db.executemany("DELETE FROM ids WHERE id = ?", [(one,) for one in ids])

    def forget(self, ids: Collection[str]) -> None:
        """They were deleted."""
        self._waiting.difference_update(ids)

    def _begin_round(self, last: int) -> None:
        """Once around, everything is written that waited when it began."""
        if self._round_began is not None:
            self._db.execute("UPDATE ids_written SET upto = ?", (self._round_began,))
        self._round, self._round_began = sorted(self._alike), last

    def _add(self, ids: Collection[str]) -> None:
        self._waiting.update(ids)
        for one in ids:
            self._alike[one[:_BEGINNING]].append(one)

"""Two statements every table here needs: take the till, and add to a row that may not be there yet."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from common.db import Tx
from common.statements import Prepared
from sqlalchemy.dialects import postgresql, sqlite

_TILL = 7_264_901_183
_TAKE = Prepared(sa.select(sa.func.pg_advisory_xact_lock(_TILL)))


def take_till(tx: Tx) -> None:
    """One transaction moves money at a time, as SQLite has it anyway.

    Conditions alone keep the caps; this keeps the order of locks. Works of several organisations share a commit, so
    two replicas would otherwise meet each other's rows in opposite orders.
    """
    if tx.postgres:
        tx.execute(_TAKE)


class Adding:
    """`INSERT … ON CONFLICT DO UPDATE` that adds the amounts to the row with that key, on either database."""

    def __init__(self, table: sa.Table, *amounts: str) -> None:
        keys = [column.name for column in table.primary_key]
        self._postgres = _adding(postgresql.insert(table), table, keys, amounts)
        self._sqlite = _adding(sqlite.insert(table), table, keys, amounts)

    def run(self, tx: Tx, rows: list[dict[str, Any]]) -> None:
        """Add every row; give them in key order."""
        tx.execute(self._postgres if tx.postgres else self._sqlite, rows)


def _adding(insert: Any, table: sa.Table, keys: list[str], amounts: tuple[str, ...]) -> Prepared:
    sums = {name: table.c[name] + insert.excluded[name] for name in amounts}
    return Prepared(insert.on_conflict_do_update(index_elements=keys, set_=sums))

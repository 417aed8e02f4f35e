"""Counters: what is used and held, one row for each agent and organisation in each UTC day and month.

A reservation is one conditional statement over the four rows it counts in: all of them move, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from common.db import Tx, insert_or_ignore
from common.statements import Prepared

from billing import periods
from billing.caps import NOTHING, Cap, Counter, Counters, Need, Scope, Unit
from billing.periods import Window
from billing.store.rows import Adding
from billing.store.tables import counters

_AMOUNTS = ("money_used", "money_held", "messages_used", "messages_held")
_PLACES: tuple[tuple[Scope, Window], ...] = (
    ("organisation", "month"),
    ("organisation", "day"),
    ("agent", "month"),
    ("agent", "day"),
)
_NO_CAP = 2**62


@dataclass(frozen=True, slots=True)
class Move:
    """Amounts added to an agent and its organisation, in the day and the month of `at`."""

    organisation: str
    agent: str
    at: datetime
    used: Need = NOTHING
    held: Need = NOTHING


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


def _ours(table: Any) -> sa.ColumnElement[bool]:
    """The four rows. Keys only: the statement costs the same however many rows there are."""
    return sa.and_(
        table.c.organisation == sa.bindparam("of"),
        table.c.agent.in_(("", sa.bindparam("by"))),
        table.c.period.in_((sa.bindparam("day"), sa.bindparam("month"))),
    )


def _cap(table: Any, unit: Unit) -> sa.ColumnElement[int]:
    organisation, today = table.c.agent == "", table.c.period == sa.bindparam("day")
    return sa.case(
        (sa.and_(organisation, today), _number(f"organisation_day_{unit}")),
        (organisation, _number(f"organisation_month_{unit}")),
        (today, _number(f"agent_day_{unit}")),
        else_=_number(f"agent_month_{unit}"),
    )


def _fits(table: Any) -> sa.ColumnElement[bool]:
    """What an act does not need, no cap can refuse: `unlimited` money or messages of nothing."""
    money = table.c.money_used + table.c.money_held + _number("money") <= _cap(table, "money")
    messages = table.c.messages_used + table.c.messages_held + _number("messages") <= _cap(table, "messages")
    return sa.and_(_ours(table), sa.or_(_number("money") == 0, money), sa.or_(_number("messages") == 0, messages))


def _reserving() -> sa.Update:
    seen = counters.alias("seen")
    all_fit = sa.select(sa.func.count()).select_from(seen).where(_fits(seen)).scalar_subquery() == len(_PLACES)
    held = {
        "money_held": counters.c.money_held + _number("money"),
        "messages_held": counters.c.messages_held + _number("messages"),
    }
    return sa.update(counters).where(_fits(counters), all_fit).values(held)


_reserve = Prepared(_reserving())
_find = Prepared(sa.select(counters).where(_ours(counters)))
_add = Adding(counters, *_AMOUNTS)


def reserve(tx: Tx, organisation: str, agent: str, need: Need, caps: Sequence[Cap]) -> bool:
    """Hold `need` under every cap now in force. False: nothing was held; a cap refuses, or a row is not there yet."""
    values = _place(organisation, agent, tx.now) | {"money": need.money, "messages": need.messages}
    values |= {f"{scope}_{window}_{unit}": _NO_CAP for scope, window in _PLACES for unit in ("money", "messages")}
    values |= {f"{cap.scope}_{cap.period.window}_{cap.unit}": cap.most for cap in caps}
    moved = tx.execute(_reserve, values).rowcount
    if moved not in (0, len(_PLACES)):
        raise RuntimeError(f"a reservation moved {moved} of {len(_PLACES)} counters; it is undone")
    return moved > 0


def find(tx: Tx, organisation: str, agent: str) -> Counters:
    """The counters of now; with no agent, the organisation's alone."""
    today, _ = periods.both(tx.now)
    found: dict[tuple[Scope, Window], Counter] = {}
    for row in tx.execute(_find, _place(organisation, agent, tx.now)).mappings():
        scope: Scope = "agent" if row["agent"] else "organisation"
        window: Window = "day" if row["period"] == today.name else "month"
        found[scope, window] = Counter(*(row[name] for name in _AMOUNTS))
    return found


def open_counters(tx: Tx, organisation: str, agent: str) -> None:
    """Make the rows of now that are not there yet, all zeros."""
    zeros = [_row(organisation, who, period, (0, 0, 0, 0)) for who, period in _keys(agent, tx.now)]
    tx.execute(insert_or_ignore(tx, counters), zeros)


def add(tx: Tx, moves: Sequence[Move]) -> None:
    """Add amounts whatever the caps say: what happened, happened."""
    sums: dict[tuple[str, str, str], tuple[int, ...]] = {}
    for move in moves:
        amounts = (move.used.money, move.held.money, move.used.messages, move.held.messages)
        for agent, period in _keys(move.agent, move.at):
            key = (move.organisation, agent, period)
            sums[key] = tuple(map(sum, zip(sums.get(key, (0, 0, 0, 0)), amounts, strict=True)))
    rows = [_row(*key, amounts) for key, amounts in sorted(sums.items()) if any(amounts)]
    if rows:
        _add.run(tx, rows)


def _keys(agent: str, at: datetime) -> list[tuple[str, str]]:
    return [(who, period.name) for who in dict.fromkeys(("", agent)) for period in periods.both(at)]


def _row(organisation: str, agent: str, period: str, amounts: Sequence[int]) -> dict[str, Any]:
    key = {"organisation": organisation, "agent": agent, "period": period}
    return key | dict(zip(_AMOUNTS, amounts, strict=True))


def _place(organisation: str, agent: str, at: datetime) -> dict[str, Any]:
    today, this_month = periods.both(at)
    return {"of": organisation, "by": agent, "day": today.name, "month": this_month.name}

"""Accounts: caps, markup and rate clock of organisations and their agents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from common.catalogue.billing import Limits
from common.db import Tx, from_micros, insert_or_ignore, to_micros
from common.statements import Prepared

from billing.rates import Rate
from billing.store.tables import accounts

_LONG_AGO = from_micros(0)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Account:
    """One organisation (agent empty) or agent; `limits` is none until somebody sets them, `new` means it has no row."""

    agent: str
    limits: Limits | None = None
    markup: int = 0
    tat: datetime = _LONG_AGO
    new: bool = True


_find = Prepared(
    sa.select(accounts).where(
        accounts.c.organisation == sa.bindparam("organisation"), accounts.c.agent.in_(("", sa.bindparam("agent")))
    )
)


def find(tx: Tx, organisation: str, agent: str = "") -> tuple[Account, Account]:
    """The organisation's account and the agent's; as new where there is no row."""
    rows = tx.execute(_find, {"organisation": organisation, "agent": agent}).mappings()
    found = {row["agent"]: _account(row) for row in rows}
    return found.get("", Account("")), found.get(agent, Account(agent))


def _account(row: dict[str, Any]) -> Account:
    limits = Limits(**{name: row[name] for name in Limits.model_fields}) if row["limits_set"] else None
    return Account(row["agent"], limits, row["markup"], from_micros(row["tat"]), new=False)


def open_accounts(tx: Tx, organisation: str, *agents: str) -> None:
    """Make the rows that are not there yet."""
    blank = {"organisation": organisation, "limits_set": False, "markup": 0, "tat": 0}
    tx.execute(insert_or_ignore(tx, accounts), [blank | {"agent": agent} for agent in agents])


def set_limits(tx: Tx, organisation: str, agent: str, limits: Limits) -> None:
    """Replace the caps."""
    open_accounts(tx, organisation, agent)
    values = limits.model_dump() | {"limits_set": True}
    tx.execute(sa.update(accounts).where(_is(organisation, agent)).values(values))


def set_markup(tx: Tx, organisation: str, markup: int) -> None:
    """Replace the markup, in basis points, for what is held from now on."""
    open_accounts(tx, organisation, "")
    tx.execute(sa.update(accounts).where(_is(organisation, "")).values(markup=markup))


def _is(organisation: str, agent: str) -> sa.ColumnElement[bool]:
    return (accounts.c.organisation == organisation) & (accounts.c.agent == agent)


_now = sa.bindparam("now", type_=sa.BigInteger)
_tick = Prepared(
    sa.update(accounts)
    .where(
        accounts.c.organisation == sa.bindparam("of"),
        accounts.c.agent == sa.bindparam("by"),
        accounts.c.tat <= sa.bindparam("latest", type_=sa.BigInteger),
    )
    .values(
        tat=sa.case(
            (accounts.c.tat > sa.bindparam("now", type_=sa.BigInteger), accounts.c.tat), else_=sa.bindparam("now")
        )
        + sa.bindparam("interval", type_=sa.BigInteger)
    )
)


def tick(tx: Tx, organisation: str, agent: str, rate: Rate) -> bool:
    """Move the rate clock on by one send; False, and nothing done, when it is too far ahead for that."""
    moved = tx.execute(
        _tick,
        {
            "of": organisation,
            "by": agent,
            "now": to_micros(tx.now),
            "latest": to_micros(tx.now + rate.tolerance),
            "interval": rate.interval // _MICROSECOND,
        },
    )
    return moved.rowcount == 1

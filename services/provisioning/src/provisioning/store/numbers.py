"""Numbers claimed and owned, and the routes and addresses that lead to their agents."""

from __future__ import annotations

import sqlalchemy as sa
from common.catalogue.values import Address
from common.db import Tx, insert_or_ignore

from provisioning.store.tables import addresses, agents, numbers, routes

Row = sa.RowMapping


def claim(tx: Tx, provider: str, account: str, number: str, *, organisation: str, agent: str, saga: str) -> bool:
    """Reserve a number for this saga before it is bought; False when another saga has it."""
    row = {
        "provider": provider,
        "account": account,
        "number": number,
        "organisation": organisation,
        "agent": agent,
        "saga": saga,
        "provider_id": "",
        "monthly_micros": 0,
        "currency": "USD",
        "claimed_at": tx.now,
    }
    return tx.execute(insert_or_ignore(tx, numbers), row).rowcount == 1


def drop(tx: Tx, saga: str) -> None:
    """The number this saga claimed or owned is its no more."""
    tx.execute(sa.delete(numbers).where(numbers.c.saga == saga))


def bought(tx: Tx, saga: str, provider_id: str, micros: int, currency: str) -> None:
    """The claimed number is ours under the provider's id, for so much a month."""
    values = {"provider_id": provider_id, "monthly_micros": micros, "currency": currency}
    tx.execute(sa.update(numbers).where(numbers.c.saga == saga).values(**values))


def of_agent(tx: Tx, agent: str) -> Row | None:
    """The agent's own number."""
    return tx.execute(sa.select(numbers).where(numbers.c.agent == agent)).mappings().first()


def owned(tx: Tx, provider: str, account: str) -> list[Row]:
    """Every number we claim or own at an account."""
    here = (numbers.c.provider == provider) & (numbers.c.account == account)
    return list(tx.execute(sa.select(numbers).where(here)).mappings())


def in_use(tx: Tx, provider: str, account: str) -> set[str]:
    """The numbers of active agents at an account."""
    here = (numbers.c.provider == provider) & (numbers.c.account == account) & (agents.c.state == "active")
    used = sa.select(numbers.c.number).join(agents, agents.c.id == numbers.c.agent).where(here)
    return set(tx.execute(used).scalars())


def open_route(
    tx: Tx, route: str, provider: str, account: str, address: Address, *, organisation: str, agent: str
) -> None:
    """Lead an address to an agent; finding it done is fine."""
    whose = {"route": route, "organisation": organisation, "agent": agent, "provider": provider, "account": account}
    tx.execute(insert_or_ignore(tx, routes), whose)
    leads = {"provider": provider, "account": account, "kind": address.kind, "value": address.value, "route": route}
    tx.execute(insert_or_ignore(tx, addresses), leads)


def close_route(tx: Tx, route: str) -> bool:
    """Withdraw a route and its addresses; whether there was one."""
    tx.execute(sa.delete(addresses).where(addresses.c.route == route))
    return tx.execute(sa.delete(routes).where(routes.c.route == route)).rowcount == 1


def route_of(tx: Tx, agent: str) -> str:
    """The agent's route; empty without one."""
    return tx.execute(sa.select(routes.c.route).where(routes.c.agent == agent)).scalar() or ""


def owner_of(tx: Tx, account: str, address: Address) -> Row | None:
    """Whose an address is."""
    leads = (addresses.c.account == account) & (addresses.c.kind == address.kind) & (addresses.c.value == address.value)
    whose = sa.select(routes.c.organisation, routes.c.agent, routes.c.route).join(
        addresses, addresses.c.route == routes.c.route
    )
    return tx.execute(whose.where(leads)).mappings().first()

"""Organisations, projects and agents. Every look-up names the organisation: another tenant's row is no row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from common.db import Tx

from provisioning.store.tables import agents, organisations, projects

Row = sa.RowMapping


def add_organisation(tx: Tx, organisation: str, title: str) -> None:
    """A tenant."""
    tx.execute(sa.insert(organisations), {"id": organisation, "title": title, "created_at": tx.now})


def add_project(tx: Tx, project: str, organisation: str, title: str) -> None:
    """A project of a tenant."""
    row = {"id": project, "organisation": organisation, "title": title, "created_at": tx.now}
    tx.execute(sa.insert(projects), row)


def organisation_exists(tx: Tx, organisation: str) -> bool:
    """Whether there is such a tenant."""
    return tx.execute(sa.select(organisations.c.id).where(organisations.c.id == organisation)).first() is not None


def all_organisations(tx: Tx) -> list[Row]:
    """Oldest first."""
    ordered = sa.select(organisations).order_by(organisations.c.created_at, organisations.c.id)
    return list(tx.execute(ordered).mappings())


def project_of(tx: Tx, organisation: str, project: str) -> str | None:
    """The named project, or the first one when `project` is empty; None when it is not this organisation's."""
    mine = sa.select(projects.c.id).where(projects.c.organisation == organisation)
    if project:
        mine = mine.where(projects.c.id == project)
    found: str | None = tx.execute(mine.order_by(projects.c.created_at, projects.c.id).limit(1)).scalar()
    return found


def add_agent(tx: Tx, agent: str, organisation: str, project: str, title: str) -> None:
    """An agent that is being provisioned."""
    row = {
        "id": agent,
        "organisation": organisation,
        "project": project,
        "title": title,
        "state": "provisioning",
        "address": "",
        "reason": "",
        "created_at": tx.now,
    }
    tx.execute(sa.insert(agents), row)


def agent(tx: Tx, organisation: str, agent: str, *, lock: bool = False) -> Row | None:
    """One agent of this organisation; with `lock`, nobody else changes it or its tokens until the commit."""
    mine = sa.select(agents).where(agents.c.id == agent, agents.c.organisation == organisation)
    return tx.execute(mine.with_for_update() if lock else mine).mappings().first()


def agents_of(tx: Tx, organisation: str) -> list[Row]:
    """All agents of an organisation, oldest first, the closed ones too."""
    mine = sa.select(agents).where(agents.c.organisation == organisation)
    return list(tx.execute(mine.order_by(agents.c.created_at, agents.c.id)).mappings())


def change_agent(tx: Tx, agent: str, was: str, **values: Any) -> bool:
    """Change an agent that is in state `was`; whether it was."""
    changed = sa.update(agents).where(agents.c.id == agent, agents.c.state == was).values(**values)
    return tx.execute(changed).rowcount == 1

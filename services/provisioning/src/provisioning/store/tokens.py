"""Tokens by their keyed hash. The secret itself never comes here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from common.db import Tx

from provisioning.store.tables import tokens

Row = sa.RowMapping


def add(
    tx: Tx,
    token: str,
    hashed: str,
    tier: str,
    organisation: str,
    *,
    agent: str = "",
    scopes: list[str] | None = None,
    expires_at: datetime | None = None,
) -> None:
    """A token that counts from the next snapshot on."""
    row: dict[str, Any] = {
        "id": token,
        "hash": hashed,
        "tier": tier,
        "organisation": organisation,
        "agent": agent,
        "scopes": orjson.dumps(scopes or []).decode(),
        "created_at": tx.now,
        "expires_at": expires_at,
    }
    tx.execute(sa.insert(tokens), row)


def scopes_of(row: Row) -> list[str]:
    """The scopes of a row."""
    return [str(scope) for scope in orjson.loads(row["scopes"])]


def live(tx: Tx, organisation: str, agent: str) -> list[str]:
    """Ids of an agent's tokens that are neither revoked nor expired, oldest first."""
    mine = (tokens.c.organisation == organisation) & (tokens.c.agent == agent) & (tokens.c.tier == "agent")
    unexpired = tokens.c.expires_at.is_(None) | (tokens.c.expires_at > tx.now)
    counting = sa.select(tokens.c.id).where(mine, tokens.c.revoked_at.is_(None), unexpired)
    return list(tx.execute(counting.order_by(tokens.c.created_at, tokens.c.id)).scalars())


def find(tx: Tx, organisation: str, token: str) -> Row | None:
    """One token of an organisation."""
    mine = sa.select(tokens).where(tokens.c.id == token, tokens.c.organisation == organisation)
    return tx.execute(mine).mappings().first()


def revoke(tx: Tx, token: str) -> bool:
    """End one; whether it was alive."""
    ended = sa.update(tokens).where(tokens.c.id == token, tokens.c.revoked_at.is_(None)).values(revoked_at=tx.now)
    return tx.execute(ended).rowcount == 1


def revoke_all(tx: Tx, organisation: str, agent: str) -> list[str]:
    """End all of an agent's; the ids of those that were alive."""
    mine = (tokens.c.organisation == organisation) & (tokens.c.agent == agent) & tokens.c.revoked_at.is_(None)
    ids = list(tx.execute(sa.select(tokens.c.id).where(mine).order_by(tokens.c.id)).scalars())
    return [token for token in ids if revoke(tx, token)]


def listed(tx: Tx, organisation: str, agent: str) -> list[Row]:
    """Newest first; of one agent when it is named."""
    mine = sa.select(tokens).where(tokens.c.organisation == organisation)
    if agent:
        mine = mine.where(tokens.c.agent == agent)
    return list(tx.execute(mine.order_by(tokens.c.created_at.desc(), tokens.c.id)).mappings())


def operators(tx: Tx) -> dict[str, str]:
    """Live operator tokens: hash to id."""
    alive = sa.select(tokens.c.hash, tokens.c.id).where(tokens.c.tier == "operator", tokens.c.revoked_at.is_(None))
    return {row.hash: row.id for row in tx.execute(alive)}


def revive(tx: Tx, hashed: str) -> bool:
    """Let an operator token count again that an earlier rotation ended; whether there was one."""
    again = sa.update(tokens).where(tokens.c.hash == hashed, tokens.c.tier == "operator").values(revoked_at=None)
    return tx.execute(again).rowcount == 1

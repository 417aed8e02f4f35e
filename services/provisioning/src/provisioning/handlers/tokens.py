"""Tokens: issued once shown, listed without secrets, revoked on every replica before the answer says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from common import ids, replies, tokens
from common.bus import Bus
from common.catalogue.provisioning import (
    IssuedToken,
    IssueToken,
    ListTokens,
    RevokeToken,
    TokenIssued,
    TokenLine,
    TokenList,
    TokenRevoked,
)
from common.catalogue.values import Done
from common.db import Database, Tx
from common.directory import DIRECTORY
from common.errors import NotFound, Rejected

from provisioning import domain
from provisioning.directory import Announcer
from provisioning.handlers.tenants import known_organisation
from provisioning.store import snapshots, tenants
from provisioning.store import tokens as token_rows


@dataclass(frozen=True, slots=True)
class Tokens:
    """Answers about tokens."""

    database: Database
    announcer: Announcer
    hashed: Callable[[str], str]

    def register(self, bus: Bus) -> None:
        """Serve them."""
        bus.serve(IssueToken, self.issue)
        bus.serve(RevokeToken, self.revoke)
        bus.serve(ListTokens, self.listed)

    async def issue(self, order: IssueToken) -> IssuedToken:
        """Another token. Asked again, the answer comes without the secret: revoke that token, issue another."""
        scopes = domain.check_scopes(order.scopes)
        secret, token = tokens.new(order.tier), ids.random("tok")

        def put(tx: Tx) -> IssuedToken:
            if before := replies.recall(tx, order):
                return before[0]
            _check_owner(tx, order)
            expires = tx.now + timedelta(seconds=order.expires_in) if order.expires_in else None
            token_rows.add(
                tx,
                token,
                self.hashed(secret),
                order.tier,
                order.organisation,
                agent=order.agent,
                scopes=scopes,
                expires_at=expires,
            )
            snapshots.raise_revision(tx, DIRECTORY)
            tx.stage(TokenIssued.after(order, token=token, tier=order.tier, agent=order.agent))
            fresh = IssuedToken(token_id=token, token=secret, expires_at=expires)
            return replies.store(tx, order, fresh, secrets={"token"})

        reply = await self.database.write(put)
        await self.announcer.try_announce()
        return reply

    async def revoke(self, order: RevokeToken) -> Done:
        """Answered when the edges can know: `Unavailable` when they could not be told, and then asked again."""

        def end(tx: Tx) -> Done:
            if before := replies.recall(tx, order):
                return before[0]
            row = token_rows.find(tx, order.organisation, order.token_id)
            if row is None:
                raise NotFound(f"there is no token {order.token_id}", code="no_token")
            if row["tier"] == "operator":
                raise Rejected("the operator token is replaced by changing its secret file", code="operator_token")
            changed = token_rows.revoke(tx, order.token_id)
            if changed:
                snapshots.raise_revision(tx, DIRECTORY)
                tx.stage(TokenRevoked.after(order, token=order.token_id))
            return replies.store(tx, order, Done(changed=changed))

        reply = await self.database.write(end)
        await self.announcer.announce()
        return reply

    async def listed(self, query: ListTokens) -> TokenList:
        """Without secrets; an agent of another organisation is not found."""

        def look(tx: Tx) -> TokenList:
            if query.agent and tenants.agent(tx, query.organisation, query.agent) is None:
                raise no_agent(query.agent)
            return TokenList(tokens=[_line(row) for row in token_rows.listed(tx, query.organisation, query.agent)])

        return await self.database.read(look)


def no_agent(agent: str) -> NotFound:
    """The same words for a missing agent and for another tenant's."""
    return NotFound(f"there is no agent {agent}", code="no_agent")


def _check_owner(tx: Tx, order: IssueToken) -> None:
    """Whether this tier may have another token now. The agent stays locked, so that two orders cannot both fit in."""
    known_organisation(tx, order)
    if order.tier == "operator":
        raise Rejected("the operator token is made by changing its secret file", code="operator_token")
    if order.tier == "organisation":
        if order.agent:
            raise Rejected("an organisation token belongs to no agent; leave agent empty", code="invalid")
        return
    agent = tenants.agent(tx, order.organisation, order.agent, lock=True)
    if agent is None:
        raise no_agent(order.agent)
    if agent["state"] != "active":
        raise Rejected(f"agent {order.agent} is {agent['state']}; only active agents get tokens", code="not_active")
    domain.check_rotation(order.agent, token_rows.live(tx, order.organisation, order.agent))


def _line(row: token_rows.Row) -> TokenLine:
    return TokenLine(
        token_id=row["id"],
        tier=row["tier"],
        agent=row["agent"],
        scopes=token_rows.scopes_of(row),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )

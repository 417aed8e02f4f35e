"""Agents come and go: orders that begin a saga, wait for it a while, and tell how it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from common import ids, replies, tokens
from common.bus import Bus
from common.catalogue.provisioning import (
    ChannelsReply,
    ChannelState,
    DeprovisionChannels,
    ProvisionChannels,
    TokenIssued,
)
from common.crash import crash
from common.db import Database, Tx
from common.directory import DIRECTORY
from common.errors import Conflict, NotFound, Rejected

from provisioning import deprovision, domain, provision
from provisioning.accounts import Accounts
from provisioning.directory import Announcer
from provisioning.engine import Engine
from provisioning.handlers.tenants import known_organisation
from provisioning.handlers.tokens import no_agent
from provisioning.store import numbers, sagas, snapshots, tenants
from provisioning.store import tokens as token_rows

Outcome = Literal["running", "active", "failed", "releasing", "released", "stuck"]

_TOKEN_GONE = "the token of this provisioning was handed out once; issue another if it is lost"  # noqa: S105 - words
_AGAIN = "still at work; ask again with the same idempotency key"


@dataclass(frozen=True, slots=True)
class Channels:
    """Answers orders about an agent's channels."""

    database: Database
    engine: Engine
    accounts: Accounts
    announcer: Announcer
    hashed: Callable[[str], str]
    wait: float

    def register(self, bus: Bus) -> None:
        """Serve them."""
        bus.serve(ProvisionChannels, self.provision)
        bus.serve(DeprovisionChannels, self.deprovision)

    async def provision(self, order: ProvisionChannels) -> ChannelsReply:
        """Begin, or find, the saga of this order; the first answer that can say `active` carries the token."""
        country, area_code = domain.place(order.country, order.area_code)
        wanted = order.model_copy(update={"country": country, "area_code": area_code})
        account = self.accounts.main()
        saga = await self.database.write(
            lambda tx: self._began(tx, order) or self._begin(tx, order, wanted, account.provider, account.account)
        )
        crash("p2")
        row = await self.engine.ended(saga, self.wait)
        return await self._told(row)

    async def deprovision(self, order: DeprovisionChannels) -> ChannelsReply:
        """Begin, or find, the saga that takes this agent's things back."""
        saga = await self.database.write(lambda tx: self._release(tx, order))
        if not saga:
            return ChannelsReply(saga="", agent=order.agent, state="released", reason="it had no channels")
        row = await self.engine.ended(saga, self.wait)
        state: Outcome = "released" if row["state"] == "completed" else "stuck" if row["stuck"] else "releasing"
        return await self._reply(row, state, "" if state == "released" else _AGAIN)

    # beginning

    def _began(self, tx: Tx, order: ProvisionChannels) -> str:
        """The saga this intent began before; empty for a new intent."""
        row = sagas.by_intent(tx, replies.intent(order))
        if row is None:
            return ""
        old = row["created_at"] < tx.now - replies.DERIVED_KEYS_COUNT_FOR
        if order.key_derived and old and row["state"] not in sagas.LIVE:
            sagas.forget_intent(tx, row["id"])
            return ""
        if row["fingerprint"] != replies.fingerprint(order):
            raise Conflict("this idempotency_key was used with other arguments; use a new key", code="key_reused")
        return str(row["id"])

    def _begin(self, tx: Tx, order: ProvisionChannels, wanted: ProvisionChannels, provider: str, account: str) -> str:
        known_organisation(tx, order)
        project = tenants.project_of(tx, order.organisation, order.project)
        if project is None:
            raise NotFound(f"there is no project {order.project}", code="no_project")
        wish = provision.Order(
            saga=ids.random("saga"),
            organisation=order.organisation,
            project=project,
            agent=ids.random("agt"),
            title=order.title,
            country=wanted.country,
            area_code=wanted.area_code,
            route=ids.random("rt"),
            provider=provider,
            account=account,
            traceparent=order.traceparent,
        )
        begun = sagas.begin(
            tx,
            wish.saga,
            provision.KIND,
            self.engine.wire(provision.KIND, wish),
            organisation=wish.organisation,
            agent=wish.agent,
            intent=replies.intent(order),
            fingerprint=replies.fingerprint(order),
        )
        if not begun:  # another replica was asked the same at the same moment, and has committed
            return self._began(tx, order)
        tenants.add_agent(tx, wish.agent, wish.organisation, project, order.title)
        return wish.saga

    def _release(self, tx: Tx, order: DeprovisionChannels) -> str:
        """The saga that releases this agent, begun now or before; empty when there is nothing to release."""
        agent = tenants.agent(tx, order.organisation, order.agent, lock=True)
        if agent is None:
            raise no_agent(order.agent)
        if agent["state"] == "provisioning":
            raise Rejected(
                f"agent {order.agent} is still being provisioned; wait until that has ended, then ask again",
                code="still_provisioning",
            )
        if agent["state"] != "active":
            before = sagas.of_agent(tx, order.organisation, order.agent, deprovision.KIND)
            return str(before["id"]) if before else ""
        return self._begin_release(tx, order)

    def _begin_release(self, tx: Tx, order: DeprovisionChannels) -> str:
        number = numbers.of_agent(tx, order.agent)
        if number is None:
            raise Rejected(f"agent {order.agent} has no number of its own", code="no_number")
        wish = deprovision.Order(
            saga=ids.random("saga"),
            organisation=order.organisation,
            agent=order.agent,
            route=numbers.route_of(tx, order.agent),
            provider=number["provider"],
            account=number["account"],
            number=number["number"],
            provider_id=number["provider_id"],
            bought_by=number["saga"],
            traceparent=order.traceparent,
        )
        tenants.change_agent(tx, order.agent, "active", state="releasing")
        wire = self.engine.wire(deprovision.KIND, wish)
        sagas.begin(tx, wish.saga, deprovision.KIND, wire, organisation=wish.organisation, agent=wish.agent)
        return wish.saga

    # telling

    async def _told(self, row: sagas.Row) -> ChannelsReply:
        if row["stuck"]:
            return await self._reply(row, "stuck", f"waits for the provider, and an alert is raised: {row['reason']}")
        if row["state"] in sagas.LIVE:
            return await self._reply(row, "running", _AGAIN)
        if row["state"] == "undone":
            return await self._reply(
                row, "failed", f"{row['reason']}; all is undone: use a new idempotency key to try again"
            )
        return await self._with_token(row)

    async def _with_token(self, row: sagas.Row) -> ChannelsReply:
        """The saga's one token, made when somebody is there to take it; its secret is stored nowhere."""
        token, secret = ids.random("tok"), tokens.new("agent")
        mine = await self.database.write(lambda tx: self._hand_over(tx, row, token, self.hashed(secret)))
        crash("p9")
        if mine:
            await self.announcer.try_announce()
        reply = await self._reply(row, "active", "" if mine else _TOKEN_GONE)
        update = {"token_id": token, "token": secret} if mine else {"token_id": row["token"]}
        return reply.model_copy(update=update)

    def _hand_over(self, tx: Tx, row: sagas.Row, token: str, hashed: str) -> bool:
        agent = tenants.agent(tx, row["organisation"], row["agent"], lock=True)
        if agent is None or agent["state"] != "active" or not sagas.hand_token(tx, row["id"], token):
            return False
        token_rows.add(tx, token, hashed, "agent", row["organisation"], agent=row["agent"])
        snapshots.raise_revision(tx, DIRECTORY)
        about = {"key": token, "traceparent": self.engine.read(row["kind"], row["wish"]).traceparent}
        tx.stage(TokenIssued.first(row["organisation"], **about, token=token, tier="agent", agent=row["agent"]))
        return True

    async def _reply(self, row: sagas.Row, state: Outcome, reason: str) -> ChannelsReply:
        agent = await self.database.read(lambda tx: tenants.agent(tx, row["organisation"], row["agent"]))
        if agent is None:
            raise no_agent(row["agent"])
        if state == "active" and agent["state"] in ("releasing", "released"):
            state, reason = agent["state"], "it was deprovisioned since"
        return ChannelsReply(saga=row["id"], agent=row["agent"], state=state, channels=[channel(agent)], reason=reason)


def channel(agent: tenants.Row) -> ChannelState:
    """An agent's one channel, as its row says."""
    return ChannelState(channel="sms", state=agent["state"], address=agent["address"], reason=agent["reason"])

"""Questions without effect: how things stand, and who owns what. Another tenant's thing is not found."""

from __future__ import annotations

from dataclasses import dataclass

from common.bus import Bus
from common.catalogue.provisioning import (
    ChannelStatus,
    ChannelStatusList,
    GetChannelStatus,
    GetSagaHold,
    HoldState,
    ResolveRoute,
    RouteOwner,
    SagaTrace,
    TraceProvisioning,
)
from common.catalogue.values import Step
from common.db import Database, Tx
from common.errors import NotFound
from common.messages import PLATFORM

from provisioning import provision
from provisioning.handlers.channels import channel
from provisioning.handlers.tokens import no_agent
from provisioning.store import numbers, sagas, tenants


@dataclass(frozen=True, slots=True)
class Queries:
    """Answers them from one read each."""

    database: Database

    def register(self, bus: Bus) -> None:
        """Serve them."""
        bus.serve(GetChannelStatus, self.status)
        bus.serve(TraceProvisioning, self.trace)
        bus.serve(ResolveRoute, self.resolve)
        bus.serve(GetSagaHold, self.hold)

    async def status(self, query: GetChannelStatus) -> ChannelStatusList:
        """One agent, or all."""

        def look(tx: Tx) -> list[tenants.Row]:
            if not query.agent:
                return tenants.agents_of(tx, query.organisation)
            one = tenants.agent(tx, query.organisation, query.agent)
            if one is None:
                raise no_agent(query.agent)
            return [one]

        rows = await self.database.read(look, long=True)
        return ChannelStatusList(agents=[_status(row) for row in rows])

    async def trace(self, query: TraceProvisioning) -> SagaTrace:
        """The journal."""

        def look(tx: Tx) -> SagaTrace:
            row = _saga_of(tx, query)
            if row is None or row["organisation"] != query.organisation:
                raise NotFound(f"there is no provisioning {query.saga or query.agent}", code="no_saga")
            steps = [_step(line) for line in sagas.lines(tx, row["id"])]
            state = "stuck" if row["stuck"] else row["state"]
            return SagaTrace(saga=row["id"], agent=row["agent"], state=state, steps=steps)

        return await self.database.read(look)

    async def resolve(self, query: ResolveRoute) -> RouteOwner:
        """Nobody's address gives an empty answer; so does another's to a tenant."""
        row = await self.database.read(lambda tx: numbers.owner_of(tx, query.account, query.address))
        theirs = row is not None and query.organisation in (PLATFORM, row["organisation"])
        return RouteOwner(**row) if row and theirs else RouteOwner()

    async def hold(self, query: GetSagaHold) -> HoldState:
        """Whether billing may let the hold of this saga go."""
        row = await self.database.read(lambda tx: sagas.find(tx, query.saga))
        if row is None or row["organisation"] != query.organisation:
            return HoldState(known=False)
        return HoldState(known=True, ended=row["state"] not in sagas.LIVE)


def _saga_of(tx: Tx, query: TraceProvisioning) -> sagas.Row | None:
    if query.saga:
        return sagas.find(tx, query.saga)
    return sagas.of_agent(tx, query.organisation, query.agent, provision.KIND)


def _status(agent: tenants.Row) -> ChannelStatus:
    return ChannelStatus(
        agent=agent["id"],
        title=agent["title"],
        project=agent["project"],
        state=agent["state"],
        channels=[channel(agent)],
    )


def _step(line: sagas.Row) -> Step:
    return Step(at=line["at"], what=f"{line['step']} {line['mark']}", detail=line["detail"])

"""Provisioning sagas over a real database and a provider and billing in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from common import ids
from common.db import Database, Tx
from provisioning import deprovision, domain, provision
from provisioning.deprovision import Deprovision
from provisioning.engine import Engine
from provisioning.provision import Provision
from provisioning.saga import Policy
from provisioning.store import numbers, sagas, tenants

from tests.provisioning.fakes import Crash, FakeProvider, FakeQuota, Trouble

IMPATIENT = Policy(lease=timedelta(0), pause_first=0.0, pause_most=0.0, give_up_after=4, stuck_after=3)


@dataclass
class World:
    """What a saga touches. `engine()` is a fresh worker, as after a crash."""

    database: Database
    policy: Policy = IMPATIENT
    trouble: Trouble = field(default_factory=Trouble)
    provider: FakeProvider = field(default_factory=FakeProvider)
    quota: FakeQuota = field(default_factory=FakeQuota)
    account: str = "AC1"
    announced: int = 0

    def meet(self, outcomes: list[str]) -> None:
        """From now on the outside fails like this."""
        self.trouble = self.provider.trouble = self.quota.trouble = Trouble.of(outcomes)

    async def announce(self) -> None:
        def told() -> None:
            self.announced += 1

        self.trouble.meet(told)

    def engine(self) -> Engine:
        giving = Provision(
            quota=self.quota,
            provider_of=lambda *_: self.provider,
            announce=self.announce,
            webhooks=partial(domain.webhooks, "https://hooks.test", ""),
        )
        taking = Deprovision(provider_of=lambda *_: self.provider, announce=self.announce)
        return Engine(self.database, [giving.saga(), taking.saga()], self.policy)

    async def begin(self, country: str = "US") -> provision.Order:
        order = provision.Order(
            saga=ids.random("saga"),
            organisation="org_a",
            project="prj_a",
            agent=ids.random("agt"),
            title="Concierge",
            country=country,
            area_code="",
            route=ids.random("rt"),
            provider="fake",
            account=self.account,
            traceparent=ids.trace_parent(),
        )
        wire = self.engine().wire(provision.KIND, order)

        def put(tx: Tx) -> None:
            tenants.add_agent(tx, order.agent, order.organisation, order.project, order.title)
            sagas.begin(tx, order.saga, provision.KIND, wire, organisation=order.organisation, agent=order.agent)

        await self.database.write(put)
        return order

    async def begin_release(self, given: provision.Order) -> str:
        number = await self.database.read(lambda tx: numbers.of_agent(tx, given.agent))
        assert number is not None
        order = deprovision.Order(
            saga=ids.random("saga"),
            organisation=given.organisation,
            agent=given.agent,
            route=given.route,
            provider=given.provider,
            account=given.account,
            number=number["number"],
            provider_id=number["provider_id"],
            bought_by=given.saga,
            traceparent=given.traceparent,
        )
        wire = self.engine().wire(deprovision.KIND, order)

        def put(tx: Tx) -> None:
            tenants.change_agent(tx, order.agent, "active", state="releasing")
            sagas.begin(tx, order.saga, deprovision.KIND, wire, organisation=order.organisation, agent=order.agent)

        await self.database.write(put)
        return order.saga

    async def until_ended(self, saga: str) -> Any:
        """Advance, with a new worker after each crash, until the saga has ended."""
        engine = self.engine()
        for _ in range(200):
            try:
                await engine.advance(saga)
            except Crash:
                engine = self.engine()
            row = await self.row(saga)
            if row["state"] not in sagas.LIVE:
                return row
        raise AssertionError("the saga does not end")

    async def row(self, saga: str) -> Any:
        row = await self.database.read(lambda tx: sagas.find(tx, saga))
        assert row is not None
        return row

    async def journal(self, saga: str) -> list[str]:
        lines = await self.database.read(lambda tx: sagas.lines(tx, saga))
        return [f"{line['step']} {line['mark']}" for line in lines]

    async def left(self, order: provision.Order) -> tuple[bool, bool]:
        """Whether the agent has a number and a route in our tables."""

        def look(tx: Tx) -> tuple[bool, bool]:
            return numbers.of_agent(tx, order.agent) is not None, bool(numbers.route_of(tx, order.agent))

        return await self.database.read(look)

    async def agent(self, order: provision.Order) -> Any:
        return await self.database.read(lambda tx: tenants.agent(tx, order.organisation, order.agent))

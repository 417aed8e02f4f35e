"""The saga that takes an agent's tokens and number back. There is no way back: every step is tried until done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from common.catalogue.audit import AlertRaised
from common.catalogue.provisioning import AgentDeprovisioned, NumberReleased, TokenRevoked
from common.crash import crash
from common.db import Tx
from common.directory import DIRECTORY
from common.errors import NotFound

from provisioning.providers.port import NumberProvider
from provisioning.provision import close_route
from provisioning.saga import Run, Saga, Step
from provisioning.store import numbers, snapshots, tenants, tokens

KIND = "deprovision-channels"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be taken back; `bought_by` is the saga whose label the number carries."""

    saga: str
    organisation: str
    agent: str
    route: str
    provider: str
    account: str
    number: str
    provider_id: str
    bought_by: str
    traceparent: str


@dataclass(frozen=True, slots=True)
class Deprovision:
    """The steps, over what they need."""

    provider_of: Callable[[str, str], NumberProvider]
    announce: Callable[[], Awaitable[None]]

    def saga(self) -> Saga[Order]:
        """Top to bottom."""
        return Saga(
            KIND,
            Order,
            [
                Step("revoke-tokens", self.revoke_tokens),
                Step("clear-webhooks", self.clear_webhooks),
                Step("release-number", self.release),
                Step("withdraw-route", self.withdraw),
            ],
            completed=completed,
            undone=None,
            stuck=stuck,
        )

    async def revoke_tokens(self, order: Order, run: Run[Order]) -> Order:
        """Nobody speaks for this agent any more, on any replica, before anything else goes."""
        await run.write(lambda tx: _revoke(tx, order))
        await self.announce()
        crash("d1")
        return order

    async def clear_webhooks(self, order: Order, run: Run[Order]) -> Order:
        """No text is sent to us for a number that is about to be somebody else's."""
        try:
            await self._provider(order).configure(order.provider_id, sms_url="", fallback_url="")
        except NotFound:
            return order
        crash("d2")
        return order

    async def release(self, order: Order, run: Run[Order]) -> Order:
        """Give the number back, and see that it is gone."""
        found = await self._provider(order).find(order.number)
        if found and found.provider_id == order.provider_id:
            await self._provider(order).release(order.provider_id)
        crash("d3")
        return order

    async def withdraw(self, order: Order, run: Run[Order]) -> Order:
        """Out of the directory; the number may be bought by another agent."""

        def forget(tx: Tx) -> None:
            close_route(tx, order.route)
            numbers.drop(tx, order.bought_by)

        await run.write(forget)
        await self.announce()
        crash("d4")
        return order

    def _provider(self, order: Order) -> NumberProvider:
        return self.provider_of(order.provider, order.account)


def _revoke(tx: Tx, order: Order) -> None:
    ended = tokens.revoke_all(tx, order.organisation, order.agent)
    if ended:
        snapshots.raise_revision(tx, DIRECTORY)
    tx.stage(
        *(
            TokenRevoked.first(order.organisation, key=token, traceparent=order.traceparent, token=token)
            for token in ended
        )
    )


def completed(tx: Tx, order: Order) -> None:
    """The agent is history."""
    tenants.change_agent(tx, order.agent, "releasing", state="released", closed_at=tx.now)
    about = {"key": order.saga, "traceparent": order.traceparent, "agent": order.agent}
    tx.stage(
        NumberReleased.first(order.organisation, **about, number=order.number, provider_id=order.provider_id),
        AgentDeprovisioned.first(order.organisation, **about),
    )


def stuck(tx: Tx, order: Order, reason: str) -> None:
    """A person should look; it is tried on all the same."""
    tx.stage(
        AlertRaised.first(
            order.organisation,
            key=f"stuck:{order.saga}:{reason}",
            traceparent=order.traceparent,
            severity="high",
            code="saga_stuck",
            summary=f"an agent's number cannot be given back yet, and goes on costing money: {reason}",
            subject_id=order.saga,
        )
    )

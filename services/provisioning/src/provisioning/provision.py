"""The saga that gives an agent its number: what is done, in which order, and how each part is taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial

from common.catalogue.audit import AlertRaised
from common.catalogue.provisioning import AgentProvisioned, NumberBought, ProvisioningFailed
from common.catalogue.values import Address, Money
from common.crash import crash
from common.db import Tx
from common.directory import DIRECTORY
from common.errors import Rejected

from provisioning import domain
from provisioning.providers.port import NumberProvider, OwnedNumber, Taken
from provisioning.quota import Quota
from provisioning.saga import Run, Saga, Step
from provisioning.store import numbers, snapshots, tenants

KIND = "provision-channels"

_MOST_CHOICES = 5
"""Numbers tried in one go, when others snatch them from under us."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted, and what is known of it so far."""

    saga: str
    organisation: str
    project: str
    agent: str
    title: str
    country: str
    area_code: str
    route: str
    provider: str
    account: str
    traceparent: str
    number: str = ""
    passed_over: tuple[str, ...] = ()
    provider_id: str = ""
    monthly: Money = field(default_factory=lambda: Money(micros=0))

    @property
    def marker(self) -> str:
        """The number's label at the provider."""
        return domain.marker(self.saga)

    @property
    def address(self) -> Address:
        """The number as an address."""
        return Address.phone(self.number)


@dataclass(frozen=True, slots=True)
class Provision:
    """The steps, over what they need."""

    quota: Quota
    provider_of: Callable[[str, str], NumberProvider]
    announce: Callable[[], Awaitable[None]]
    webhooks: Callable[[str], domain.Webhooks]

    def saga(self) -> Saga[Order]:
        """Top to bottom."""
        return Saga(
            KIND,
            Order,
            [
                Step("hold-quota", self.hold_quota, undo=self.let_quota_go),
                Step("choose-number", self.choose_number, undo=self.drop_claim),
                Step("buy-number", self.buy, undo=self.give_back),
                Step("publish-route", self.publish, undo=self.withdraw),
                Step("set-webhooks", self.set_webhooks),
            ],
            completed=completed,
            undone=undone,
            stuck=stuck,
        )

    async def hold_quota(self, order: Order, run: Run[Order]) -> Order:
        """Money first: what is refused here has cost nothing."""
        monthly = await self.quota.hold(order.organisation, order.saga, order.agent, order.country)
        crash("p1")
        return replace(order, monthly=monthly)

    async def let_quota_go(self, order: Order, run: Run[Order]) -> None:
        """The hold ends without a posting."""
        await self.quota.let_go(order.organisation, order.saga)
        crash("p1-undo")

    async def choose_number(self, order: Order, run: Run[Order]) -> Order:
        """Pick a number and store it, claimed for this saga alone, before anything is bought."""
        if order.number:
            return order
        for number in await self._provider(order).search(order.country, order.area_code):
            chosen = replace(order, number=number)
            if number not in order.passed_over and await run.keep(chosen, partial(_claim, order=chosen)):
                crash("p3")
                return chosen
        place = f"{order.country} {order.area_code}".strip()
        raise Rejected(f"no number that can text is for sale in {place} now", code="no_inventory")

    async def drop_claim(self, order: Order, run: Run[Order]) -> None:
        """The number may be chosen by others again."""
        await run.write(lambda tx: numbers.drop(tx, order.saga))
        crash("p3-undo")

    async def buy(self, order: Order, run: Run[Order]) -> Order:
        """Buy the stored number; when somebody was faster, store and buy another."""
        for _ in range(_MOST_CHOICES):
            try:
                owned = await self._buy_once(order, run)
            except Taken:
                freed = replace(order, number="", passed_over=(*order.passed_over, order.number))
                await run.keep(freed, partial(numbers.drop, saga=order.saga))
                order = await self.choose_number(freed, run)
                continue
            bought = replace(order, provider_id=owned.provider_id)
            await run.keep(bought, partial(_bought, order=bought))
            crash("p5")
            return bought
        raise Rejected("every number we chose was taken by others; try again", code="numbers_taken")

    async def _buy_once(self, order: Order, run: Run[Order]) -> OwnedNumber:
        """Look first: a purchase of what the account has already would succeed, and relabel somebody's number."""
        found = await self._provider(order).find(order.number)
        if found is None:
            found = await self._provider(order).buy(order.number, name=order.marker, key=f"{order.saga}:buy-number")
            crash("p4")
        if found.name != order.marker:
            raise Taken("the account has this number already, for something else")
        return found

    async def give_back(self, order: Order, run: Run[Order]) -> None:
        """Release what carries our label, whether or not we were told that we bought it."""
        found = await self._provider(order).find(order.number) if order.number else None
        if found and found.name == order.marker:
            await self._provider(order).release(found.provider_id)
        crash("p4-undo")

    async def publish(self, order: Order, run: Run[Order]) -> Order:
        """In the directory before the first text can come."""
        await run.write(lambda tx: _open_route(tx, order))
        await self.announce()
        crash("p7")
        return order

    async def withdraw(self, order: Order, run: Run[Order]) -> None:
        """Out of the directory."""
        await run.write(lambda tx: close_route(tx, order.route))
        await self.announce()
        crash("p7-undo")

    async def set_webhooks(self, order: Order, run: Run[Order]) -> Order:
        """Texts come to us from here on. Given back with the number, so without an undo of its own."""
        urls = self.webhooks(order.route)
        await self._provider(order).configure(order.provider_id, sms_url=urls.sms, fallback_url=urls.fallback)
        crash("p6")
        return order

    def _provider(self, order: Order) -> NumberProvider:
        return self.provider_of(order.provider, order.account)


def _claim(tx: Tx, order: Order) -> bool:
    whose = {"organisation": order.organisation, "agent": order.agent, "saga": order.saga}
    return numbers.claim(tx, order.provider, order.account, order.number, **whose)


def _bought(tx: Tx, order: Order) -> None:
    numbers.bought(tx, order.saga, order.provider_id, order.monthly.micros, order.monthly.currency)


def _open_route(tx: Tx, order: Order) -> None:
    whose = {"organisation": order.organisation, "agent": order.agent}
    numbers.open_route(tx, order.route, order.provider, order.account, order.address, **whose)
    snapshots.raise_revision(tx, DIRECTORY)


def close_route(tx: Tx, route: str) -> None:
    """Withdraw a route; the directory changes only if there was one."""
    if numbers.close_route(tx, route):
        snapshots.raise_revision(tx, DIRECTORY)


def completed(tx: Tx, order: Order) -> None:
    """The agent may send and receive."""
    tenants.change_agent(tx, order.agent, "provisioning", state="active", address=order.number)
    about = {"key": order.saga, "traceparent": order.traceparent, "agent": order.agent}
    tx.stage(
        NumberBought.first(
            order.organisation,
            **about,
            saga=order.saga,
            number=order.number,
            provider=order.provider,
            provider_id=order.provider_id,
            monthly=order.monthly,
        ),
        AgentProvisioned.first(
            order.organisation, **about, project=order.project, title=order.title, address=order.address
        ),
    )


def undone(tx: Tx, order: Order, code: str, reason: str) -> None:
    """Nothing is left of it but the reason."""
    tenants.change_agent(tx, order.agent, "provisioning", state="failed", reason=reason, closed_at=tx.now)
    about = {"key": order.saga, "traceparent": order.traceparent, "agent": order.agent}
    tx.stage(ProvisioningFailed.first(order.organisation, **about, saga=order.saga, code=code, reason=reason))


def stuck(tx: Tx, order: Order, reason: str) -> None:
    """A person should look; it is tried on all the same."""
    tx.stage(
        AlertRaised.first(
            order.organisation,
            key=f"stuck:{order.saga}:{reason}",
            traceparent=order.traceparent,
            severity="high",
            code="saga_stuck",
            summary=f"a provisioning cannot be taken back yet, and may cost money meanwhile: {reason}",
            subject_id=order.saga,
        )
    )

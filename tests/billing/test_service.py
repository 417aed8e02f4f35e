"""Billing as others meet it: over the bus, with its own outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from billing.app import build
from billing.settings import Settings
from common import service
from common.bus import Bus
from common.catalogue.billing import (
    GetBillingSummary,
    GetLimits,
    GetPriceBook,
    GetUsage,
    Limits,
    LimitsChanged,
    SetBillingConfig,
    SetLimits,
    UsagePosted,
)
from common.errors import Conflict, Rejected
from common.messages import Actor
from common.service import Service
from common.streams import EVENTS

from tests.billing import building
from tests.billing.building import AGENT, COST, ORG, WORST, an_order
from tests.support.servers import Broker

OPERATOR = Actor(tier="operator")


@pytest.fixture
async def billing(broker: Broker, database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    settings = Settings(nats_auth=False, nats_url=broker.url, database_url=database_url, data=tmp_path)
    async with service.running(await build(settings), settings) as house:
        yield house


@pytest.fixture
async def edge(broker: Broker) -> AsyncIterator[Bus]:
    bus = Bus("mcp-edge", broker.url)
    await bus.start()
    yield bus
    await bus.stop()


class Listener:
    """Hears what billing publishes."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    async def start(self, url: str) -> Bus:
        bus = Bus("audit", url)
        bus.subscribe(UsagePosted, "usage", self.heard.put)
        bus.subscribe(LimitsChanged, "limits", self.heard.put)
        await bus.start()
        return bus

    async def next(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), 10)


async def test_a_text_is_held_for_sent_priced_and_shown(billing: Service, edge: Bus, broker: Broker) -> None:
    listener = Listener()
    bus = await listener.start(broker.url)
    try:
        await edge.order(SetBillingConfig(organisation=ORG, actor=OPERATOR, markup_percent=20))
        decision = await edge.order(an_order("op_1"))
        assert (decision.allowed, decision.held.micros) == (True, WORST * 12 // 10)
        for event in (building.sent("op_1"), building.priced(10_000, "op_1")):
            await publish(edge, event)
        posted = [await listener.next(), await listener.next()]
    finally:
        await bus.stop()
    assert sorted(one.cost.micros for one in posted) == [10_000 - COST, COST]
    usage = await edge.query(GetUsage(organisation=ORG, agent=AGENT))
    assert [(line.kind, line.count, line.cost.micros, line.billed.micros) for line in usage.lines] == [
        ("sms_out", 1, 10_000, 12_000)
    ]
    summary = await edge.query(GetBillingSummary(organisation=ORG))
    assert (summary.balanced, summary.billed.micros, summary.held.micros) == (True, 12_000, 0)
    assert summary.markup_percent == 20


async def publish(bus: Bus, event: Any) -> None:
    from common import envelope  # noqa: PLC0415

    body = envelope.encode(event, producer="messaging", sequence=1)
    await bus.client.jetstream().publish(event.subject, body, stream=EVENTS)


async def test_a_new_organisation_has_a_modest_cap_that_is_shown(billing: Service, edge: Bus) -> None:
    limits = await edge.query(GetLimits(organisation=ORG))
    assert limits.limits == Limits(money_per_day=10_000_000)
    await edge.order(an_order("op_1"))
    (cap,) = (await edge.query(GetUsage(organisation=ORG, agent=AGENT))).caps
    assert (cap.scope, cap.window, cap.cap, cap.used, cap.held) == ("organisation", "day", 10_000_000, 0, WORST)


async def test_caps_set_by_an_operator_hold_and_are_announced(billing: Service, edge: Bus, broker: Broker) -> None:
    listener = Listener()
    bus = await listener.start(broker.url)
    try:
        order = SetLimits(organisation=ORG, agent=AGENT, limits=Limits(messages_per_day=1))
        assert (await edge.order(order)).changed
        changed = await listener.next()
    finally:
        await bus.stop()
    assert (changed.agent, changed.limits) == (AGENT, Limits(messages_per_day=1))
    assert (await edge.query(GetLimits(organisation=ORG, agent=AGENT))).limits == order.limits
    assert (await edge.order(an_order("op_1"))).allowed
    refused = await edge.order(an_order("op_2"))
    assert (refused.allowed, refused.code) == (False, "cap_reached")


async def test_setting_back_to_a_former_value_counts_and_a_repeat_does_not(billing: Service, edge: Bus) -> None:
    def setting(cap: int, **more: Any) -> SetLimits:
        return SetLimits(organisation=ORG, actor=OPERATOR, limits=Limits(money_per_day=cap), **more)

    first = setting(5, key="derived-5", key_derived=True)
    await edge.order(first)
    await edge.order(setting(10, key="derived-10", key_derived=True))
    await edge.order(first)  # the edge asks again, late: it was answered before
    assert (await edge.query(GetLimits(organisation=ORG))).limits.money_per_day == 10
    await edge.order(setting(5, key="derived-5", key_derived=True))
    assert (await edge.query(GetLimits(organisation=ORG))).limits.money_per_day == 5
    await edge.order(setting(7, key="mine"))
    with pytest.raises(Conflict):
        await edge.order(setting(8, key="mine"))


async def test_an_organisation_cannot_raise_its_own_caps_or_choose_its_markup(billing: Service, edge: Bus) -> None:
    tenant = Actor(tier="organisation")
    for order in (
        SetLimits(organisation=ORG, actor=tenant, limits=Limits(money_per_day=10**12)),
        SetBillingConfig(organisation=ORG, actor=tenant, markup_percent=0),
    ):
        with pytest.raises(Rejected) as refusal:
            await edge.order(order)
        assert refusal.value.code == "operator_only"


async def test_a_markup_finer_than_it_can_be_kept_is_refused(billing: Service, edge: Bus) -> None:
    with pytest.raises(Rejected, match="two decimals"):
        await edge.order(SetBillingConfig(organisation=ORG, actor=OPERATOR, markup_percent=1.234))


async def test_one_organisation_sees_nothing_of_another(billing: Service, edge: Bus) -> None:
    await edge.order(an_order("op_1"))
    await publish(edge, building.sent("op_1"))
    assert (await edge.query(GetUsage(organisation="org_2"))).lines == []
    summary = await edge.query(GetBillingSummary(organisation="org_2"))
    assert (summary.billed.micros, summary.held.micros, summary.balanced) == (0, 0, True)


async def test_the_price_book_says_where_its_prices_come_from(billing: Service, edge: Bus) -> None:
    book = await edge.query(GetPriceBook(organisation=ORG))
    assert {"sms_out/US", "sms_in", "number_rent/US"} <= {line.item for line in book.lines}
    assert all(line.source and line.dated for line in book.lines)


async def test_billing_is_ready_when_database_and_bus_answer(billing: Service) -> None:
    status, report = await billing.health.report()
    assert (status, report["checks"]) == (200, {"database": "ok", "bus": "ok"})

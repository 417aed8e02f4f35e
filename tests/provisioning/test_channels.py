"""An agent is provisioned and released, on a real broker, both databases and the local carrier, with its faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from common.catalogue.audit import AlertRaised
from common.catalogue.provisioning import (
    AgentProvisioned,
    ChannelsReply,
    DeprovisionChannels,
    GetChannelStatus,
    GetSagaHold,
    IssueToken,
    NumberBought,
    ProvisionChannels,
    ResolveRoute,
    TraceProvisioning,
)
from common.catalogue.values import Address, Money
from common.db import Database
from common.errors import Conflict, NotFound, Rejected
from common.messages import PLATFORM
from common.outbox import Outbox
from provisioning.accounts import Accounts
from provisioning.providers.port import Account
from provisioning.providers.twilio import Twilio
from provisioning.reaper import Reaper
from provisioning.settings import Settings

from tests.carrier.running import RunningCarrier, running_carrier
from tests.provisioning.living import House, a_house, a_worker, settings_for, write_secrets
from tests.support.servers import Broker

FALLBACK = "https://second.switchboard.test"


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCarrier]:
    with running_carrier(tmp_path_factory.mktemp("carrier")) as carrier:
        yield carrier


@pytest.fixture(autouse=True)
def no_faults(carrier: RunningCarrier) -> Iterator[None]:
    yield
    carrier.control.delete("/faults").raise_for_status()


@pytest.fixture
def settings(broker: Broker, database_url: str, tmp_path: Path, carrier: RunningCarrier) -> Settings:
    write_secrets(tmp_path / "secrets", carrier.account_sid, carrier.auth_token)
    return settings_for(broker.url, database_url, tmp_path, twilio_api_url=carrier.base_url, fallback_url=FALLBACK)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with a_house(settings) as house, a_worker(settings):
        yield house


async def provisioned(house: House, organisation: str, key: str = "", **more: str) -> ChannelsReply:
    return await house.ask(ProvisionChannels(organisation=organisation, title="Concierge", key=key, **more))


def at_provider(carrier: RunningCarrier, number: str) -> list[dict[str, str]]:
    with carrier.rest() as rest:
        found: httpx.Response = rest.get(
            f"{carrier.account_path}/IncomingPhoneNumbers.json", params={"PhoneNumber": number}
        )
    numbers: list[dict[str, str]] = found.json()["incoming_phone_numbers"]
    return numbers


def bought_for(carrier: RunningCarrier, saga: str) -> list[str]:
    """Numbers the account has now under this saga's label."""
    with carrier.rest() as rest:
        name = {"FriendlyName": f"switchboard:{saga}", "PageSize": "1000"}
        found = rest.get(f"{carrier.account_path}/IncomingPhoneNumbers.json", params=name).json()
    return [row["phone_number"] for row in found["incoming_phone_numbers"]]


async def test_an_agent_gets_a_number_a_route_webhooks_and_a_token(house: House, carrier: RunningCarrier) -> None:
    acme = await house.organisation()
    reply = await provisioned(house, acme.organisation, key="k", area_code="415")
    assert reply.state == "active"
    number = reply.channels[0].address
    assert number.startswith("+1415")
    await house.eventually(lambda: house.token(reply.token) is not None)
    route = house.directory.route_of(acme.organisation, reply.agent)
    shown = at_provider(carrier, number)[0]
    assert shown["sms_url"] == f"https://hooks.switchboard.test/webhooks/{route.route}/sms"
    assert shown["sms_fallback_url"] == f"{FALLBACK}/webhooks/{route.route}/sms"
    assert (route.account, route.addresses) == (carrier.account_sid, [Address.phone(number)])
    await house.eventually(lambda: "provisioning.v1.token.issued" in house.names(acme.organisation)[3:])
    bought = next(event for event in house.seen if isinstance(event, NumberBought))
    assert (bought.saga, bought.number, bought.monthly) == (reply.saga, number, Money(micros=1_150_000))
    assert house.billing.held == {reply.saga}
    assert not house.billing.let_go


async def test_the_same_key_finds_the_same_agent_and_never_shows_the_token_again(house: House) -> None:
    acme = await house.organisation()
    first = await provisioned(house, acme.organisation, key="k")
    again = await provisioned(house, acme.organisation, key="k")
    assert (again.agent, again.token_id, again.token) == (first.agent, first.token_id, "")
    assert "issue another" in again.reason
    assert (await house.ask(IssueToken(organisation=acme.organisation, agent=first.agent))).token
    with pytest.raises(Conflict):
        await provisioned(house, acme.organisation, key="k", country="CA")


async def test_asked_many_times_at_once_one_agent_is_made_with_one_token(house: House) -> None:
    async with a_worker(house.settings):
        acme = await house.organisation()
        replies = await asyncio.gather(*(provisioned(house, acme.organisation, key="k") for _ in range(8)))
    assert len({reply.agent for reply in replies}) == 1
    assert len([reply for reply in replies if reply.token]) == 1


async def test_billings_refusal_is_told_and_nothing_is_bought(house: House, carrier: RunningCarrier) -> None:
    house.billing.refuses = "the monthly cap of 5 USD is reached; it ends on 1 December"
    acme = await house.organisation()
    reply = await provisioned(house, acme.organisation)
    assert reply.state == "failed"
    assert reply.reason.startswith(house.billing.refuses)
    assert bought_for(carrier, reply.saga) == []


async def test_a_country_nobody_sells_numbers_in_is_refused_clearly(house: House) -> None:
    acme = await house.organisation()
    reply = await provisioned(house, acme.organisation, country="AQ")
    assert reply.state == "failed"
    assert "no number that can text is for sale in AQ" in reply.reason
    await house.eventually(lambda: house.billing.let_go == {reply.saga})


FAULTS: list[dict[str, Any]] = [
    {"kind": "cut_after", "operation": "numbers.buy", "times": 1},
    {"kind": "cut_before", "operation": "numbers.buy", "times": 1},
    {"kind": "5xx_after", "operation": "numbers.buy", "times": 2},
    {"kind": "429", "operation": "numbers.buy", "times": 1},
    {"kind": "number_taken", "operation": "numbers.buy", "times": 2},
    {"kind": "5xx", "operation": "numbers.update", "times": 2},
    {"kind": "cut_before", "operation": "numbers.list", "times": 1},
    {"kind": "5xx", "operation": "available.search", "times": 1},
]


async def test_faults_at_the_provider_cost_time_and_never_a_second_number(
    house: House, carrier: RunningCarrier
) -> None:
    acme = await house.organisation()
    for n, fault in enumerate(FAULTS):  # one after the other: a house for each would take longer than its fault
        carrier.fault(**fault)
        reply = await provisioned(house, acme.organisation, key=f"k{n}")
        assert (fault, reply.state) == (fault, "active")
        assert bought_for(carrier, reply.saga) == [reply.channels[0].address]


async def test_a_slow_provider_is_answered_running_and_the_key_finds_it_later(
    settings: Settings, carrier: RunningCarrier
) -> None:
    carrier.fault("delay", operation="numbers.buy", times=1, seconds=1)
    hasty = settings.model_copy(update={"provisioning_wait": 0.2})
    async with a_house(hasty) as house, a_worker(hasty):
        acme = await house.organisation()
        reply = await provisioned(house, acme.organisation, key="k")
        assert (reply.state, reply.token) == ("running", "")
        with pytest.raises(Rejected, match="still being provisioned"):
            await house.ask(DeprovisionChannels(organisation=acme.organisation, agent=reply.agent))
        hold = await house.ask(GetSagaHold(organisation=acme.organisation, saga=reply.saga))
        assert (hold.known, hold.ended) == (True, False)
        async with asyncio.timeout(10):
            while (again := await provisioned(house, acme.organisation, key="k")).state == "running":
                pass
        assert again.token
        hold = await house.ask(GetSagaHold(organisation=acme.organisation, saga=reply.saga))
        assert hold.ended


async def test_a_released_agent_has_no_tokens_no_number_and_no_route(house: House, carrier: RunningCarrier) -> None:
    acme = await house.organisation()
    given = await provisioned(house, acme.organisation)
    number = given.channels[0].address
    carrier.fault("cut_after", operation="numbers.delete", times=1)
    order = DeprovisionChannels(organisation=acme.organisation, agent=given.agent)
    taken = await house.ask(order)
    assert taken.state == "released"
    assert at_provider(carrier, number) == []
    await house.eventually(lambda: house.token(given.token) is None)
    await house.eventually(lambda: (acme.organisation, given.agent) not in house.directory.by_agent)
    await house.eventually(lambda: "provisioning.v1.number.released" in house.names(acme.organisation))
    again = await house.ask(DeprovisionChannels(organisation=acme.organisation, agent=given.agent))
    assert (again.saga, again.state) == (taken.saga, "released")
    status = await house.ask(GetChannelStatus(organisation=acme.organisation, agent=given.agent))
    assert status.agents[0].state == "released"


async def test_a_trace_tells_every_step(house: House) -> None:
    acme = await house.organisation()
    given = await provisioned(house, acme.organisation)
    trace = await house.ask(TraceProvisioning(organisation=acme.organisation, agent=given.agent))
    told = [step.what for step in trace.steps]
    assert told[0] == "hold-quota begun"
    assert told[-1] == "saga completed"
    assert trace.saga == given.saga


async def test_another_tenants_agent_looks_like_none(house: House) -> None:
    acme, other = await house.organisation(), await house.organisation("Other")
    given = await provisioned(house, acme.organisation)
    for agent in (given.agent, "agt_none"):
        with pytest.raises(NotFound, match="there is no agent"):
            await house.ask(GetChannelStatus(organisation=other.organisation, agent=agent))
        with pytest.raises(NotFound, match="there is no agent"):
            await house.ask(DeprovisionChannels(organisation=other.organisation, agent=agent))
    with pytest.raises(NotFound, match="there is no provisioning"):
        await house.ask(TraceProvisioning(organisation=other.organisation, saga=given.saga))
    assert (await house.ask(GetChannelStatus(organisation=other.organisation))).agents == []
    assert not (await house.ask(GetSagaHold(organisation=other.organisation, saga=given.saga))).known


async def test_an_address_is_resolved_to_its_owner_and_nobodys_to_nothing(
    house: House, carrier: RunningCarrier
) -> None:
    acme = await house.organisation()
    given = await provisioned(house, acme.organisation)
    address = Address.phone(given.channels[0].address)
    owner = await house.ask(ResolveRoute(organisation=PLATFORM, account=carrier.account_sid, address=address))
    assert (owner.organisation, owner.agent) == (acme.organisation, given.agent)
    nobody = await house.ask(ResolveRoute(organisation=PLATFORM, account="AC_other", address=address))
    assert nobody.agent == ""


async def test_two_replicas_share_the_work_and_buy_one_number_each(settings: Settings, carrier: RunningCarrier) -> None:
    async with a_house(settings) as house, a_worker(settings), a_worker(settings):
        acme = await house.organisation()
        replies = await asyncio.gather(*(provisioned(house, acme.organisation, key=f"k{n}") for n in range(6)))
        assert {reply.state for reply in replies} == {"active"}
        assert [len(bought_for(carrier, reply.saga)) for reply in replies] == [1] * 6
        assert len({reply.channels[0].address for reply in replies}) == 6


async def test_a_worker_stopped_in_the_middle_is_followed_by_the_next(
    settings: Settings, carrier: RunningCarrier
) -> None:
    carrier.fault("delay", operation="numbers.buy", times=1, seconds=1.0)
    async with a_house(settings) as house:
        async with a_worker(settings.model_copy(update={"provisioning_wait": 0.0})):
            acme = await house.organisation()
            reply = await provisioned(house, acme.organisation, key="k")
            assert reply.state == "running"
        async with a_worker(settings):
            again = await provisioned(house, acme.organisation, key="k")
        assert (again.state, again.agent) == ("active", reply.agent)
        assert bought_for(carrier, reply.saga) == [again.channels[0].address]
        assert len([one for one in house.seen if isinstance(one, AgentProvisioned)]) == 1


def alerts(house: House) -> set[str]:
    return {event.code for event in house.seen if isinstance(event, AlertRaised)}


async def test_the_reaper_tells_of_orphans_finishes_late_undos_and_leaves_others_alone(
    house: House, carrier: RunningCarrier, settings: Settings
) -> None:
    acme = await house.organisation()
    mine = await provisioned(house, acme.organisation)
    house.billing.refuses = "no"
    failed = await provisioned(house, acme.organisation)
    twilio = Twilio(carrier.account_sid, carrier.auth_token, carrier.base_url)
    for_sale = await twilio.search("US", "")
    late = await twilio.buy(for_sale[0], name=f"switchboard:{failed.saga}", key="")
    orphan = await twilio.buy(for_sale[1], name="switchboard:saga_of_nobody", key="")
    theirs = await twilio.buy(for_sale[2], name="front desk", key="")

    database = Database(settings.database("provisioning"))
    Outbox(database, "provisioning")
    account = Account("twilio", carrier.account_sid, carrier.auth_token, twilio)
    findings = await Reaper(database, Accounts([account]), 1).look(account)
    verdicts = {one.number: one.verdict for one in findings}
    numbers = (mine.channels[0].address, late.number, orphan.number, theirs.number)
    assert [verdicts[number] for number in numbers] == ["ours", "late", "orphan", "unmarked"]
    left = {one.number for one in await twilio.list()}
    assert {number in left for number in (numbers[0], orphan.number, theirs.number)} == {True}
    assert late.number not in left
    await house.eventually(lambda: {"orphan_number", "unmarked_number"} <= alerts(house))
    await database.close()
    await twilio.close()

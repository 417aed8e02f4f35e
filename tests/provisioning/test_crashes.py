"""A worker that dies at any named point is followed by one that finishes: one number or none, and money to match."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from common.catalogue.provisioning import ChannelsReply, DeprovisionChannels, ProvisionChannels
from common.errors import Unavailable
from common.messages import Order
from provisioning.settings import Settings

from tests.carrier.running import RunningCarrier, running_carrier
from tests.provisioning.living import House, a_house, settings_for, write_secrets
from tests.support.servers import Broker

ALL = os.environ.get("CRASH_POINTS") == "all"
"""A process takes its time to start: by default only where most is in doubt."""
DOING = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p9", "p10"] if ALL else ["p2", "p4", "p9"]
UNDOING = ["p7-undo", "p4-undo", "p3-undo", "p1-undo"] if ALL else ["p4-undo"]
RELEASING = ["d1", "d2", "d3", "d4"] if ALL else ["d3"]
NO_URL = "https://:1"
"""The provider refuses this for a webhook, after everything else was done: all must be undone."""


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCarrier]:
    with running_carrier(tmp_path_factory.mktemp("carrier")) as carrier:
        yield carrier


@pytest.fixture
def settings(broker: Broker, tmp_path: Path, carrier: RunningCarrier) -> Settings:
    write_secrets(tmp_path / "secrets", carrier.account_sid, carrier.auth_token)
    return settings_for(broker.url, "", tmp_path, twilio_api_url=carrier.base_url)


@contextlib.asynccontextmanager
async def a_process(
    settings: Settings, crash_at: str = "", fallback: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    env = os.environ | {
        "SWITCHBOARD_NATS_AUTH": "false",
        "SWITCHBOARD_NATS_URL": settings.nats_url,
        "SWITCHBOARD_DATA": str(settings.data),
        "SWITCHBOARD_SECRETS": str(settings.secrets),
        "SWITCHBOARD_TWILIO_API_URL": settings.twilio_api_url,
        "SWITCHBOARD_FALLBACK_URL": fallback,
        "SWITCHBOARD_PROVISIONING_LEASE": "0.6",
        "CRASH_AT": crash_at,
    }
    with (settings.data / "worker.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "provisioning", env=env, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 20)
        finally:
            if process.returncode is None:
                process.kill()


async def dies(process: Process, house: House, order: Order[ChannelsReply]) -> None:
    asking = asyncio.create_task(house.bus.order(order, total=30))
    async with asyncio.timeout(30):
        assert await process.wait() == 137
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def finishes(house: House, order: Order[ChannelsReply], fallback: str = "") -> ChannelsReply:
    async with a_process(house.settings, "", fallback), asyncio.timeout(30):
        while True:
            with contextlib.suppress(Unavailable):
                reply = await house.bus.order(order, total=20)
                if reply.state not in ("running", "releasing"):
                    return reply


def labelled(carrier: RunningCarrier, saga: str) -> list[str]:
    with carrier.rest() as rest:
        name = {"FriendlyName": f"switchboard:{saga}", "PageSize": "1000"}
        found = rest.get(f"{carrier.account_path}/IncomingPhoneNumbers.json", params=name).json()
    return [row["phone_number"] for row in found["incoming_phone_numbers"]]


def an_order(organisation: str) -> ProvisionChannels:
    return ProvisionChannels(organisation=organisation, title="Concierge", key="k")


@pytest.mark.parametrize("point", DOING)
async def test_a_worker_killed_while_providing_is_followed_to_the_end(
    settings: Settings, carrier: RunningCarrier, point: str
) -> None:
    async with a_house(settings) as house:
        async with a_process(settings, point) as process:
            order = an_order((await house.organisation()).organisation)
            await dies(process, house, order)
        reply = await finishes(house, order)
        assert reply.state == "active"
        assert labelled(carrier, reply.saga) == [reply.channels[0].address]
        assert house.billing.held == {reply.saga}
        assert house.billing.let_go == set()


@pytest.mark.parametrize("point", UNDOING)
async def test_a_worker_killed_while_undoing_is_followed_to_the_end(
    settings: Settings, carrier: RunningCarrier, point: str
) -> None:
    async with a_house(settings) as house:
        async with a_process(settings, point, NO_URL) as process:
            order = an_order((await house.organisation()).organisation)
            await dies(process, house, order)
        reply = await finishes(house, order, NO_URL)
        assert reply.state == "failed"
        assert labelled(carrier, reply.saga) == []
        assert house.billing.let_go == {reply.saga}


@pytest.mark.parametrize("point", RELEASING)
async def test_a_worker_killed_while_releasing_is_followed_to_the_end(
    settings: Settings, carrier: RunningCarrier, point: str
) -> None:
    async with a_house(settings) as house:
        async with a_process(settings, point) as process:
            acme = await house.organisation()
            given = await house.ask(an_order(acme.organisation))
            order = DeprovisionChannels(organisation=acme.organisation, agent=given.agent)
            await dies(process, house, order)
        assert (await finishes(house, order)).state == "released"
        assert labelled(carrier, given.saga) == []

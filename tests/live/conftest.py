"""One running house for each file that names its `KIND`; every story plays in it with agents and people of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.stack import a_stack

if TYPE_CHECKING:
    from tests.live.world import Agent, Kind, Tenant, World

pytest.register_assert_rewrite("tests.live.stories", "tests.live.world")

QUICK = {"SWITCHBOARD_EDGE_PROGRESS_SECONDS": "0.2", "CARRIER_PRICE_DELAY_MS": "100"}


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from tests.live.world import World  # noqa: PLC0415 - after its asserts are registered

    kind: Kind = request.module.KIND
    url = ""
    if kind.postgresql:
        url = request.getfixturevalue("postgres").database(f"live{secrets.token_hex(6)}")
    folder = tmp_path_factory.mktemp("house")
    with a_stack(folder, replicas=kind.replicas, postgres_url=url, env=QUICK) as stack:
        yield World(stack)


@pytest.fixture(scope="module")
def tenant(world: World) -> Tenant:
    return world.tenant("Harbour Hotel")


@pytest.fixture
def agent(tenant: Tenant) -> Agent:
    return tenant.agent()


@pytest.fixture
def person(world: World) -> str:
    return world.person()


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """Both revisions of the protocol: 2026-07-28, then 2025-11-25."""
    return str(request.param)

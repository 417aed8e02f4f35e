"""One running house on SQLite, one on PostgreSQL; two gateways, so that one may die while texts come in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack, a_stack

AT_ONCE = 4
"""Most requests that messaging has on their way to the provider at a time."""

QUICK = {
    "SWITCHBOARD_MESSAGING_DISPATCH_CONCURRENCY": str(AT_ONCE),
    "SWITCHBOARD_MESSAGING_DISPATCH_LEASE": "4",
    "SWITCHBOARD_MESSAGING_UNKNOWN_GRACE": "4",
    "SWITCHBOARD_PROVIDER_TIMEOUT": "3",
    "CARRIER_STATUS_STEP_MS": "20",
    "CARRIER_PRICE_DELAY_MS": "200",
}
"""Fewer at a time and shorter patience than in production: the same code, a shorter test."""


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    admin = ""
    if request.param == "postgresql":
        admin = request.getfixturevalue("postgres").database(f"faults-{tmp_path_factory.mktemp('n').name}")
    folder = tmp_path_factory.mktemp("house")
    with a_stack(folder, replicas="gateway=2", postgres_url=admin, env=QUICK) as running:
        yield running

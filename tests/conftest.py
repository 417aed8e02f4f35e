"""Fixtures for every suite: a real broker per test, SQLite and PostgreSQL in turn; and who runs beside whom."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from common import streams

from tests.support.databases import Postgres, Tables, a_postgres, roomy
from tests.support.dealing import Dealing
from tests.support.servers import Broker, a_broker


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Dealing:
    return Dealing(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="pg", dir=roomy()) as folder, a_postgres(Path(folder) / "data") as server:
        yield server


@pytest.fixture
def tables() -> Tables:
    """Whose tables a test's database has at its start: nobody's, unless a suite says otherwise."""
    return Tables.none()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, tables: Tables) -> Iterator[str]:
    """A database of this test's own, on SQLite and then on PostgreSQL, with nothing in it but `tables`."""
    if request.param == "sqlite":
        yield tables.sqlite(tmp_path / "test.db")
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{secrets.token_hex(6)}"
    yield tables.postgresql(server, name)
    server.drop(name)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    """A broker with the streams of the house, for this test alone."""
    with a_broker(tmp_path / "nats") as server:
        await declare_streams(server)
        yield server


async def declare_streams(server: Broker) -> None:
    async with asyncio.timeout(10):
        client = await nats.connect(server.url)
        await streams.declare(client.jetstream())
        await client.close()

"""Fixtures for every suite: a real broker per test, SQLite and PostgreSQL in turn."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
import pytest
from common import streams

from tests.support.servers import Broker, Postgres, a_broker, a_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder, a_postgres(Path(folder) / "data") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, on SQLite and then on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database(f"t{secrets.token_hex(6)}")


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

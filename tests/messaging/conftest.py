"""Messaging, running, on each database in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.messaging.running import House, running
from tests.support.databases import Tables
from tests.support.servers import Broker


@pytest.fixture
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables("messaging", tmp_path_factory.getbasetemp())


@pytest.fixture
async def house(broker: Broker, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with running(broker.url, database_url, tmp_path) as house:
        yield house

"""A database with billing's tables, on both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from common.db import Database

from tests.billing.building import a_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = a_database(database_url)
    yield database
    await database.close()

"""A database with billing's tables, on both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from common.db import Database

from tests.support.databases import Tables


@pytest.fixture
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables("billing", tmp_path_factory.getbasetemp())


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()

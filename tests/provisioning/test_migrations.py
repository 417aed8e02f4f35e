"""The migrations and the tables say the same."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from common.db import Database
from common.migrate import upgrade
from provisioning.store import metadata

from tests.support.databases import Tables


@pytest.fixture
def tables() -> Tables:
    return Tables.none()


async def test_migrating_an_empty_database_gives_exactly_the_tables(database_url: str) -> None:
    upgrade("provisioning", database_url)
    database = Database(database_url)
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    await database.close()
    assert differences == []

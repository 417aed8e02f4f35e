"""The migrations and the tables agree."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from billing.store import metadata
from common import migrate
from common.db import Database

from tests.support.databases import Tables


@pytest.fixture
def tables() -> Tables:
    return Tables.none()


async def test_migrating_an_empty_database_gives_exactly_the_tables(database_url: str) -> None:
    migrate.upgrade("billing", database_url)
    database = Database(database_url)
    try:
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = [one for one in compare_metadata(context, metadata) if "alembic_version" not in str(one)]
    finally:
        await database.close()
    assert differences == []

"""Brings one service's tables to the newest revision, with Alembic, for both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.db import Database


def upgrade(package: str, url: str) -> None:
    """Run the migrations of `<package>/migrations` on the database at `url`; safe to run by several at once."""
    from alembic import command  # noqa: PLC0415 - slow to import, and only this step needs it
    from alembic.config import Config  # noqa: PLC0415

    folder = _folder(package)
    _make_place(url)
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", str(folder))
    try:
        with database.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": package})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.engine.dispose()


def run_environment(metadata: sa.MetaData) -> None:
    """The body of every `migrations/env.py`."""
    from alembic import context  # noqa: PLC0415

    connection: Any = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()


def _folder(package: str) -> Path:
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"no package {package}")
    return Path(spec.origin).parent / "migrations"


def _make_place(url: str) -> None:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)

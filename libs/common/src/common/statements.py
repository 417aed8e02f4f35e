"""Statements built once, compiled once, and given to the driver as they are.

SQLAlchemy writes the SQL of both databases and knows how each column's values travel. Its execution of a statement
costs ten times what SQLite takes to run it, which every text pays a dozen times: what is on that way is `Prepared`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, Any]

_FORMS = 512
"""Most compiled forms one statement keeps: it has few shapes of parameters, and lists come in few sizes."""


class Rows:
    """What a statement gave, read whole: as much of SQLAlchemy's result as services use."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows, self.rowcount = rows, rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        """Every row."""
        return self._rows

    def mappings(self) -> list[dict[str, Any]]:
        """Every row by its columns' names."""
        return [row._asdict() for row in self._rows]

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """The only row; raises when there is none, or another."""
        if not self._rows:
            raise NoResultFound("no row where one was expected")
        if len(self._rows) > 1:
            raise MultipleResultsFound("several rows where one was expected")
        return self._rows[0]

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first column of the only row."""
        return self.one()[0]

    def scalars(self) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self._rows]


class Prepared:
    """A statement for `Tx.execute`. Make it once, at the top of a module, with a `bindparam` for all that varies."""

    def __init__(self, clause: sa.Executable) -> None:
        self.clause = cast(sa.ClauseElement, clause)
        self._forms: dict[Any, _Form] = {}

    def run(self, connection: Connection, values: Values | Sequence[Values]) -> Rows:
        """Run it once, or for each of several sets of values."""
        many = not isinstance(values, Mapping)
        first: Values = values if isinstance(values, Mapping) else values[0]
        sizes = tuple([_room(value) for value in first.values() if value.__class__ is list])
        form = self._forms.get((connection.dialect.name, many, sizes, *first))
        if form is None:
            form = self._compile(connection, first, many, sizes)
        return form.run(connection, values)

    def _compile(self, connection: Connection, first: Values, many: bool, sizes: tuple[int, ...]) -> _Form:
        if len(self._forms) >= _FORMS:
            self._forms.clear()
        form = _Form(self.clause, connection.dialect, first, many)
        self._forms[connection.dialect.name, many, sizes, *first] = form
        return form


class _Form:
    """One statement for one database and one shape of parameters."""

    def __init__(self, clause: sa.ClauseElement, dialect: sa.Dialect, first: Values, many: bool) -> None:
        self._dialect, self._many = dialect, many
        options: dict[str, Any] = {"column_keys": list(first), "for_executemany": many}
        compiled = cast(SQLCompiler, clause.compile(dialect=dialect, **options))
        padded = {key: _padded(value) if isinstance(value, list) else value for key, value in first.items()}
        state = compiled.construct_expanded_state(padded)
        self._sql = state.statement
        binds = _binds(compiled, state.parameter_expansion, set(first))
        self._names = None if compiled.positional else list(binds)
        self._binds = [binds[name] for name in (state.positiontup or ())] if compiled.positional else [*binds.values()]
        self._row, self._columns = _columns(compiled, dialect)

    def run(self, connection: Connection, values: Values | Sequence[Values]) -> Rows:
        driver: Any = connection.connection.driver_connection
        given = values if self._many else [values]
        sent = [self._sent(cast(Values, one)) for one in given]
        try:
            cursor = driver.cursor()
            if self._many:
                cursor.executemany(self._sql, sent)
            else:
                cursor.execute(self._sql, sent[0])
            rows = cursor.fetchall() if cursor.description else []
            count = cursor.rowcount
            cursor.close()
        except self._dialect.loaded_dbapi.Error as error:
            raise self._translated(error) from error
        return Rows([self._shown(row) for row in rows] if self._row else rows, count)

    def _sent(self, values: Values) -> Any:
        sent = []
        for key, n, constant, process in self._binds:
            value = values[key] if key else constant
            if n >= 0:
                value = value[min(n, len(value) - 1)]
            sent.append(process(value) if process else value)
        return dict(zip(self._names, sent, strict=True)) if self._names is not None else sent

    def _shown(self, row: Sequence[Any]) -> Any:
        if self._columns:
            row = [process(value) if process else value for process, value in zip(self._columns, row, strict=True)]
        return self._row(row)

    def _translated(self, error: Any) -> BaseException:
        """The driver's error as SQLAlchemy names it, so that callers catch one family."""
        base = self._dialect.loaded_dbapi.Error
        gone = self._dialect.is_disconnect(error, None, None)
        named = DBAPIError.instance(self._sql, None, error, base, connection_invalidated=gone, dialect=self._dialect)
        return cast(BaseException, named)


_Bind = tuple[str, int, Any, Callable[[Any], Any] | None]
"""The caller's key ("" for a constant), the place in its list or -1, the constant, and how the value travels."""


def _binds(compiled: SQLCompiler, expanded: Mapping[str, list[str]], keys: set[str]) -> dict[str, _Bind]:
    """What fills each parameter of the statement."""
    binds: dict[str, _Bind] = {}
    for parameter, name in compiled.bind_names.items():
        process: Any = compiled._bind_processors.get(name)
        key = parameter.key if parameter.key in keys else ""
        if name in expanded:
            process = process[0] if isinstance(process, tuple) else process
            binds |= {each: (key, n, None, process) for n, each in enumerate(expanded[name])}
        else:
            binds[name] = (key, -1, parameter.effective_value, process)
    return binds


def _columns(compiled: SQLCompiler, dialect: sa.Dialect) -> tuple[Any, list[Any]]:
    """How a row is made, and what each value goes through first; nothing when no value needs it."""
    columns = compiled._result_columns
    if not columns:
        return None, []
    processors = [column.type._cached_result_processor(dialect, None) for column in columns]
    row = namedtuple("Row", [column.keyname for column in columns], rename=True)  # type: ignore[misc] # made from data
    return row._make, processors if any(processors) else []


def _room(values: list[Any]) -> int:
    """Lists are sent in the next power of two, their last value repeated: few shapes serve all lengths."""
    return 1 << (len(values) - 1).bit_length() if values else 0


def _padded(values: list[Any]) -> list[Any]:
    return values + values[-1:] * (_room(values) - len(values))

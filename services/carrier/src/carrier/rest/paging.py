"""Pages of the 2010 API: newest first, with a token that names the row where the next page goes on."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from carrier.errors import bad_parameter
from carrier.rest.operation import Call

MOST = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """Which page a list request asks for."""

    number: int
    size: int
    token: str

    @property
    def seq(self) -> int | None:
        """The row the token names, or None for a page found by its number alone."""
        return int(self.token[2:], 16) if self.token else None


def asked_page(call: Call, size: int = 50) -> Page:
    """Read Page, PageSize and PageToken; ProviderError 20001 if they make no sense."""
    page = Page(call.query.number("Page", 0), call.query.number("PageSize", size), call.query.text("PageToken"))
    if page.number < 0 or page.size < 1:
        raise bad_parameter("Page and PageSize must be positive")
    if page.token and (page.token[:2] not in ("PA", "PB") or not _is_hex(page.token[2:])):
        raise bad_parameter("PageToken is not one of ours")
    return Page(page.number, min(page.size, MOST), page.token)


def _is_hex(text: str) -> bool:
    return bool(text) and all(char in "0123456789abcdef" for char in text)


def select(
    conn: sqlite3.Connection, table: str, where: str, values: list[Any], page: Page
) -> tuple[list[sqlite3.Row], bool]:
    """Read one page of a table and whether more follow. Table and conditions are the caller's constants."""
    backwards = page.token.startswith("PB")
    if page.seq is not None:
        where, values = f"{where} AND seq {'>' if backwards else '<'} ?", [*values, page.seq]
    skip = 0 if page.token else page.number * page.size
    order = "ASC" if backwards else "DESC"
    query = f"SELECT * FROM {table} WHERE {where} ORDER BY seq {order} LIMIT ? OFFSET ?"  # noqa: S608
    rows = conn.execute(query, [*values, page.size + 1, skip]).fetchall()
    more = len(rows) > page.size
    rows = rows[: page.size]
    return (rows[::-1], True) if backwards else (rows, more)


def in_memory(rows: list[tuple[int, T]], page: Page) -> tuple[list[tuple[int, T]], bool]:
    """Take one page of rows held in memory, given oldest first with their `seq`, and whether more follow."""
    newest = rows[::-1]
    seq = page.seq
    if seq is not None and page.token.startswith("PB"):
        return [row for row in newest if row[0] > seq][-page.size :], True
    left = newest[page.number * page.size :] if seq is None else [row for row in newest if row[0] < seq]
    return left[: page.size], len(left) > page.size


def envelope(
    call: Call,
    name: str,
    page: Page,
    rows: list[Any],
    more: bool,
    seq_of: Callable[[Any], int],
    show: Callable[[Any], Any],
) -> dict[str, Any]:
    """Wrap a page's rows as the API does, with the links to its neighbours."""
    start = page.number * page.size
    last = f"PA{seq_of(rows[-1]):032x}" if more and rows else ""
    first = f"PB{seq_of(rows[0]):032x}" if page.number and rows else ""
    return {
        name: [show(row) for row in rows],
        "page": page.number,
        "page_size": page.size,
        "start": start,
        "end": start + max(0, len(rows) - 1),
        "uri": link(call, page.number, page.size, page.token),
        "first_page_uri": link(call, 0, page.size),
        "next_page_uri": link(call, page.number + 1, page.size, last) if last else None,
        "previous_page_uri": link(call, page.number - 1, page.size, first) if first else None,
    }


def link(call: Call, number: int, size: int, token: str = "") -> str:
    """Build the URI of a page with the request's own filters."""
    filters = [(k, v) for k, v in call.query.pairs if k not in ("Page", "PageSize", "PageToken")]
    extra = [("PageToken", token)] if token else []
    return f"{call.url}?{urlencode([*filters, ('PageSize', size), ('Page', number), *extra])}"

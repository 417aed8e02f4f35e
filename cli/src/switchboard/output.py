"""What people and scripts see: tables or JSON, and errors as sentences with what to do."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def fail(text: str, *, code: int = 1) -> typer.Exit:
    """Say what is wrong on standard error; raise what is given back. 1: refused, 2: wrong use, 3: nobody answers."""
    typer.echo(f"switchboard: {text}", err=True)
    return typer.Exit(code)


def show(content: Any, json: bool, text: str = "") -> None:
    """One thing: JSON for scripts, `text` or a list of fields for people."""
    if json:
        typer.echo(jsonlib.dumps(content, indent=2, ensure_ascii=False))
    elif text:
        typer.echo(text)
    else:
        for name, value in content.items():
            typer.echo(f"{name:<16} {_cell(value)}")


def rows(content: Sequence[Mapping[str, Any]], json: bool, columns: Sequence[str] = (), empty: str = "none") -> None:
    """Many things: a JSON list for scripts, a table for people."""
    if json:
        typer.echo(jsonlib.dumps(list(content), indent=2, ensure_ascii=False))
        return
    if not content:
        typer.echo(empty)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not needed for JSON
    from rich.table import Table  # noqa: PLC0415

    names = list(columns) or list(content[0])
    table = Table(*names, box=None, header_style="bold")
    for row in content:
        table.add_row(*(_cell(row.get(name)) for name in names))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping) and set(value) == {"micros", "currency"}:
        return f"{value['micros'] / 1e6:.4f} {value['currency']}"
    return jsonlib.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else str(value)

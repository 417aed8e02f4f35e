"""`make bench`: every benchmark, one table. `--quick` takes a minute instead of several; names choose some."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from bench.results import Result

BENCHES = ("ingest", "tools", "delivery", "holds", "chain")
_WIDTH = 150


def main() -> int:
    """Run, print, and exit 1 when a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which; all when none is named")
    parser.add_argument("--quick", action="store_true", help="shorter rounds: a look, not a verdict")
    options = parser.parse_args()
    console, results = _console(), []
    for name in options.names or BENCHES:
        console.print(f"[dim]{name} …[/dim]")
        results += asyncio.run(importlib.import_module(f"bench.{name}").run(options.quick))
    if options.quick:  # the goals are for the whole workload: a smaller one neither meets nor misses them
        results = [replace(result, passed=None) for result in results]
    console.print(_table(results))
    for result in results:
        if result.note:
            console.print(f"[dim]{result.name}: {result.note}[/dim]")
    missed = [result.name for result in results if result.passed is False]
    verdict = f"[red]missed: {', '.join(missed)}[/red]" if missed else "[green]every goal met[/green]"
    console.print("a quick look, not a verdict" if options.quick else verdict)
    return 1 if missed else 0


def _console() -> Console:
    """Wide enough for the table's lines, whatever the terminal."""
    console = Console()
    return console if console.width >= _WIDTH else Console(width=_WIDTH)


def _table(results: Sequence[Result]) -> Table:
    table = Table(title="Switchboard, beside floors of the same durability in the same run", title_justify="left")
    for column in ("what", "rate", "unit", "p50 ms", "p99 ms", "floor", "ratio", "goal", ""):
        table.add_column(column, justify="left" if column in ("what", "unit", "goal") else "right")
    for one in results:
        mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: ""}[one.passed]
        numbers = (_short(one.p50_ms), _short(one.p99_ms), _short(one.floor), _short(one.ratio))
        table.add_row(one.name, _short(one.rate), one.unit, *numbers, one.goal, mark)
    return table


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())

"""The `switchboard` command: start the house, look after it, ask it things. Slow imports wait for their use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from switchboard.commands import house

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Phone numbers and inboxes for AI agents, on your own machines.",
)
house.add_to(app)


@app.callback()
def place(
    data: Annotated[Path | None, typer.Option(help="Data folder of the installation; SWITCHBOARD_DATA.")] = None,
) -> None:
    """Say which installation is meant."""
    if data is not None:
        import os  # noqa: PLC0415

        os.environ["SWITCHBOARD_DATA"] = str(data)

"""The `switchboard` command: start the house, look after it, ask it things. Slow imports wait for their use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from switchboard.commands import agents, audit, dead_letters, house, money, organizations, texts, tokens
from switchboard.commands.demo import demo

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Phone numbers and inboxes for AI agents, on your own machines.",
)
house.add_to(app)
app.command()(demo)
app.add_typer(organizations.app, name="organizations")
app.add_typer(agents.app, name="agents")
app.add_typer(tokens.app, name="tokens")
app.add_typer(texts.app, name="texts")
app.command()(texts.trace)
app.add_typer(texts.unresolved, name="unresolved")
app.add_typer(money.limits, name="limits")
app.command()(money.usage)
app.command()(audit.alerts)
app.add_typer(audit.app, name="audit")
app.add_typer(dead_letters.app, name="dead-letters")


@app.callback()
def place(
    data: Annotated[Path | None, typer.Option(help="Data folder of the installation; SWITCHBOARD_DATA.")] = None,
) -> None:
    """Say which installation is meant."""
    if data is not None:
        import os  # noqa: PLC0415

        os.environ["SWITCHBOARD_DATA"] = str(data)

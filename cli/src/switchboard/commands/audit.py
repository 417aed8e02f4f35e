"""The audit: alerts, and the verifier, which reads the database itself and trusts nobody."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from switchboard import output, rest

app = typer.Typer(no_args_is_help=True, help="The audit's chains.")


@app.command()
def verify(
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL; the installation's own if not given.")] = None,
    json: output.Json = False,
) -> None:
    """Check every chain, entry by entry, against its checkpoints; status 1 when anything was changed."""
    raise typer.Exit(subprocess.call(verifier(database, json)))  # noqa: S603 - our own module


def verifier(database: str | None = None, json: bool = False) -> list[str]:
    """The command line of the verifier for this installation."""
    from switchboard.settings import Settings  # noqa: PLC0415

    settings = Settings()
    settings = settings.model_copy(update={"secrets": settings.secrets_folder})
    from switchboard.local import runfile  # noqa: PLC0415

    if run := runfile.read(settings.data.absolute()):
        settings = settings.model_copy(update={"database_url": run["database_url"]})
    command = [sys.executable, "-m", "audit.verify", "--database", database or settings.database("audit")]
    checkpoints = settings.data / "audit"
    if checkpoints.exists():
        command += ["--checkpoints", str(checkpoints)]
    return [*command, "--json"] if json else command


def alerts(
    organization: rest.AnyOrganization = None,
    limit: int = 50,
    json: output.Json = False,
) -> None:
    """What wants a person's eye, newest first."""
    found = rest.ask("GET", "/v1/alerts", organisation=organization, limit=limit)["alerts"]
    output.rows(found, json, ("at", "severity", "code", "summary", "organisation", "subject_id"), "no alerts")

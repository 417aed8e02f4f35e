"""Tenants."""

from __future__ import annotations

import typer

from switchboard import output, rest

app = typer.Typer(no_args_is_help=True, help="Tenants.")


@app.command()
def create(title: str, json: output.Json = False) -> None:
    """Make a tenant with a first project and a token, which is shown this once."""
    output.show(rest.ask("POST", "/v1/organizations", body={"title": title}, new=True), json)


@app.command("list")
def list_all(json: output.Json = False) -> None:
    """Every tenant, oldest first."""
    output.rows(rest.ask("GET", "/v1/organizations")["organisations"], json)

"""Bearer tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from switchboard import output, rest

app = typer.Typer(no_args_is_help=True, help="Bearer tokens of organisations and agents.")


@app.command()
def issue(
    organization: rest.Organization,
    agent: Annotated[str | None, typer.Option("--agent", "-a", help="For this agent; else the organisation.")] = None,
    expires_in: Annotated[int | None, typer.Option(help="Seconds until it ends by itself.")] = None,
    json: output.Json = False,
) -> None:
    """Another token, shown this once."""
    path = f"/v1/agents/{agent}/tokens" if agent else "/v1/tokens"
    output.show(rest.ask("POST", path, body={"expires_in": expires_in}, organisation=organization), json)


@app.command("list")
def list_all(organization: rest.Organization, agent: rest.Agent = None, json: output.Json = False) -> None:
    """Tokens without their secrets, newest first."""
    path = f"/v1/agents/{agent}/tokens" if agent else "/v1/tokens"
    output.rows(rest.ask("GET", path, organisation=organization)["tokens"], json)


@app.command()
def revoke(token_id: str, organization: rest.Organization, json: output.Json = False) -> None:
    """End a token: it is refused everywhere within a second."""
    rest.ask("DELETE", f"/v1/tokens/{token_id}", organisation=organization)
    output.show({"token_id": token_id, "revoked": True}, json, f"{token_id} is revoked")

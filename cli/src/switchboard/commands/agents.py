"""Agents and their numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from switchboard import output, rest

app = typer.Typer(no_args_is_help=True, help="Agents and their numbers.")


@app.command()
def provision(
    title: str,
    organization: rest.Organization,
    country: Annotated[str, typer.Option(help="Two letters, ISO 3166.")] = "US",
    area_code: str = "",
    project: str = "",
    json: output.Json = False,
) -> None:
    """Give an agent a number of its own and a token, which is shown this once."""
    body = {"title": title, "country": country, "area_code": area_code, "project": project}
    output.show(rest.ask("POST", "/v1/agents", body=body, organisation=organization, new=True), json)


@app.command("list")
def list_all(organization: rest.Organization, json: output.Json = False) -> None:
    """Every agent of an organisation."""
    agents = rest.ask("GET", "/v1/agents", organisation=organization)["agents"]
    if not json:
        agents = [agent | {"addresses": _addresses(agent["channels"])} for agent in agents]
    output.rows(agents, json, ("agent", "title", "state", "addresses"))


@app.command()
def show(agent: str, organization: rest.Organization, json: output.Json = False) -> None:
    """One agent and its channels."""
    output.show(rest.ask("GET", f"/v1/agents/{agent}", organisation=organization), json)


@app.command()
def deprovision(agent: str, organization: rest.Organization, json: output.Json = False) -> None:
    """Take an agent's tokens and number back."""
    output.show(rest.ask("DELETE", f"/v1/agents/{agent}", organisation=organization), json)


def _addresses(channels: list[dict[str, str]]) -> str:
    return ", ".join(channel["address"] or channel["state"] for channel in channels)

"""Limits and usage."""

from __future__ import annotations

from typing import Annotated

import typer

from switchboard import output, rest

limits = typer.Typer(no_args_is_help=True, help="Caps of an organisation or an agent, by UTC day and month.")

_Cap = Annotated[int | None, typer.Option(min=0)]


@limits.command()
def show(organization: rest.Organization, agent: rest.Agent = None, json: output.Json = False) -> None:
    """The caps as they were set."""
    found = rest.ask("GET", _path(agent, "limits"), organisation=organization)
    output.show(found if json else found["limits"], json)


@limits.command("set")
def set_caps(
    organization: rest.Organization,
    agent: rest.Agent = None,
    money_per_day: _Cap = None,
    money_per_month: _Cap = None,
    messages_per_day: _Cap = None,
    messages_per_month: _Cap = None,
    rate_per_minute: _Cap = None,
    json: output.Json = False,
) -> None:
    """Set the caps; what is left out has none. Money is in millionths of a US dollar."""
    body = {
        "money_per_day": money_per_day,
        "money_per_month": money_per_month,
        "messages_per_day": messages_per_day,
        "messages_per_month": messages_per_month,
        "rate_per_minute": rate_per_minute,
    }
    answer = rest.ask("PUT", _path(agent, "limits"), body=body, organisation=organization)
    output.show(answer, json, "the limits are set")


def usage(
    organization: rest.Organization,
    agent: rest.Agent = None,
    since: Annotated[str | None, typer.Option(help="First UTC day, YYYY-MM-DD.")] = None,
    json: output.Json = False,
) -> None:
    """Usage by agent, kind and UTC day, and the caps that apply."""
    found = rest.ask("GET", _path(agent, "usage"), organisation=organization, since=since)
    if json:
        output.show(found, json)
        return
    output.rows(found["lines"], json, ("day", "agent", "kind", "count", "quantity", "cost", "billed"), "no usage")
    output.rows(found["caps"], json, ("scope", "unit", "window", "cap", "used", "held", "ends_at"), "no caps")


def _path(agent: str | None, what: str) -> str:
    return f"/v1/agents/{agent}/{what}" if agent else f"/v1/{what}"

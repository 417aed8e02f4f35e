"""Texts: send one, read them, follow one, decide one whose fate nobody could find out."""

from __future__ import annotations

from typing import Annotated

import typer

from switchboard import output, rest

app = typer.Typer(no_args_is_help=True, help="Texts of an agent.")
unresolved = typer.Typer(no_args_is_help=True, help="Texts whose outcome is not known.")


@app.command()
def send(
    agent: str,
    to: str,
    body: str,
    organization: rest.Organization,
    key: Annotated[str | None, typer.Option(help="Names this intent: asked again, nothing is sent twice.")] = None,
    json: output.Json = False,
) -> None:
    """Send a text as an agent."""
    order = {"to": to, "body": body, "idempotency_key": key}
    output.show(rest.ask("POST", f"/v1/agents/{agent}/messages", body=order, organisation=organization), json)


@app.command("list")
def list_all(
    agent: str,
    organization: rest.Organization,
    after: Annotated[int, typer.Option(help="Only those after this cursor.")] = 0,
    limit: int = 20,
    json: output.Json = False,
) -> None:
    """An agent's texts, oldest first, read without taking them from its inbox."""
    page = rest.ask("GET", f"/v1/agents/{agent}/messages", organisation=organization, after=after, limit=limit)
    columns = ("cursor", "at", "direction", "sender", "to", "status", "body", "message")
    output.rows(page["messages"], json, columns)


def trace(message: str, organization: rest.Organization, json: output.Json = False) -> None:
    """Everything that happened to one text, in order."""
    found = rest.ask("GET", f"/v1/messages/{message}/trace", organisation=organization)
    if json:
        output.show(found, json)
        return
    output.rows(found["steps"], json, ("at", "what", "detail"))
    typer.echo(f"status: {found['status']}")


@unresolved.command("list")
def list_unresolved(organization: rest.Organization, json: output.Json = False) -> None:
    """Texts that wait for a resolver or a person, oldest first."""
    output.rows(rest.ask("GET", "/v1/unresolved", organisation=organization)["unresolved"], json)


@unresolved.command()
def decide(
    message: str,
    sent: Annotated[bool, typer.Option("--sent/--not-sent", help="What became of it.")],
    reason: Annotated[str, typer.Option(help="How you know.")],
    organization: rest.Organization,
    provider_id: Annotated[str | None, typer.Option(help="The provider's id, if it was sent.")] = None,
    json: output.Json = False,
) -> None:
    """Say what became of a text whose outcome nobody could find out."""
    body = {"sent": sent, "reason": reason, "provider_id": provider_id}
    answer = rest.ask("POST", f"/v1/messages/{message}/decision", body=body, organisation=organization)
    output.show(answer, json, f"{message} counts as {'sent' if sent else 'not sent'}")

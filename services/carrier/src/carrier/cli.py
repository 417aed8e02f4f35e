"""The carrier from a terminal: `python -m carrier.cli`. Be any person, read their phone, order faults, see evidence."""

import json
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

app = typer.Typer(no_args_is_help=True, help="Play the people on the other side, and the carrier's own mishaps.")
faults_app = typer.Typer(no_args_is_help=True, help="Faults on demand.")
app.add_typer(faults_app, name="faults")


class Control:
    """A session with the control API; set up by the command's options, used by every command."""

    def __init__(self, url: str, token_file: Path) -> None:
        self.url, self.token_file = url.rstrip("/"), token_file

    def call(self, method: str, path: str, wait_s: float = 0, **request: Any) -> Any:
        """Ask, and return the JSON answer; ends the program with the reason if refused."""
        try:
            token = self.token_file.read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{self.url}/control/{path}"
            answer = httpx.request(method, url, headers=headers, timeout=30 + wait_s, trust_env=False, **request)
        except OSError as error:
            raise typer.BadParameter(f"cannot read the control token: {error}") from error
        except httpx.TransportError as error:
            raise typer.BadParameter(f"no carrier answers at {self.url}: {error}") from error
        if answer.is_error:
            typer.echo(f"refused ({answer.status_code}): {answer.text}", err=True)
            raise typer.Exit(1)
        return answer.json() if answer.content else None


@app.callback()
def connect(
    context: typer.Context,
    url: Annotated[str, typer.Option(envvar="CARRIER_URL", help="Where the carrier is.")] = "http://127.0.0.1:4010",
    token_file: Annotated[
        Path, typer.Option(envvar="CARRIER_CONTROL_TOKEN_FILE", help="File with the control token.")
    ] = Path("data/carrier/control.token"),
) -> None:
    """Remember where the carrier is."""
    context.obj = Control(url, token_file)


def show(content: Any) -> None:
    """Print an answer as JSON."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


@app.command()
def text(context: typer.Context, sender: str, to: str, body: str, wait: float = 10.0) -> None:
    """Text an owned number as SENDER; tells whether its webhook took it."""
    order = {"from": sender, "to": to, "body": body, "wait_s": wait}
    show(context.obj.call("POST", "texts", wait, json=order))


@app.command()
def read(context: typer.Context, person: str, after: int = 0, wait: float = 0.0) -> None:
    """Read what PERSON received after an id, newest last; with --wait, wait for the next text."""
    query = {"person": person, "after": after, "wait_s": wait}
    show(context.obj.call("GET", "received", wait, params=query))


@app.command()
def conversations(context: typer.Context) -> None:
    """List who texted with which number."""
    show(context.obj.call("GET", "conversations"))


@app.command()
def phone(
    context: typer.Context, person: str, behaviour: str, error_code: int | None = None, delay: float = 0.0
) -> None:
    """Decide how PERSON's phone behaves: delivered, undelivered, unreachable or slow."""
    order = {"behaviour": behaviour, "error_code": error_code, "delay_s": delay}
    show(context.obj.call("PUT", f"people/{person}/phone", json=order))


@app.command()
def burst(context: typer.Context, to: str, count: int, rate: float, people: int = 1) -> None:
    """Send COUNT texts at RATE a second from many people to owned numbers (comma-separated)."""
    order = {"to": to.split(","), "count": count, "rate": rate, "people": people}
    show(context.obj.call("POST", "bursts", json=order))


@app.command()
def burst_report(context: typer.Context, burst_id: str) -> None:
    """Tell how far a burst is."""
    show(context.obj.call("GET", f"bursts/{burst_id}"))


@app.command()
def ledger(context: typer.Context, kind: str | None = None, after: int = 0, limit: int = 100) -> None:
    """Read the ledger."""
    query = {"after": after, "limit": limit, **({"kind": kind} if kind else {})}
    show(context.obj.call("GET", "ledger", params=query))


@app.command()
def inventory(context: typer.Context) -> None:
    """List owned numbers by account."""
    show(context.obj.call("GET", "inventory"))


@app.command()
def debugger(context: typer.Context, after: int = 0) -> None:
    """Read the debugger's alerts."""
    show(context.obj.call("GET", "debugger", params={"after": after}))


@app.command()
def hosts(context: typer.Context, table: Annotated[str | None, typer.Argument()] = None) -> None:
    """Read the host table, or replace it with `name=addr:port|addr:port,...`."""
    if table is None:
        show(context.obj.call("GET", "hosts"))
        return
    entries = dict(entry.split("=", 1) for entry in table.split(",") if "=" in entry)
    order = {"hosts": {name: addresses.split("|") for name, addresses in entries.items()}}
    show(context.obj.call("PUT", "hosts", json=order))


@app.command()
def opt_out(context: typer.Context, state: str) -> None:
    """Turn the carrier's own STOP handling `on` or `off`."""
    if state not in ("on", "off"):
        raise typer.BadParameter("say on or off")
    show(context.obj.call("PUT", "opt-out", json={"enabled": state == "on"}))


@app.command()
def reset(context: typer.Context, yes: bool = typer.Option(False, help="Really forget everything.")) -> None:
    """Forget everything but the main account, the ledger too."""
    if not yes:
        raise typer.BadParameter("the ledger will be gone: add --yes")
    show(context.obj.call("POST", "reset"))


@faults_app.command("add")
def add_fault(
    context: typer.Context,
    kind: str,
    operation: str | None = None,
    times: int | None = None,
    probability: float = 1.0,
    seed: int = 0,
    seconds: float = 0.0,
    copies: int = 1,
    status: int = 503,
    retry_after: float | None = None,
    account_sid: str | None = None,
    address: str | None = None,
) -> None:
    """Put a fault in force, e.g. `cut_after --operation messages.create --times 1`."""
    order = {name: value for name, value in locals().items() if name != "context"}
    show(context.obj.call("POST", "faults", json=order))


@faults_app.command("list")
def list_faults(context: typer.Context) -> None:
    """List faults and how often each happened."""
    show(context.obj.call("GET", "faults"))


@faults_app.command("clear")
def clear_faults(context: typer.Context) -> None:
    """Lift every fault."""
    context.obj.call("DELETE", "faults")


if __name__ == "__main__":
    app()

"""Commands that look after the installation itself: secrets, migrations, streams, a local run, its status."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from switchboard import output

if TYPE_CHECKING:
    from switchboard.local.plan import Place
    from switchboard.settings import Settings

streams_app = typer.Typer(no_args_is_help=True, help="The broker's streams.")


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the command line."""
    app.command()(secrets)
    app.command()(migrate)
    app.command()(up)
    app.command()(status)
    app.command()(settings)
    app.add_typer(streams_app, name="streams")


def secrets(
    carrier: Annotated[
        Path | None, typer.Option(help="Folder of the local carrier: its account becomes the provider account.")
    ] = None,
    account: Annotated[
        Path | None, typer.Option(help="File (or - for standard input) with the provider account to use.")
    ] = None,
    nats_store: Annotated[Path | None, typer.Option(help="Where the broker keeps its data.")] = None,
    nats_host: Annotated[str, typer.Option(help="Address the broker listens on.")] = "127.0.0.1",
    nats_port: int = 4222,
    monitor_port: int = 8222,
    json: output.Json = False,
) -> None:
    """Draw every secret that is missing and write the broker's configuration. Safe to repeat: what exists stays."""
    from common.broker_conf import Place  # noqa: PLC0415

    from switchboard import secret_files  # noqa: PLC0415

    settings = _settings()
    folder = settings.secrets_folder
    if account is not None:
        secret_files.write(folder / secret_files.ACCOUNT, _checked_account(account))
    drawn = secret_files.draw(folder, carrier=carrier)
    store = nats_store or settings.data / "nats"
    place = Place(str(store.absolute()), nats_host, nats_port, monitor_port_host(nats_host), monitor_port)
    secret_files.write_broker_conf(folder, place)
    made = ", ".join(drawn.made) or "nothing"
    output.show({"made": drawn.made, "kept": drawn.kept, "folder": str(folder)}, json, f"{folder}: made {made}")


def monitor_port_host(nats_host: str) -> str:
    """The health page is for the machine that runs the broker, or its container."""
    return "127.0.0.1" if nats_host == "127.0.0.1" else nats_host


def _checked_account(path: Path) -> str:
    import json  # noqa: PLC0415

    text = sys.stdin.read() if str(path) == "-" else path.read_text()
    try:
        account = json.loads(text)
        if not (account["account_sid"] and account["auth_token"]):
            raise ValueError("empty")
    except (ValueError, KeyError, TypeError):
        raise output.fail('the account must be JSON: {"account_sid": "AC…", "auth_token": "…"}', code=2) from None
    return text


def migrate(
    databases: Annotated[bool, typer.Option("--databases", help="Only the databases.")] = False,
    streams: Annotated[bool, typer.Option("--streams", help="Only the broker's streams.")] = False,
) -> None:
    """Bring databases and streams to this version. With an admin URL of PostgreSQL, roles and schemas first."""
    from switchboard import migration  # noqa: PLC0415

    settings = _settings()
    if databases or not streams:
        if settings.admin_database_url:
            migration.roles(settings.admin_database_url, settings, typer.echo)
        migration.databases(settings, typer.echo)
    if streams or not databases:
        made = asyncio.run(migration.broker_streams(settings))
        typer.echo(f"streams are up to date; made {', '.join(made) or 'none'}")


@streams_app.command()
def keep() -> None:
    """Declare the streams again whenever the broker lost them, until stopped."""
    from common import service  # noqa: PLC0415

    from switchboard import keeper  # noqa: PLC0415

    service.run("streams", _settings(), keeper.build)


def up(
    carrier: Annotated[bool, typer.Option(help="Start the local phone company too.")] = True,
    replicas: Annotated[str | None, typer.Option(help="Such as gateway=3,workers=2,mcp-edge=2.")] = None,
) -> None:
    """Start everything on this machine, wait until it is ready, keep it up; Ctrl-C drains and stops all."""
    from switchboard.local import runfile, supervisor  # noqa: PLC0415
    from switchboard.local.plan import BadPlan, parse_replicas, programs  # noqa: PLC0415

    settings = _settings()
    try:
        counts = parse_replicas(settings.replicas if replicas is None else replicas)
        place = _place(settings, counts, carrier)
        plan = programs(place, _nats_server())
        with runfile.lock(place.data):
            _prepare(place)
            run = supervisor.Supervisor(place, plan, lambda line: typer.echo(f"  {line}"))
            typer.echo(f"Starting {len(plan)} processes; logs are in {place.data / 'logs'}")
            asyncio.run(run.run(supervisor.migration(place), lambda: _ready(place)))
    except (BadPlan, runfile.Running) as error:
        raise output.fail(str(error), code=2) from None
    except supervisor.NotStarted as error:
        raise output.fail(str(error)) from None
    except BaseExceptionGroup as group:
        raise output.fail("\n".join(str(error) for error in group.exceptions)) from None


def status(json: output.Json = False) -> None:
    """Ask every process of the local run whether it is ready."""
    from switchboard.local import health, runfile  # noqa: PLC0415

    run = runfile.read(_settings().data.absolute())
    if run is None:
        raise output.fail(f"nothing runs in {_settings().data.absolute()}; `make run` starts it", code=3)
    pages = {"nats": "/healthz"}
    asked = [(name, url) for name, urls in run["services"].items() for url in urls]

    async def ask() -> list[int]:
        return await asyncio.gather(*(health.status(url + pages.get(name, "/health/ready")) for name, url in asked))

    codes = asyncio.run(ask())
    rows = [{"service": n, "url": u, "ready": c == 200, "status": c} for (n, u), c in zip(asked, codes, strict=True)]
    output.rows(rows, json)
    if not all(row["ready"] for row in rows):
        raise typer.Exit(1)


def settings() -> None:
    """Print every setting of every program, with its meaning and default."""
    from switchboard import settings_page  # noqa: PLC0415

    typer.echo(settings_page.render(), nl=False)


def _settings() -> Settings:
    from switchboard.settings import Settings  # noqa: PLC0415

    settings = Settings()
    return settings.model_copy(update={"secrets": settings.secrets_folder})


def _place(settings: Settings, counts: dict[str, int], carrier: bool) -> Place:
    from switchboard.local.plan import BadPlan, Place  # noqa: PLC0415

    url = settings.database_url or _url_of_services(settings.admin_database_url)
    if url and "{service}" not in url:
        raise BadPlan(
            "SWITCHBOARD_DATABASE_URL must name a database per service, such as "
            "postgresql+psycopg://{service}:{password}@host/switchboard"
        )
    data, secrets = settings.data.absolute(), settings.secrets_folder.absolute()
    return Place(data, secrets, settings.port_base, settings.public_url, counts, url, carrier)


def _url_of_services(admin_url: str) -> str:
    """The same database, as each service's own role."""
    if not admin_url:
        return ""
    head, _, tail = admin_url.rpartition("@")
    return f"postgresql+psycopg://{{service}}:{{password}}@{tail}" if head else ""


def _prepare(place: Place) -> None:
    from common import broker_conf  # noqa: PLC0415

    from switchboard import secret_files  # noqa: PLC0415

    drawn = secret_files.draw(place.secrets, carrier=place.data / "carrier" if place.carrier else None)
    if drawn.made:
        typer.echo(f"Made {len(drawn.made)} secrets in {place.secrets}")
    if not (place.secrets / secret_files.ACCOUNT).exists():
        raise output.fail(
            f"no provider account: write {place.secrets / secret_files.ACCOUNT} with "
            '{"account_sid": "AC…", "auth_token": "…"}, or start with the local carrier'
        )
    where = broker_conf.Place(str(place.data / "nats"), port=place.nats_port, monitor=place.monitor_port)
    secret_files.write_broker_conf(place.secrets, where)


def _ready(place: Place) -> None:
    from switchboard.local import supervisor  # noqa: PLC0415
    from switchboard.local.plan import EDGE  # noqa: PLC0415

    supervisor.stamp_migration(place)
    edge = f"http://127.0.0.1:{place.ports_of(EDGE)[0]}"
    here = "" if place.data == Path("data").absolute() else f" --data {place.data}"
    typer.echo(f"""
Ready. To try it:
  REST and its description   {edge}/v1  {edge}/v1/openapi.json
  MCP for agents             {edge}/mcp
  a tenant, then an agent    switchboard{here} organizations create "Acme"
                             switchboard{here} agents provision --organization ORG "Concierge"
  the whole story            make demo
  the token of operators     {place.secrets / "operator.token"}
  for scripts                {place.data / "run.json"}
Ctrl-C stops everything.
""")


def _nats_server() -> str:
    import shutil  # noqa: PLC0415

    program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if program is None:
        raise output.fail("no nats-server: `make run` installs it, or put the official one on the PATH")
    return program

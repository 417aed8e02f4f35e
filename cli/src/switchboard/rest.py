"""Asks a running installation over REST, as the operator unless another token is given."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any

import typer

from switchboard import output

Organization = Annotated[
    str, typer.Option("--organization", "-o", envvar="SWITCHBOARD_ORGANIZATION", help="The organisation's id.")
]
AnyOrganization = Annotated[
    str | None, typer.Option("--organization", "-o", envvar="SWITCHBOARD_ORGANIZATION", help="Only this organisation.")
]
Agent = Annotated[str | None, typer.Option("--agent", "-a", help="Only this agent.")]


def ask(
    method: str, path: str, *, body: dict[str, Any] | None = None, new: bool = False, **query: Any
) -> dict[str, Any]:
    """One request; ends the program with the refusal, or with how to start what does not answer.

    `new` says that typing the same again means another one, not the one before.
    """
    import httpx  # noqa: PLC0415 - slow to import, and `--help` does not need it

    url, token = _place()
    given = {name: value for name, value in query.items() if value is not None}
    sent = {name: value for name, value in body.items() if value is not None} if body is not None else None
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": token_hex(16)} if new else {})
    try:
        answer = httpx.request(
            method, url + path, params=given, json=sent, headers=headers, timeout=60, trust_env=False
        )
    except httpx.TransportError as error:
        raise output.fail(f"nobody answers at {url} ({error}); is it running? `make run` starts it", code=3) from None
    if answer.is_error:
        raise output.fail(_refusal(answer.text), code=3 if answer.status_code == 503 else 1)
    content: dict[str, Any] = answer.json()
    return content


def run_file() -> dict[str, Any]:
    """`run.json` of the running installation; ends the program when there is none."""
    from switchboard.local import runfile  # noqa: PLC0415
    from switchboard.settings import Settings  # noqa: PLC0415

    data = Settings().data.absolute()
    run = runfile.read(data)
    if run is None:
        raise output.fail(
            f"nothing runs in {data}; start it with `make run`, name its folder with --data, or set "
            "SWITCHBOARD_URL and SWITCHBOARD_TOKEN_FILE",
            code=3,
        )
    return run


def _place() -> tuple[str, str]:
    """Base URL and token, from the settings or from the local run."""
    from switchboard.settings import Settings  # noqa: PLC0415

    settings = Settings()
    run = {} if settings.url and settings.token_file != Path() else run_file()
    url = settings.url or run["mcp_edge"][0]
    file = settings.token_file if settings.token_file != Path() else Path(run["operator_token_file"])
    if not file.exists():
        raise output.fail(f"no token file {file}; set SWITCHBOARD_TOKEN_FILE", code=2)
    return url.rstrip("/"), file.read_text().strip()


def _refusal(text: str) -> str:
    import json  # noqa: PLC0415

    try:
        problem = json.loads(text)
        return f"{problem['detail']} ({problem['code']})"
    except (ValueError, KeyError, TypeError):
        return text[:500]

"""`run.json`: what runs, where, for scripts and for the command line. Holds paths of secrets, never a secret."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from switchboard.local.plan import CARRIER, EDGE, GATEWAY, Place, Program

NAME = "run.json"


class Running(Exception):
    """Another run holds this data folder."""


def lock(data: Path) -> IO[str]:
    """Hold the data folder until the file is closed; `Running` when another run holds it."""
    data.mkdir(parents=True, exist_ok=True)
    held = (data / "run.lock").open("a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise Running(f"another run holds {data}; stop it, or choose another SWITCHBOARD_DATA") from None
    return held


def describe(place: Place, programs: list[Program], pids: Mapping[str, int]) -> dict[str, Any]:
    """The content of `run.json`."""
    internal: dict[str, list[str]] = {}
    for program in programs:
        internal.setdefault(program.service, []).append(program.internal)
    edges = [f"http://127.0.0.1:{port}" for port in place.ports_of(EDGE)]
    return {
        "services": internal,
        "gateway": [f"http://127.0.0.1:{port}" for port in place.ports_of(GATEWAY)],
        "mcp_edge": edges,
        "mcp": f"{edges[0]}/mcp",
        "carrier": place.carrier_url if place.carrier else "",
        "nats": f"nats://127.0.0.1:{place.nats_port}",
        "operator_token_file": str(place.secrets / "operator.token"),
        "carrier_token_file": str(place.data / CARRIER / "control.token") if place.carrier else "",
        "secrets": str(place.secrets),
        "data": str(place.data),
        "public_url": place.public_url,
        "database_url": place.database_url,
        "pids": dict(pids),
    }


def write(data: Path, content: Mapping[str, Any]) -> None:
    """Replace `run.json` whole."""
    draft = data / f"{NAME}.{os.getpid()}.new"
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(data / NAME)


def read(data: Path) -> dict[str, Any] | None:
    """The content of `run.json`; None when nothing runs here."""
    path = data / NAME
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def remove(data: Path) -> None:
    """Say that nothing runs here any more."""
    (data / NAME).unlink(missing_ok=True)

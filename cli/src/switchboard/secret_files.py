"""Draws every secret an installation needs, once, into files only their owner can read; what exists stays."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common import broker_conf, grants, tokens

WITH_DATABASE = ("messaging", "provisioning", "billing", "audit")
"""Services that own a database, and so a password where databases have users."""

ACCOUNT = "twilio.json"
"""The owner's account at the provider: `{"account_sid", "auth_token"}`."""


@dataclass
class Drawn:
    """What a run of `draw` made and what it found."""

    made: list[str]
    kept: int


def draw(folder: Path, *, carrier: Path | None = None) -> Drawn:
    """Create what is missing. With a `carrier` folder, its account becomes the provider account if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    drawn = Drawn([], 0)
    for name, make in _wanted().items():
        _once(folder / name, make, drawn)
    if carrier is not None:
        _join_carrier(folder, carrier, drawn)
    return drawn


def write_broker_conf(folder: Path, place: broker_conf.Place) -> Path:
    """Write `nats.conf` anew from the table of grants and the passwords drawn before."""
    passwords = {user: (folder / _password(user)).read_text().strip() for user in grants.USERS}
    path = folder / "nats.conf"
    write(path, broker_conf.render(place, passwords))
    return path


def write(path: Path, content: str) -> None:
    """Put a secret file in place, whole, readable by its owner alone from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _wanted() -> dict[str, Callable[[], str]]:
    wanted: dict[str, Callable[[], str]] = {
        "credentials.key": lambda: secrets.token_hex(32),
        "token-pepper.key": lambda: secrets.token_hex(32),
        "audit-checkpoint.key": lambda: secrets.token_hex(32),
        "operator.token": lambda: tokens.new("operator"),
        "db-admin.password": lambda: secrets.token_hex(24),
    }
    wanted |= {_password(user): lambda: secrets.token_hex(24) for user in grants.USERS}
    return wanted | {f"db-{service}.password": lambda: secrets.token_hex(24) for service in WITH_DATABASE}


def _password(user: str) -> str:
    return f"nats-{user}.password"


def _once(path: Path, make: Callable[[], str], drawn: Drawn) -> None:
    if path.exists() and path.read_text().strip():
        drawn.kept += 1
        return
    write(path, make() + "\n")
    drawn.made.append(path.name)


def _join_carrier(folder: Path, carrier: Path, drawn: Drawn) -> None:
    """One account, known to both sides: the carrier's own file has the same form."""
    account = {"account_sid": "AC" + secrets.token_hex(16), "auth_token": secrets.token_hex(16)}
    for known in (folder / ACCOUNT, carrier / "account.json"):
        if known.exists():
            account = json.loads(known.read_text())
            break
    _once(folder / ACCOUNT, lambda: json.dumps(account), drawn)
    _once(carrier / "control.token", lambda: secrets.token_urlsafe(32), drawn)
    if not (carrier / "account.json").exists() or json.loads((carrier / "account.json").read_text()) != account:
        write(carrier / "account.json", json.dumps(account))

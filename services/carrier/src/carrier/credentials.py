"""The main account's credentials and the control token: given, or drawn once and kept in files of mode 0600."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import orjson

from carrier.settings import Settings


@dataclass(frozen=True)
class Credentials:
    """What opens the API and the control API."""

    account_sid: str
    auth_token: str
    control_token: str


def load(settings: Settings) -> Credentials:
    """Collect the credentials; given values win over files, and files over drawing new ones."""
    given_sid = settings.account_sid
    given_token = settings.auth_token.get_secret_value() or _content(settings.auth_token_file)
    sid, token = given_sid, given_token
    if not (sid and token):
        kept = _kept_account(settings.data_dir / "account.json")
        sid, token = given_sid or kept["account_sid"], given_token or kept["auth_token"]
    return Credentials(sid, token, _control_token(settings))


def _kept_account(path: Path) -> dict[str, str]:
    if path.exists():
        kept: dict[str, str] = orjson.loads(path.read_bytes())
        if not kept.get("account_sid") or not kept.get("auth_token"):
            raise ValueError(f"{path} lacks account_sid or auth_token; restore it, or move it away for new ones")
        return kept
    drawn = {"account_sid": "AC" + secrets.token_hex(16), "auth_token": secrets.token_hex(16)}
    _write_secret(path, orjson.dumps(drawn).decode())
    return drawn


def _control_token(settings: Settings) -> str:
    given = settings.control_token.get_secret_value() or _content(settings.control_token_file)
    path = settings.data_dir / "control.token"
    if not given and not (given := _content(path if path.exists() else None)):
        given = secrets.token_urlsafe(32)
        _write_secret(path, given)
    return given


def _content(path: Path | None) -> str:
    return path.read_text().strip() if path else ""


def _write_secret(path: Path, text: str) -> None:
    """Create a file only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)

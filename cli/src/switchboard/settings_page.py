"""The page that explains every setting of every program, made from the Settings classes themselves: `.env.example`."""

from __future__ import annotations

import importlib
import textwrap
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

PROGRAMS = {
    "every service": "common.settings",
    "the command line and a local run": "switchboard.settings",
    "gateway": "gateway.settings",
    "mcp-edge": "mcp_edge.settings",
    "messaging": "messaging.settings",
    "provisioning": "provisioning.settings",
    "billing": "billing.settings",
    "audit": "audit.settings",
    "carrier (the local phone company; never part of a production start)": "carrier.settings",
}

_HEAD = """\
# Every setting, with what it means and its default. None has to be set: `make run` and deploy/compose.yaml work without
# this file. Programs read the environment; nothing reads a file by itself (`set -a; . ./.env; set +a` in a shell).
# Secrets are not settings: they are files in the secrets folder, which `switchboard secrets` makes.
# This page is made by `make snapshot` from the Settings classes; change it there.
"""


def names(module: str) -> dict[str, Any]:
    """The variables a program reads, each with its field."""
    settings: type[BaseSettings] = importlib.import_module(module).Settings
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper(): field for name, field in settings.model_fields.items()}


def render() -> str:
    """The whole page. A setting that several programs read stands with the first of them."""
    told: set[str] = set()
    parts = [_HEAD]
    for program, module in PROGRAMS.items():
        fields = {name: field for name, field in names(module).items() if name not in told}
        told |= set(fields)
        parts.append(f"\n# --- {program} ---\n")
        parts += [_entry(name, field) for name, field in fields.items()]
    return "\n".join(parts).rstrip() + "\n"


def _entry(name: str, field: Any) -> str:
    lines = textwrap.wrap(field.description or "", 117)
    return "\n".join([*(f"# {line}" for line in lines), f"#{name}={_default(field.default)}", ""])


def _default(value: Any) -> str:
    if value is None or value == Path():
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(int(value))
    return str(value)

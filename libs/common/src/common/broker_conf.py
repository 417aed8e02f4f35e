"""The broker's configuration as text: addresses, durable storage that syncs each write, and the users of `grants`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from common import grants
from common.grants import Rights


@dataclass(frozen=True)
class Place:
    """Where a broker listens and keeps its data. `monitor` is the port of its health page."""

    store: str
    host: str = "127.0.0.1"
    port: int = 4222
    monitor_host: str = "127.0.0.1"
    monitor: int = 8222


def render(place: Place, passwords: Mapping[str, str]) -> str:
    """The whole file; `passwords` has one for each user of `grants.USERS`."""
    users = ",\n".join(_user(name, passwords[name], grants.rights(name)) for name in grants.USERS)
    return f"""\
# Written by `switchboard secrets` from the table of grants; changes here are lost.
host: {json.dumps(place.host)}
port: {place.port}
http: {json.dumps(f"{place.monitor_host}:{place.monitor}")}
server_name: switchboard
max_payload: 1MB
max_pending: 64MB
write_deadline: "10s"
jetstream {{
  store_dir: {json.dumps(place.store)}
  sync_interval: always
}}
authorization {{
  timeout: 5
  users: [
{users}
  ]
}}
"""


def _user(name: str, password: str, rights: Rights) -> str:
    answers = '\n        allow_responses: { max: 1, expires: "1m" }' if rights.answers else ""
    return f"""\
    {{
      user: {json.dumps(name)}
      password: {json.dumps(password)}
      permissions: {{
        publish: {{ allow: {_subjects(rights.publish)} }}
        subscribe: {{ allow: {_subjects(rights.subscribe)} }}{answers}
      }}
    }}"""


def _subjects(subjects: tuple[str, ...]) -> str:
    return "[" + ", ".join(json.dumps(subject) for subject in subjects) + "]"

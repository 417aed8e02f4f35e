"""Decides what a local run starts: programs, their ports, their environment. Pure; nothing is started here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

WORKERS = ("messaging", "provisioning", "billing", "audit")
GATEWAY, EDGE, CARRIER, BROKER, STREAMS = "gateway", "mcp-edge", "carrier", "nats", "streams"
_SINGLE = (CARRIER, BROKER, STREAMS)

_DRAIN = {GATEWAY: 0, EDGE: 0, CARRIER: 2, STREAMS: 2, BROKER: 3}
"""Edges stop first, the broker last; workers in between, while the provider still answers."""

_INTERNAL, _MORE_GATEWAYS, _MORE_EDGES, SPAN = 10, 50, 60, 70


class BadPlan(ValueError):
    """The settings ask for something that cannot be started; the message says what to write instead."""


@dataclass(frozen=True)
class Program:
    """One process to keep running. `stage` tells when it is stopped."""

    name: str
    service: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    internal: str
    ready: str
    stage: int
    ports: tuple[int, ...]
    needs_tables: bool = False


@dataclass(frozen=True)
class Place:
    """What a plan is made for."""

    data: Path
    secrets: Path
    port_base: int
    public_url: str
    replicas: Mapping[str, int] = field(default_factory=dict)
    database_url: str = ""
    carrier: bool = True

    @property
    def nats_port(self) -> int:
        """Where the broker listens."""
        return self.port_base + 3

    @property
    def monitor_port(self) -> int:
        """Where the broker says how it is."""
        return self.port_base + 4

    @property
    def carrier_url(self) -> str:
        """The local phone company."""
        return _http(self.port_base + 2)

    def ports_of(self, service: str) -> list[int]:
        """Public ports of an edge: the first at its fixed place, more of them further up."""
        first, more = (0, _MORE_GATEWAYS) if service == GATEWAY else (1, _MORE_EDGES)
        count = self.replicas.get(service, 1)
        return [self.port_base + first, *(self.port_base + more + n for n in range(1, count))]


def parse_replicas(text: str) -> dict[str, int]:
    """Read `gateway=3,workers=2`; `workers` stands for each worker. `BadPlan` says what is wrong."""
    counts: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        names = WORKERS if name == "workers" else (name,)
        if not number.isdigit() or not 1 <= int(number) <= 8:
            raise BadPlan(f"replicas: {part!r} is not of the form service=count with a count from 1 to 8")
        for one in names:
            if one not in (*WORKERS, GATEWAY, EDGE):
                raise BadPlan(
                    f"replicas: no service {one!r}; there are workers, {', '.join((*WORKERS, GATEWAY, EDGE))}"
                )
            counts[one] = int(number)
    return counts


def programs(place: Place, nats_server: str) -> list[Program]:
    """Everything to start, broker first."""
    found = [_broker(place, nats_server)]
    internal = place.port_base + _INTERNAL
    for service in (STREAMS, *WORKERS, GATEWAY, EDGE):
        for n in range(place.replicas.get(service, 1)):
            found.append(_service(place, service, n, internal))
            internal += 1
    if internal > place.port_base + _MORE_GATEWAYS:
        raise BadPlan("more replicas than this run has ports for: at most 40 processes")
    return [*found, _carrier(place)] if place.carrier else found


def _broker(place: Place, nats_server: str) -> Program:
    command = (nats_server, "-c", str(place.secrets / "nats.conf"))
    internal = _http(place.monitor_port)
    ports = (place.nats_port, place.monitor_port)
    return Program(BROKER, BROKER, command, {}, internal, f"{internal}/healthz", _DRAIN[BROKER], ports)


def _service(place: Place, service: str, n: int, port: int) -> Program:
    name = service if n == 0 else f"{service}-{n}"
    env = _environment(place) | {"SWITCHBOARD_INSTANCE": str(n), "SWITCHBOARD_INTERNAL_PORT": str(port)}
    ports = [port]
    if service in (GATEWAY, EDGE):
        public = place.ports_of(service)[n]
        env["SWITCHBOARD_GATEWAY_PORT" if service == GATEWAY else "SWITCHBOARD_EDGE_PORT"] = str(public)
        ports.append(public)
    command = (sys.executable, "-m", *_module(service))
    ready = f"{_http(port)}/health/ready"
    stage = _DRAIN.get(service, 1)
    return Program(name, service, command, env, _http(port), ready, stage, tuple(ports), service in WORKERS)


def _module(service: str) -> tuple[str, ...]:
    return ("switchboard", "streams", "keep") if service == STREAMS else (service.replace("-", "_"),)


def _environment(place: Place) -> dict[str, str]:
    env = {
        "SWITCHBOARD_DATA": str(place.data),
        "SWITCHBOARD_SECRETS": str(place.secrets),
        "SWITCHBOARD_NATS_URL": f"nats://127.0.0.1:{place.nats_port}",
        "SWITCHBOARD_PUBLIC_URL": place.public_url,
        "SWITCHBOARD_EDGE_PUBLIC_URL": _http(place.port_base + 1),
    }
    if place.database_url:
        env["SWITCHBOARD_DATABASE_URL"] = place.database_url
    if place.carrier:
        env["SWITCHBOARD_TWILIO_API_URL"] = place.carrier_url
    return env


def _carrier(place: Place) -> Program:
    host = place.public_url.partition("://")[2].partition("/")[0]
    gateways = "|".join(f"127.0.0.1:{port}" for port in place.ports_of(GATEWAY))
    port = place.port_base + 2
    env = {
        "CARRIER_PORT": str(port),
        "CARRIER_DATA_DIR": str(place.data / "carrier"),
        "CARRIER_HOSTS": f"{host}={gateways}",
    }
    command = (sys.executable, "-m", "carrier")
    ready = f"{place.carrier_url}/health/ready"
    return Program(CARRIER, CARRIER, command, env, place.carrier_url, ready, _DRAIN[CARRIER], (port,))


def _http(port: int) -> str:
    return f"http://127.0.0.1:{port}"

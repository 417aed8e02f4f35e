"""Makes the edge's parts and hands them to each other."""

from __future__ import annotations

from common import service
from common.directory import Directory
from common.internal import Health, server
from common.service import Service

from mcp_edge import tools
from mcp_edge.desk import Desk
from mcp_edge.door import BODY_LIMIT, Door
from mcp_edge.gate import Gate
from mcp_edge.protocol import Protocol
from mcp_edge.rest import application
from mcp_edge.settings import Settings
from mcp_edge.wakeups import Wakeups


async def build(settings: Settings) -> Service:
    """The edge: no database, no rules; it can start before the broker and answers 503 until it knows the tokens.

    The directory of an earlier run is not read from disk: it could name tokens that have been revoked since.
    """
    bus = service.connect("mcp-edge", settings)
    directory = Directory()
    follower = directory.follow(bus, settings.data / "mcp-edge" / settings.instance)
    gate = Gate(directory, follower, settings.key("token-pepper.key"))
    wakeups = Wakeups(bus, gate, lambda: http.should_exit)
    desk = Desk(tools.ALL.values(), bus, wakeups, progress_every=settings.edge_progress_seconds)
    protocol = Protocol(desk, wakeups, body_limit=BODY_LIMIT)
    door = Door(gate, protocol, application(desk), settings.hosts())
    http = server(door, settings.edge_host, settings.edge_port)
    return Service(
        "mcp-edge",
        bus,
        Health(required={"bus": bus.ping, "directory": gate.ready}),
        background={
            "directory": follower.run,
            "wakeups": wakeups.run,
            "protocol": protocol.run,
            "errands": desk.finish_errands,
        },
        http=[http],
        needs_bus=False,
    )

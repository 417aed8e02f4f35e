"""Be the edge for agents, organisations and operators."""

import gc

from common import service
from common.service import Service

from mcp_edge.app import build
from mcp_edge.settings import Settings


async def _built_for_good(settings: Settings) -> Service:
    """What is made by now stays: collecting it over and over would stop everybody for 80 ms each time."""
    built = await build(settings)
    gc.collect()
    gc.freeze()
    return built


if __name__ == "__main__":
    service.run("mcp-edge", Settings(), _built_for_good)

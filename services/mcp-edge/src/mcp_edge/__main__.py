"""Be the edge for agents, organisations and operators."""

from common import service

from mcp_edge.app import build
from mcp_edge.settings import Settings

if __name__ == "__main__":
    service.run("mcp-edge", Settings(), build)

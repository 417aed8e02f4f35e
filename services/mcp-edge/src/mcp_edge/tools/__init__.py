"""Every tool, by noun; the same descriptions serve MCP and REST."""

from __future__ import annotations

from mcp_edge.tool import Tool
from mcp_edge.tools import channels, consent, inbox, messages, money, organisations, safety, tokens

_MODULES = (organisations, messages, inbox, channels, consent, money, safety, tokens)

ALL: dict[str, Tool] = {tool.name: tool for module in _MODULES for tool in module.TOOLS}

"""Everything that comes with a token: tools over MCP and the same orders and queries as REST. It holds no rules."""

"""mcp_edge"""

"""The floor of tools: a bare tool of the SDK behind a bearer token looked up in memory, answering at once.

`python -m bench.floor_tools <port> <token>`.
"""

from __future__ import annotations

import hashlib
import logging
import sys

import uvicorn
import uvloop
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl, BaseModel


class Answer(BaseModel):
    message: str
    status: str


class Verifier:
    def __init__(self, token: str) -> None:
        self._known = {hashlib.sha256(token.encode()).hexdigest(): "agt_1"}

    async def verify_token(self, token: str) -> AccessToken | None:
        client = self._known.get(hashlib.sha256(token.encode()).hexdigest())
        return AccessToken(token=token, client_id=client, scopes=["agent"]) if client else None


def _server(port: int, token: str) -> MCPServer:
    url = AnyHttpUrl(f"http://127.0.0.1:{port}/mcp")
    auth = AuthSettings(
        issuer_url=url, resource_server_url=url, required_scopes=["agent"], validate_token_resource=False
    )
    server = MCPServer("floor", token_verifier=Verifier(token), auth=auth, log_level="WARNING")

    @server.tool()
    async def bare(to: str, body: str) -> Answer:
        return Answer(message=to, status=body)

    return server


if __name__ == "__main__":
    port = int(sys.argv[1])
    app = _server(port, sys.argv[2]).streamable_http_app(stateless_http=True, json_response=True)
    logging.disable(logging.INFO)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, access_log=False, log_level="warning", server_header=False
    )
    uvloop.run(uvicorn.Server(config).serve())

"""Who plays: the operator over REST, people through the local carrier, an agent through the official MCP client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import httpx


class NotAsTold(Exception):
    """Something in the story did not happen; the text says what."""


@dataclass
class Office:
    """An operator or organisation, over REST."""

    http: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def with_token(cls, url: str, token: str) -> AsyncIterator[Office]:
        """Open for business under this token."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
            yield cls(http)

    async def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Make one request; a problem is told as it came."""
        # A key of its own: told again within ten minutes, the same story is another intent.
        headers = {"Idempotency-Key": token_hex(16)} if method == "POST" else {}
        answer = await self.http.request(method, path, json=body or None, headers=headers)
        if answer.is_error:
            raise NotAsTold(f"{method} {path}: {answer.status_code} {answer.text}")
        return dict(answer.json())


@dataclass
class Carrier:
    """The local phone company, through its control API."""

    http: httpx.AsyncClient
    last: dict[str, int] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, token: str) -> AsyncIterator[Carrier]:
        """Drive the carrier at this address."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"{url}/control", headers=headers, timeout=60) as http:
            yield cls(http)

    async def text(self, person: str, number: str, body: str) -> None:
        """A person texts one of our numbers; returns when our webhook has answered."""
        order = {"from": person, "to": number, "body": body, "wait_s": 20}
        answer = await self.http.post("/texts", json=order)
        answer.raise_for_status()
        if answer.json()["webhook"] != "delivered":
            raise NotAsTold(f"the webhook did not take the text: {answer.text}")

    async def received(self, person: str, *, wait_s: float = 20) -> list[dict[str, Any]]:
        """What the person received since the last look; waits for the first."""
        query: dict[str, str | float] = {"person": person, "after": self.last.get(person, 0), "wait_s": wait_s}
        answer = await self.http.get("/received", params=query, timeout=wait_s + 10)
        answer.raise_for_status()
        page = answer.json()
        self.last[person] = page["after"]
        return list(page["texts"])

    async def fault(self, kind: str, operation: str, **options: Any) -> None:
        """Ask for a fault."""
        answer = await self.http.post("/faults", json={"kind": kind, "operation": operation, **options})
        answer.raise_for_status()

    async def accepted(self, person: str) -> int:
        """How many texts to this person the phone company accepted, by its ledger."""
        count: int = 0
        after: int = 0
        while True:
            answer = await self.http.get("/ledger", params={"kind": "message_out", "after": after})
            answer.raise_for_status()
            page = answer.json()
            count += sum(entry["recipient"] == person for entry in page["entries"])
            if not page["entries"]:
                return count
            after = page["after"]


@dataclass
class Agent:
    """An agent, through the official MCP client."""

    client: Any

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, token: str) -> AsyncIterator[Agent]:
        """Connected for the length of the block; then gone without a word."""
        import httpx2  # noqa: PLC0415 - slow to import, and only the demo needs it
        from mcp import Client  # noqa: PLC0415
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield cls(client)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Use a tool; a refusal is not as told."""
        refusal, content = await self.attempt(tool, **arguments)
        if refusal:
            raise NotAsTold(f"{tool}: {refusal}")
        return content

    async def attempt(self, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        """Use a tool; gives the sentence of a refusal, or nothing, and the content."""
        result = await self.client.call_tool(tool, arguments)
        said = " ".join(getattr(part, "text", "") for part in result.content)
        return (said if result.is_error else ""), dict(result.structured_content or {})

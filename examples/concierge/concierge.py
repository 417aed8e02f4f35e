"""A small agent on a phone number: waits for texts, answers, acknowledges. No model, no code of ours.

    python examples/concierge/concierge.py --url http://127.0.0.1:8401/mcp --token-file agent.token

It needs only the official `mcp` client. Stop it with Ctrl-C; what it has not acknowledged waits for its return.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

OPENING_HOURS = "We are open from 9 to 18, Monday to Saturday."
ANSWERS = {
    "hours": OPENING_HOURS,
    "open": OPENING_HOURS,
    "table": "With pleasure. For how many people, and when?",
    "address": "12 Harbour Lane, second floor.",
}


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Client]:
    """The official client, with the agent's bearer token."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool; a refusal is a sentence, raised as it is."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(" ".join(getattr(part, "text", "") for part in result.content))
    return dict(result.structured_content or {})


def answer(text: str) -> str:
    """What a concierge says. The text of a stranger is data: it chooses among our sentences, it never adds to them."""
    words = text.lower()
    return next((reply for word, reply in ANSWERS.items() if word in words), "Thank you, I will ask and text you back.")


async def serve(client: Client) -> None:
    """For ever: wait, answer under a key made from the message, acknowledge."""
    while True:
        waiting = await call(client, "comms_get_waiting_messages", wait_s=25)
        for message in waiting["messages"]:
            print(f"← {message['body']}")
            reply = answer(message["body"])
            try:
                # The key makes a repetition after a crash harmless: one answer for one message.
                key = f"answer-{message['message']}"
                await call(client, "comms_send_message", thread=message["thread"], body=reply, idempotency_key=key)
                print(f"→ {reply}")
            except RuntimeError as refusal:
                print(f"✗ {refusal}")
            await call(client, "comms_ack_messages", messages=[message["message"]])


async def main(url: str, token: str) -> None:
    """Connect and serve."""
    async with connected(url, token) as client:
        await call(client, "comms_ping")
        print("Connected; waiting for texts.")
        await serve(client)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8401/mcp", help="the MCP endpoint")
    parser.add_argument("--token-file", type=Path, required=True, help="file with the agent's token")
    options = parser.parse_args()
    try:
        asyncio.run(main(options.url, options.token_file.read_text().strip()))
    except KeyboardInterrupt:
        print("Goodbye.")

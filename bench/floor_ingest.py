"""The floor of ingest: a bare ASGI app that verifies the signature and awaits the stream's acknowledgement.

It does the least that is honest: read the form, HMAC-SHA1 over the public URL, one JSON envelope, one publish.
`python -m bench.floor_ingest <port> <broker url>`.
"""

from __future__ import annotations

import base64
import gc
import hmac
import sys
from typing import Any
from urllib.parse import parse_qsl

import nats
import orjson
import uvicorn
import uvloop
from nats.aio.client import Client

TOKEN = b"token-of-main"
PUBLIC = "https://hooks.switchboard.test"
SUBJECT = "comms.floor.messages.v1.sms.received"


class Floor:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        message = await receive()
        form = parse_qsl(message["body"].decode(), keep_blank_values=True)
        url = PUBLIC + scope["path"]
        signed = url + "".join(name + value for name, value in sorted(form))
        digest = base64.b64encode(hmac.digest(TOKEN, signed.encode(), "sha1"))
        if not hmac.compare_digest(digest, dict(scope["headers"]).get(b"x-twilio-signature", b"")):
            await _answer(send, 403)
            return
        fields = dict(form)
        sid = fields["MessageSid"]
        envelope = {"specversion": "1.0", "id": sid, "source": "floor", "type": "sms.received", "data": fields}
        reply = await self._client.request(SUBJECT, orjson.dumps(envelope), timeout=30, headers={"Nats-Msg-Id": sid})
        if "error" in orjson.loads(reply.data):
            raise OSError(reply.data)
        await _answer(send, 204)


async def _answer(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _main(port: int, url: str) -> None:
    app = Floor(await nats.connect(url))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        lifespan="off",
        server_header=False,
        proxy_headers=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2]))

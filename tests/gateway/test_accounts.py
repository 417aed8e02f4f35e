"""One log line and the counts for each webhook, written together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
from gateway.accounts import Accounts
from gateway.metrics import WEBHOOKS

from tests.gateway.standing import OURS, PERSON, ROUTE, Door, Standing, answering, ending, sms


async def test_each_answer_is_one_json_line_without_anything_from_outside(tmp_path: Path) -> None:
    standing = Standing(tmp_path).prepare()
    with ending(standing.process()):
        await answering(standing.url)
        async with httpx.AsyncClient(base_url=standing.url) as client:
            await Door(standing, client).text(Body="my secret")
            await Door(standing, client).post(f"/webhooks/{ROUTE}/sms", sms(), token="a guess")
        first, second = await _lines(tmp_path / "gateway-0.log", 2)
    assert {name: first[name] for name in ("kind", "status", "outcome")} == {
        "kind": "sms",
        "status": 200,
        "outcome": "stored",
    }
    assert (second["status"], second["outcome"]) == (403, "wrong_signature")
    assert (first["service"], first["level"], first["timestamp"][-1]) == ("gateway", "info", "Z")
    text = (tmp_path / "gateway-0.log").read_text()
    assert not any(said in text for said in ("my secret", OURS[1:], PERSON[1:]))


async def _lines(log: Path, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        while len(found := _webhooks(log)) < count:  # noqa: ASYNC110 - another process; nothing to wait on
            await asyncio.sleep(0.02)
    return found


def _webhooks(log: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in log.read_bytes().splitlines() if b'"webhook"' in line]


def test_answers_are_counted_by_what_became_of_them_once() -> None:
    before = WEBHOOKS.labels("sms", "repeat")._value.get()
    accounts = Accounts()
    for _ in range(3):
        accounts.add("sms", 200, "repeat", 0.001)
    accounts.write()
    accounts.write()
    assert WEBHOOKS.labels("sms", "repeat")._value.get() == before + 3

"""Who is let in, and how soon not any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from common import tokens
from common.directory import Directory
from common.errors import Unavailable
from mcp_edge.gate import STALE_AFTER, Gate, Unauthorised

from tests.mcp_edge.house import PEPPER, House


@dataclass
class Snapshot:
    loaded: bool = True
    age: float = 0.0
    behind: float = 0.0
    revision: int = 1
    news: Callable[[], None] | None = None

    async def wait_for(self, revision: int, timeout: float) -> bool:
        """The next one is here at once, or never."""
        if self.news:
            self.news()
        return self.news is not None


def a_gate(snapshot: Snapshot, *live: str, directory: Directory | None = None, **more: object) -> Gate:
    directory = directory or Directory()
    directory.accept(1, {"routes": [], "tokens": [_entry(token, **more) for token in live]})
    return Gate(directory, snapshot, PEPPER)


def _entry(token: str, **more: object) -> dict[str, object]:
    known = {"token": "tok_1", "tier": "agent", "organisation": "org_1", "agent": "agt_1"}
    return {"hash": tokens.hashed(token, PEPPER), **known, **more}


def test_a_live_token_says_who_its_holder_is() -> None:
    token = tokens.new("agent")
    principal = a_gate(Snapshot(), token).admit(f"Bearer {token}")
    assert (principal.tier, principal.organisation, principal.agent) == ("agent", "org_1", "agt_1")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer sbd_agt_x", "Bearer ü", "Bearer " + "x" * 600]
)
def test_what_is_no_token_is_refused(header: str) -> None:
    with pytest.raises(Unauthorised):
        a_gate(Snapshot(), tokens.new("agent")).admit(header)


async def test_a_token_that_is_newer_than_the_directory_is_let_in_when_that_has_come() -> None:
    token, directory = tokens.new("agent"), Directory()
    news = Snapshot(news=lambda: directory.accept(2, {"routes": [], "tokens": [_entry(token)]}))
    assert (await a_gate(news, directory=directory).let_in(f"Bearer {token}")).agent == "agt_1"
    with pytest.raises(Unauthorised):
        await a_gate(Snapshot()).let_in(f"Bearer {token}")


def test_a_stranger_s_and_an_expired_token_are_refused_alike() -> None:
    token, past = tokens.new("agent"), datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(Unauthorised) as expired:
        a_gate(Snapshot(), token, expires_at=past).admit(f"Bearer {token}")
    with pytest.raises(Unauthorised) as stranger:
        a_gate(Snapshot(), token).admit(f"Bearer {tokens.new('agent')}")
    assert expired.value.detail == stranger.value.detail


@pytest.mark.parametrize(
    "snapshot", [Snapshot(loaded=False), Snapshot(age=STALE_AFTER + 0.1), Snapshot(behind=STALE_AFTER + 0.1)]
)
def test_nobody_is_let_in_while_a_revocation_could_have_been_missed(snapshot: Snapshot) -> None:
    token = tokens.new("agent")
    with pytest.raises(Unavailable):
        a_gate(snapshot, token).admit(f"Bearer {token}")


async def test_without_a_directory_everything_is_503_with_retry_after(house: House) -> None:
    edge = await house.edge(ready=False)
    async with edge.rest(tokens.new("agent")) as client:
        for path in ("/v1/me", "/mcp"):
            answer = await client.post(path, json={}) if path == "/mcp" else await client.get(path)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] == "directory_stale"
    status, report = await edge.service.health.report()
    assert status == 503
    assert report["checks"]["bus"] == "ok"


@pytest.mark.parametrize("path", ["/mcp", "/v1/me", "/v1/nothing-here"])
async def test_a_bad_token_is_401_with_a_challenge(house: House, path: str) -> None:
    await house.token()
    edge = await house.edge()
    async with edge.rest() as without, edge.rest(tokens.new("agent")) as wrong:
        missing, refused = await without.post(path, json={}), await wrong.post(path, json={})
    assert (missing.status_code, refused.status_code) == (401, 401)
    assert missing.headers["www-authenticate"] == 'Bearer realm="switchboard"'
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert refused.headers["content-type"] == "application/problem+json"


async def test_a_revoked_token_is_refused_by_every_replica_within_a_second(house: House) -> None:
    token, other = await house.token(), await house.token(agent="agt_2")
    replicas = [await house.edge("0"), await house.edge("1")]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(replica.rest(token)) for replica in replicas]
        assert [(await client.get("/v1/me")).status_code for client in clients] == [200, 200]
        await house.revoke(token)
        async with asyncio.timeout(1):
            await asyncio.gather(*map(refused, clients))
    for replica in replicas:
        async with replica.rest(other) as client:
            assert (await client.get("/v1/me")).status_code == 200


async def test_a_token_that_expires_is_refused_from_then_on(house: House) -> None:
    token = await house.token(expires_at=(datetime.now(UTC) + timedelta(seconds=1.5)).isoformat())
    edge = await house.edge()
    async with edge.rest(token) as client:
        assert (await client.get("/v1/me")).status_code == 200
        async with asyncio.timeout(5):
            await refused(client)


async def refused(client: httpx.AsyncClient) -> None:
    while (await client.get("/v1/me")).status_code != 401:  # noqa: ASYNC110 - asked as any client can
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
async def test_a_page_elsewhere_cannot_use_us(house: House, headers: dict[str, str]) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        answer = await client.get("/v1/me", headers=headers)
    assert answer.status_code == 403


async def test_the_public_host_is_served(house: House) -> None:
    token = await house.token()
    edge = await house.edge(edge_public_url="https://agents.switchboard.test", edge_allowed_hosts="other.test, x.test")
    async with edge.rest(token) as client:
        for host in ("agents.switchboard.test", "x.test:8443", "localhost:1"):
            assert (await client.get("/v1/me", headers={"host": host})).status_code == 200

"""Who takes part in a story on a running house: operators, tenants, agents and people, each from outside only."""

from __future__ import annotations

import itertools
import json
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import httpx
import httpx2
from common.settings import Settings
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from switchboard import dead
from twilio.request_validator import RequestValidator
from twilio.rest import Client as ProviderClient

from tests.support.stack import Stack

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """How a house is set up."""

    replicas: str = ""
    postgresql: bool = False


@dataclass(frozen=True)
class Refusal:
    """What a caller is told instead of a result."""

    status: int
    code: str
    detail: str
    more: dict[str, Any]


@dataclass
class Said:
    """Numbers, tokens and texts that no log may hold whole."""

    words: set[str] = field(default_factory=set)

    def note(self, *words: str) -> None:
        self.words |= {word for word in words if len(word) > 6}


def client(url: str, token: str) -> httpx.Client:
    """Without keep-alive: a server may close an idle connection just as we use it."""
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=url, headers=headers, timeout=40, trust_env=False, limits=limits)


class Office:
    """REST with one token, at one replica of the edge."""

    def __init__(self, url: str, token: str, said: Said) -> None:
        self._said = said
        self.http = client(url, token)

    def answer(self, method: str, path: str, *, key: str = "", **content: Any) -> httpx.Response:
        self._said.note(str(content.get("body", "")))
        headers = {"Idempotency-Key": key} if key else {}
        if method in ("POST", "PUT"):
            return self.http.request(method, path, json=content, headers=headers)
        return self.http.request(method, path, params=content, headers=headers)

    def ask(self, method: str, path: str, *, key: str = "", **content: Any) -> dict[str, Any]:
        answer = self.answer(method, path, key=key, **content)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        result: dict[str, Any] = answer.json()
        return result

    def refused(self, method: str, path: str, *, key: str = "", **content: Any) -> Refusal:
        answer = self.answer(method, path, key=key, **content)
        assert answer.is_error, f"{method} {path} was not refused: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        return Refusal(answer.status_code, problem["code"], problem["detail"], problem)


class Speaker:
    """The official client of the protocol agents speak."""

    def __init__(self, client: Client, said: Said) -> None:
        self.client, self._said = client, said

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self._result(tool, arguments)
        assert not result.is_error, f"{tool}: {result.content}"
        content: dict[str, Any] = result.structured_content
        return content

    async def refused(self, tool: str, **arguments: Any) -> Refusal:
        result = await self._result(tool, arguments)
        assert result.is_error, f"{tool} was not refused: {result.structured_content}"
        told: dict[str, Any] = result.structured_content
        assert result.content[0].text == f"{told['code']}: {told['detail']}"
        return Refusal(0, told["code"], told["detail"], told)

    async def _result(self, tool: str, arguments: dict[str, Any]) -> Any:
        self._said.note(str(arguments.get("body", "")))
        return await self.client.call_tool(tool, arguments)


@dataclass
class Agent:
    """One agent with its number and token."""

    world: World
    id: str
    number: str
    token: str
    token_id: str
    saga: str
    office: Office

    @asynccontextmanager
    async def mcp(self, mode: str = "auto", *, edge: str = "", query: str = "", **more: Any) -> AsyncIterator[Speaker]:
        async with self.world.mcp(self.token, mode, edge=edge, query=query, **more) as speaker:
            yield speaker

    def send(self, to: str, body: str, **more: Any) -> dict[str, Any]:
        return self.office.ask("POST", "/v1/agents/me/messages", to=to, body=body, **more)

    def refused(self, to: str, body: str = "This one must not arrive.", **more: Any) -> Refusal:
        return self.office.refused("POST", "/v1/agents/me/messages", to=to, body=body, **more)

    def waiting(self, *, wait_s: float = 20, **more: Any) -> list[dict[str, Any]]:
        page = self.office.ask("POST", "/v1/agents/me/inbox/lease", wait_s=wait_s, **more)
        messages: list[dict[str, Any]] = page["messages"]
        return messages

    def acknowledge(self, *messages: str) -> None:
        self.office.ask("POST", "/v1/agents/me/inbox/ack", messages=messages)

    def trace(self, message: str, *, until: str = "") -> dict[str, Any]:
        """The trace; with `until`, as soon as such a step is in it."""
        path = f"/v1/agents/me/messages/{message}/trace"

        def look() -> dict[str, Any] | None:
            trace = self.office.ask("GET", path)
            return trace if not until or until in steps(trace) else None

        return eventually(look)


@dataclass
class Tenant:
    """One organisation."""

    world: World
    id: str
    token: str
    project: str
    office: Office

    def agent(self, title: str = "Concierge", **more: Any) -> Agent:
        made = self.office.ask("POST", "/v1/agents", key=secrets.token_hex(8), title=title, **more)
        assert made["state"] == "active", made
        number = made["channels"][0]["address"]
        self.world.said.note(made["token"], number)
        office = self.world.admitted(made["token"])
        return Agent(self.world, made["agent"], number, made["token"], made["token_id"], made["saga"], office)


class World:
    """A running house, the phone company, and everybody on both sides."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.said = stack, Said()
        self.operator = self.office(stack.operator_token)
        self.control = client(f"{stack.carrier}/control", stack.carrier_token)
        self._people = itertools.count(1)

    def office(self, token: str, edge: str = "") -> Office:
        self.said.note(token)
        return Office(edge or self.stack.edges[0], token, self.said)

    def admitted(self, token: str) -> Office:
        """The door for a new token, once every replica of the edge has heard of it: that takes a moment."""
        for edge in self.stack.edges:
            door = self.office(token, edge)
            eventually(lambda door=door: door.answer("GET", "/v1/me").is_success, seconds=2)  # type: ignore[misc]
        return self.office(token)

    @asynccontextmanager
    async def mcp(
        self, token: str, mode: str = "auto", *, edge: str = "", query: str = "", **more: Any
    ) -> AsyncIterator[Speaker]:
        url = f"{edge or self.stack.edges[-1]}/mcp{query}"
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, **more) as client,
        ):
            yield Speaker(client, self.said)

    def tenant(self, title: str) -> Tenant:
        """A new organisation that may spend much more than these stories do."""
        made = self.operator.ask("POST", "/v1/organizations", key=secrets.token_hex(8), title=title)
        office = self.admitted(made["token"])
        caps: dict[str, Any] = {"money_per_month": 1_000_000_000, "rate_per_minute": 6000}
        self.operator.ask("PUT", "/v1/limits", organisation=made["organisation"], **caps)
        return Tenant(self, made["organisation"], made["token"], made["project"], office)

    # the other side

    def person(self) -> str:
        """Somebody nobody has heard of. Exchange 555 is never sold, so this is no agent's number."""
        number = f"+1415555{next(self._people):04d}"
        self.said.note(number)
        return number

    def text(self, person: str, number: str, body: str) -> str:
        """A person texts; returns when the webhook was answered, with the provider's id."""
        self.said.note(body)
        order = {"from": person, "to": number, "body": body, "wait_s": 20}
        answer = self.control.post("/texts", json=order)
        assert answer.status_code == 201, answer.text
        assert answer.json()["webhook"] == "delivered", answer.text
        return str(answer.json()["sid"])

    def received(self, person: str, at_least: int = 1) -> list[dict[str, Any]]:
        """What a person received from the first on, as soon as it is so much."""

        def look() -> list[dict[str, Any]] | None:
            texts = self.control.get("/received", params={"person": person}).json()["texts"]
            return texts if len(texts) >= at_least else None

        return eventually(look)

    def accepted(self, person: str) -> list[dict[str, Any]]:
        """What the phone company's ledger says it took on for this person, by us."""
        entries: list[dict[str, Any]] = []
        query: dict[str, Any] = {"kind": "message_out", "limit": 5000, "after": 0}
        while page := self.control.get("/ledger", params=query).json()["entries"]:
            entries += [entry for entry in page if entry["recipient"] == person]
            query["after"] = page[-1]["seq"]
        return entries

    def phone(self, person: str, behaviour: str, error_code: int | None = None) -> None:
        answer = self.control.put(f"/people/{person}/phone", json={"behaviour": behaviour, "error_code": error_code})
        assert answer.is_success, answer.text

    def fault(self, kind: str, **scope: Any) -> None:
        answer = self.control.post("/faults", json={"kind": kind, **scope})
        assert answer.status_code == 201, answer.text

    @cached_property
    def account(self) -> dict[str, str]:
        account: dict[str, str] = json.loads((self.stack.secrets / "twilio.json").read_text())
        self.said.note(account["auth_token"])
        return account

    @cached_property
    def provider(self) -> Any:
        """The provider's official client, pointed at the local phone company."""
        client = ProviderClient(self.account["account_sid"], self.account["auth_token"])
        client.api.base_url = self.stack.carrier
        return client

    def webhook(self, path: str, form: dict[str, str], *, token: str = "", gateway: str = "") -> httpx.Response:
        """A request as the provider makes it, signed with the account's token or another."""
        public = f"{self.stack.run['public_url']}{path}"
        signature = RequestValidator(token or self.account["auth_token"]).compute_signature(public, form)
        url = (gateway or self.stack.gateways[-1]) + path
        return httpx.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=10, trust_env=False)

    # those who look after the house

    def switchboard(self, *words: str) -> Any:
        """What the command line prints as JSON: one value."""
        command = [sys.executable, "-m", "switchboard", "--data", str(self.stack.folder), *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.returncode} {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def dead_letters(self) -> AbstractAsyncContextManager[dead.Desk]:
        """Where dead letters are looked through, as the command line does it."""
        return dead.open_desk(Settings(data=self.stack.folder, secrets=self.stack.secrets))


def steps(trace: dict[str, Any]) -> list[str]:
    """What happened, in order."""
    return [step["what"] for step in trace["steps"]]


def eventually(look: Callable[[], T | None], *, seconds: float = 20) -> T:
    """What `look` gives, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.03)
    return found

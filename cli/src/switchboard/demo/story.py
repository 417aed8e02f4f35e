"""The scenes, in order. Each says what happens and checks that it did."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from switchboard.demo.cast import Agent, Carrier, NotAsTold, Office

_COLOURS = {"operator": "magenta", "person": "cyan", "agent": "green", "carrier": "yellow", "audit": "blue"}


@dataclass
class Stage:
    """Where the story plays, and what the scenes tell each other."""

    console: Console
    rest_url: str
    mcp_url: str
    operator_token: str
    carrier: Carrier
    verify_audit: Callable[[], tuple[bool, str]]
    number: str = ""
    agent: str = ""
    agent_token: str = ""
    organisation: str = ""
    organisation_token: str = ""
    ann: str = ""
    ben: str = ""
    scenes: int = 0

    def scene(self, title: str) -> None:
        """A headline."""
        self.scenes += 1
        self.console.print(f"\n[bold]{self.scenes}. {title}[/bold]")

    def says(self, who: str, text: str) -> None:
        """One line of the story."""
        self.console.print(f"   [{_COLOURS[who]}]{who:>8}[/]  {text}", highlight=False)

    def so(self, true: object, otherwise: str) -> None:
        """The story stops here when it is not so."""
        if not true:
            raise NotAsTold(otherwise)


async def tell(stage: Stage) -> None:
    """The whole story; raises `NotAsTold` at the first thing that did not happen."""
    # Fresh people each time: the story may be told again on the same data.
    stage.ann, stage.ben = (f"+1415273{secrets.randbelow(9000) + 1000}" for _ in range(2))
    await _an_agent_gets_a_number(stage)
    await _a_text_travels_there_and_back(stage)
    await _nothing_is_lost_while_the_agent_is_away(stage)
    await _stop_means_stop(stage)
    await _a_cap_is_a_cap(stage)
    await _an_answer_is_cut_off(stage)
    await _the_books(stage)
    stage.console.print("\n[bold green]The story is told, and every line of it was checked.[/bold green]")


async def _an_agent_gets_a_number(stage: Stage) -> None:
    stage.scene("An operator creates an organisation; it provisions an agent")
    async with Office.with_token(stage.rest_url, stage.operator_token) as operator:
        made = await operator.ask("POST", "/v1/organizations", title="Harbour Hotel")
    stage.organisation, stage.organisation_token = made["organisation"], made["token"]
    stage.says("operator", f"organisation {made['organisation']} (its token is shown once)")
    async with Office.with_token(stage.rest_url, stage.organisation_token) as organisation:
        agent = await organisation.ask("POST", "/v1/agents", title="Concierge", country="US")
    stage.so(agent["state"] == "active", f"the agent is {agent['state']}: {agent.get('reason')}")
    stage.agent, stage.agent_token = agent["agent"], agent["token"]
    stage.number = agent["channels"][0]["address"]
    stage.says("operator", f"agent {stage.agent} has the number {stage.number}")


async def _a_text_travels_there_and_back(stage: Stage) -> None:
    stage.scene("A person texts the number; the agent reads, answers and acknowledges")
    await stage.carrier.text(stage.ann, stage.number, "Do you have a table tonight?")
    stage.says("person", "“Do you have a table tonight?”")
    async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
        [message] = (await agent.call("comms_get_waiting_messages", wait_s=20))["messages"]
        stage.so(message["body"] == "Do you have a table tonight?", f"the agent read {message['body']!r}")
        stage.says("agent", f"reads it (cursor {message['cursor']}, trust: {message['trust']['level']})")
        sent = await agent.call("comms_send_message", thread=message["thread"], body="Yes, at eight. Shall I book it?")
        stage.says("agent", f"answers: {sent['status']}, at most {_usd(sent['held'])} held")
        await agent.call("comms_ack_messages", messages=[message["message"]])
        stage.says("agent", "acknowledges")
    [answer] = await stage.carrier.received(stage.ann)
    stage.so(answer["body"].startswith("Yes, at eight"), f"the person received {answer['body']!r}")
    stage.says("person", f"received “{answer['body']}”")


async def _nothing_is_lost_while_the_agent_is_away(stage: Stage) -> None:
    stage.scene("The agent goes away; three texts arrive; it comes back, and crashes before acknowledging one")
    texts = ["Please book it.", "For four people.", "And a cake, if you can."]
    for text in texts:
        await stage.carrier.text(stage.ann, stage.number, text)
        stage.says("person", f"“{text}”")
    held = await _three_messages(stage, texts)
    async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
        again = (await agent.call("comms_get_waiting_messages", wait_s=20))["messages"]
        stage.so([m["message"] for m in again] == [held], f"handed again: {[m['body'] for m in again]}")
        stage.says("agent", f"back again, is handed “{again[0]['body']}” a second time")
        await agent.call("comms_ack_messages", messages=[held])
        stage.says("agent", "acknowledges it; the inbox is empty")


async def _three_messages(stage: Stage, texts: list[str]) -> str:
    """Handed out in order; two acknowledged. Gives the one that was not."""
    got: list[dict[str, Any]] = []
    async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
        while len(got) < len(texts):
            page = await agent.call("comms_get_waiting_messages", wait_s=20, lease_seconds=2)
            stage.so(page["messages"], "the agent waited 20 s and was handed nothing")
            got += [message for message in page["messages"] if message["deliveries"] == 0]
        stage.so([m["body"] for m in got] == texts, f"handed out of order: {[m['body'] for m in got]}")
        stage.says("agent", "is handed all three, in order")
        await agent.call("comms_ack_messages", messages=[m["message"] for m in got[:2]])
        stage.says("agent", "acknowledges two, then crashes")
    return str(got[2]["message"])


async def _stop_means_stop(stage: Stage) -> None:
    stage.scene("A person says STOP")
    await stage.carrier.text(stage.ben, stage.number, "STOP")
    stage.says("person", "“STOP”")
    async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
        [message] = (await agent.call("comms_get_waiting_messages", wait_s=20))["messages"]
        refusal, _ = await agent.attempt("comms_send_message", thread=message["thread"], body="One more offer!")
        stage.so(refusal, "a text to someone who said STOP was accepted")
        stage.says("agent", f"tries to text anyway: {refusal}")
        await agent.call("comms_ack_messages", messages=[message["message"]])


async def _a_cap_is_a_cap(stage: Stage) -> None:
    stage.scene("A cap is reached")
    async with Office.with_token(stage.rest_url, stage.organisation_token) as organisation:
        await organisation.ask("PUT", f"/v1/agents/{stage.agent}/limits", messages_per_day=2)
        stage.says("operator", "sets a cap of two texts a day; one is used")
        async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
            await agent.call("comms_send_message", to=stage.ann, body="Booked for four at eight.")
            stage.says("agent", "sends the second text of the day")
            refusal, _ = await agent.attempt("comms_send_message", to=stage.ann, body="The cake is ordered.")
        tomorrow = datetime.now(UTC).date().isoformat()
        stage.so(refusal and tomorrow[:8] in refusal, f"the refusal does not say when it ends: {refusal!r}")
        stage.says("agent", f"sends a third: {refusal}")
        await organisation.ask("PUT", f"/v1/agents/{stage.agent}/limits", messages_per_day=100)
        stage.says("operator", "raises the cap")
    await stage.carrier.received(stage.ann)


async def _an_answer_is_cut_off(stage: Stage) -> None:
    stage.scene("The provider takes a text, and the line is cut before it answers")
    before = await stage.carrier.accepted(stage.ann)
    await stage.carrier.fault("cut_after", "messages.create", times=1, address=None)
    async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
        sent = await agent.call("comms_send_message", to=stage.ann, body="Your table is by the window.")
        [text] = await stage.carrier.received(stage.ann)
        stage.says("person", f"received “{text['body']}”")
        trace = await _until_resolved(agent, sent["message"])
    for step in trace["steps"]:
        stage.says("agent", f"trace: {step['what']} {step['detail']}".rstrip())
    accepted = await stage.carrier.accepted(stage.ann) - before
    stage.so(accepted == 1, f"the phone company accepted {accepted} texts for one intent")
    stage.so(any("unknown" in step["what"] for step in trace["steps"]), "the cut was not noticed")
    stage.says("carrier", "its ledger holds one text for one intent: resolved without a second text")


async def _until_resolved(agent: Agent, message: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            trace = await agent.call("comms_trace", message=message)
            if trace["status"] in ("sent", "delivered"):
                return trace
            await asyncio.sleep(0.2)


async def _the_books(stage: Stage) -> None:
    stage.scene("The books")
    valid, report = await asyncio.to_thread(stage.verify_audit)
    for line in report.strip().splitlines():
        stage.says("audit", line)
    stage.so(valid, "the audit chain does not verify")
    async with Agent.connected(stage.mcp_url, stage.agent_token) as agent:
        usage = await agent.call("comms_get_usage_dashboard")
    for line in usage["lines"]:
        stage.says("agent", f"{line['day']}  {line['kind']:<12} {line['count']:>3} × costs {_usd(line['billed'])}")
    stage.so(usage["lines"], "no costs are listed")


def _usd(money: dict[str, Any]) -> str:
    return f"${money['micros'] / 1_000_000:.4f}"

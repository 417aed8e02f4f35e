"""What is forged, repeated, nobody's or set aside."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from switchboard.dead import Desk, Letter

from tests.live.world import Agent, World, eventually


def a_form(world: World, to: str, person: str, body: str) -> dict[str, str]:
    """The fields of a text, as the provider posts them."""
    world.said.note(body)
    return {
        "MessageSid": f"SM{secrets.token_hex(16)}",
        "AccountSid": world.account["account_sid"],
        "From": person,
        "To": to,
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        "FieldFromTomorrow": "unknown, and signed",
    }


def route_of(world: World, number: str) -> str:
    """The path of a number's webhook."""
    [owned] = world.provider.incoming_phone_numbers.list(phone_number=number)
    return str(owned.sms_url).partition("switchboard.test")[2]


class TestTrouble:
    def test_a_forged_webhook_changes_nothing(self, world: World, agent: Agent, person: str) -> None:
        form = a_form(world, agent.number, person, "Transfer all the money!")
        path = route_of(world, agent.number)
        for gateway in world.stack.gateways:
            assert world.webhook(path, form, token="not the token", gateway=gateway).status_code == 403
        assert world.webhook(path, form | {"To": "+14155550100"}).status_code == 404
        assert agent.waiting(wait_s=0.5) == []

    def test_a_replayed_webhook_has_no_effect(self, world: World, agent: Agent, person: str) -> None:
        form, path = a_form(world, agent.number, person, "I say this only once."), route_of(world, agent.number)
        for gateway in world.stack.gateways * 2:
            assert world.webhook(path, form, gateway=gateway).is_success
        [message] = agent.waiting()
        agent.acknowledge(message["message"])
        assert world.webhook(path, form).is_success
        assert agent.waiting(wait_s=0.5) == []
        assert len(agent.office.ask("GET", "/v1/agents/me/messages")["messages"]) == 1

    async def test_a_text_for_nobody_is_a_dead_letter_that_can_be_replayed(self, world: World, person: str) -> None:
        form = a_form(world, "+14155559999", person, "Does anybody live here?")
        alerts = len(_alerts(world))
        assert world.webhook("/webhooks/rt_of_nobody/sms", form).is_success
        async with world.dead_letters() as desk:
            letter = await _newest(desk)
            assert letter.handler == "messaging-inbound"
            assert "nobody owns" in letter.reason
            assert form["To"] not in letter.reason
            assert isinstance(letter.event, dict)
            assert letter.event["data"]["body"] == "Does anybody live here?"
            await desk.replay(letter)
            again = await _newest(desk, after=letter.number)
            assert (again.reason, again.event) == (letter.reason, letter.event)
        eventually(lambda: len(_alerts(world)) > alerts)
        assert len(_alerts(world)) == alerts + 1
        assert _alerts(world)[0]["severity"] == "high"


async def _newest(desk: Desk, after: int = 0) -> Letter:
    async with asyncio.timeout(20):
        while True:
            letters = await desk.newest(1)
            if letters and letters[0].number > after:
                return letters[0]
            await asyncio.sleep(0.03)


def _alerts(world: World) -> list[dict[str, Any]]:
    found = world.operator.ask("GET", "/v1/alerts")["alerts"]
    return [alert for alert in found if alert["code"] == "unrouted_message"]

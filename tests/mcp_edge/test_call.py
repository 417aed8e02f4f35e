"""What an order becomes when nobody answers."""

from __future__ import annotations

from typing import Any

import pytest
from common.catalogue.messages import AcknowledgeMessages, SendMessage
from common.errors import Unavailable
from common.messages import Order, Query
from mcp_edge import tools
from mcp_edge.call import Call, Errands, Pending, derived_key
from mcp_edge.principal import Principal
from mcp_edge.refusal import told
from pydantic import BaseModel


class Silent:
    """A bus on which nobody answers."""

    async def order(self, order: Order[Any]) -> Any:
        raise Unavailable("not accepted as far as we know", code="pending")

    async def query(self, query: Query[Any]) -> Any:
        raise Unavailable("nobody answers", code="no_answer")


def a_call(key: str) -> Call:
    async def silent(_done: float, _of: float, _words: str) -> None:
        return None

    waits: Any = None  # nothing waits here
    principal = Principal("agent", "org_1", "agt_1", "tok_1", "hash")
    return Call(principal, "org_1", "agt_1", key, False, None, "00-0-0-01", silent, 10.0, Silent(), waits, Errands())


async def test_a_pending_order_says_which_key_makes_asking_again_safe() -> None:
    with pytest.raises(Pending) as pending:
        await a_call("k1").order(SendMessage, to="+14155550123", body="hi")
    assert "idempotency_key=k1" in pending.value.detail
    assert told(pending.value)["idempotency_key"] == "k1"


async def test_a_pending_order_without_a_key_is_harmless_to_repeat() -> None:
    with pytest.raises(Pending) as pending:
        await a_call("").order(AcknowledgeMessages, messages=["msg_1"])
    assert "harmless" in pending.value.detail


def test_a_derived_key_is_the_agent_s_the_tool_s_and_the_arguments() -> None:
    offer = tools.ALL["comms_send_message"].offer("organisation")
    one = offer.understand({"agent": "agt_1", "to": "+14155550123", "body": "hi"})
    same = offer.understand({"body": "hi", "to": "+14155550123", "agent": "agt_1", "not_after": "2026-11-21T00:00:00Z"})
    other = offer.understand({"agent": "agt_1", "to": "+14155550123", "body": "ho"})
    keys = [derived_key("org_1", "agt_1", "comms_send_message", a) for a in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert derived_key("org_1", "agt_2", "comms_send_message", one) != keys[0]


def test_every_tool_answers_with_an_object_and_forbids_what_it_does_not_list() -> None:
    for tool in tools.ALL.values():
        assert issubclass(tool.result, BaseModel)
        for tier in tool.tiers:
            assert tool.offer(tier).schema["additionalProperties"] is False

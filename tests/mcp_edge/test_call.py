"""What an order becomes when nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from common.catalogue.messages import AcknowledgeMessages, LeaseMessages, SendMessage, Waiting, WithdrawLease
from common.catalogue.values import Done
from common.errors import Unavailable
from common.messages import Order, Query
from mcp_edge import tools
from mcp_edge.call import Call, Errands, Pending, derived_key
from mcp_edge.gate import Unauthorised
from mcp_edge.principal import Principal
from mcp_edge.refusal import told
from mcp_edge.tools import inbox
from mcp_edge.wakeups import Nudge
from pydantic import BaseModel

from tests.mcp_edge.house import a_message


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


class Leaving:
    """A bus that answers in the very turn in which its caller may wait no longer."""

    def __init__(self) -> None:
        self.nudge, self.asked = Nudge(), list[Order[Any]]()

    async def order(self, order: Order[Any]) -> Any:
        self.asked.append(order)
        self.nudge.end(Unauthorised("the token is dead"))
        return Waiting(messages=[a_message()], lease="lse_1") if isinstance(order, LeaseMessages) else Done()

    async def query(self, query: Query[Any]) -> Any:
        raise Unavailable("nobody answers", code="no_answer")

    @contextmanager
    def waiting(self, *_inbox: object) -> Iterator[Nudge]:
        yield self.nudge


async def test_what_was_handed_to_a_caller_in_the_moment_it_left_is_given_back() -> None:
    leaving, errands = Leaving(), Errands()
    call = replace(a_call(""), bus=leaving, wakeups=cast(Any, leaving), errands=errands)
    with pytest.raises(Unauthorised):
        await inbox.wait(call, inbox.WaitArguments(wait_s=10))
    await errands.finish()
    lease, withdrawal = leaving.asked
    assert isinstance(withdrawal, WithdrawLease)
    assert withdrawal.lease_order == lease.id

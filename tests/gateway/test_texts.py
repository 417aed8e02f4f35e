"""Texts and reports from the provider to the stream."""

from __future__ import annotations

from pathlib import Path

from common.catalogue.messages import SmsReceived, SmsStatusReported

from tests.gateway.standing import MAIN, ORGANISATION, OURS, PERSON, ROUTE, Standing, a_door
from tests.gateway.stream import events
from tests.support.servers import Broker


async def test_a_signed_text_is_in_the_stream_as_one_event(tmp_path: Path, broker: Broker) -> None:
    async with a_door(Standing(tmp_path, broker.url).prepare()) as door:
        answer = await door.text(7, Body="hi")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml")
        assert answer.text.endswith("<Response/>")
        [event] = await events(broker, 1)
    assert isinstance(event, SmsReceived)
    assert (event.organisation, event.route, event.account) == (ORGANISATION, ROUTE, MAIN)
    assert (event.sender.value, event.to.value, event.body) == (PERSON, OURS, "hi")


async def test_a_signed_report_is_in_the_stream_as_one_event(tmp_path: Path, broker: Broker) -> None:
    async with a_door(Standing(tmp_path, broker.url).prepare()) as door:
        assert (await door.report(7, MessageStatus="failed", ErrorCode="30003")).status_code == 204
        [event] = await events(broker, 1)
    assert isinstance(event, SmsStatusReported)
    assert (event.attempt, event.status, event.error_code) == ("att_1", "failed", "30003")

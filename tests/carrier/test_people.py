"""The control API's people: opt-out, long polls, conversations, bursts, and the token at the door."""

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from tests.carrier.conftest import BuyNumber
from tests.carrier.hooks import Hooks
from tests.carrier.running import RunningCarrier


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_nobody_controls_the_carrier_without_its_token(carrier: RunningCarrier, headers: dict[str, str]) -> None:
    for path in ("/control/ledger", "/control/faults", "/control/inventory"):
        assert httpx.get(carrier.base_url + path, headers=headers, trust_env=False).status_code == 401


def test_health_asks_for_no_credentials(carrier: RunningCarrier) -> None:
    for path in ("/health", "/health/ready"):
        assert httpx.get(carrier.base_url + path, trust_env=False).is_success


def test_stop_blocks_the_pair_until_start_and_is_still_posted(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    client, number = carrier.client(), buy(sms_url=hooks.url(path))
    carrier.text(person, number, "Stop")
    params = hooks.next(path).params
    assert (params["Body"], "OptOutType" in params) == ("Stop", False)
    assert "unsubscribed" in carrier.received(person)[0]["body"]
    with pytest.raises(TwilioRestException) as refusal:
        client.messages.create(to=person, from_=number, body="still there?")
    assert (refusal.value.status, refusal.value.code) == (400, 21610)
    assert client.messages.create(to=person, from_=buy(), body="another number may").status == "queued"
    carrier.text(person, number, "START")
    assert client.messages.create(to=person, from_=number, body="welcome back").status == "queued"
    assert len(carrier.ledger("opt_out_reply", recipient=person)) == 2


def test_with_opt_out_off_stop_is_just_a_text(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    carrier.control.put("/opt-out", json={"enabled": False}).raise_for_status()
    try:
        number = buy()
        carrier.text(person, number, "STOP")
    finally:
        carrier.control.put("/opt-out", json={"enabled": True}).raise_for_status()
    assert carrier.client().messages.create(to=person, from_=number, body="allowed here").status == "queued"
    assert carrier.ledger("opt_out_reply", recipient=person) == []


def test_a_reader_waits_for_the_next_text_only(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    client, number = carrier.client(), buy()
    client.messages.create(to=person, from_=number, body="first")
    (first,) = carrier.received(person)
    client.messages.create(to=person, from_=number, body="second")
    query = {"person": person, "after": first["id"], "wait_s": 20}
    answer = carrier.control.get("/received", params=query).json()
    assert [text["body"] for text in answer["texts"]] == ["second"]
    assert answer["after"] == answer["texts"][-1]["id"]


def test_a_conversation_counts_both_directions(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    number = buy()
    carrier.text(person, number, "hi")
    carrier.client().messages.create(to=person, from_=number, body="hello")
    found = carrier.control.get("/conversations", params={"limit": 1000}).json()["conversations"]
    (mine,) = [pair for pair in found if pair["person"] == person]
    assert (mine["number"], mine["texts"], mine["from_person"]) == (number, 2, 1)


def test_a_slow_phone_outlives_the_validity_of_a_text(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    slow = {"behaviour": "slow", "delay_s": 600}
    carrier.control.put(f"/people/{person}/phone", json=slow).raise_for_status()
    assert carrier.control.get(f"/people/{person}/phone").json()["delay_s"] == 600
    carrier.client().messages.create(
        to=person, from_=buy(), body="x", validity_period=1, status_callback=hooks.url(path)
    )
    assert hooks.next(path).params["MessageStatus"] == "sent"
    assert hooks.next(path).params["ErrorCode"] == "30036"


def test_a_burst_texts_every_number_once_for_each_tick(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, path: str
) -> None:
    numbers = [buy(sms_url=hooks.url(path)), buy(sms_url=hooks.url(path))]
    order = {"to": numbers, "count": 40, "rate": 400, "people": 10}
    burst = carrier.control.post("/bursts", json=order).json()
    bodies = {hooks.next(path).params["Body"] for _ in range(40)}
    assert bodies == {f"burst {burst['id']} text {i}" for i in range(40)}
    entries = [entry for entry in carrier.ledger("message_in") if burst["id"] in entry["body"]]
    assert (len(entries), len({entry["sender"] for entry in entries})) == (40, 10)


def test_the_inventory_shows_who_owns_what_and_no_tokens(carrier: RunningCarrier, buy: BuyNumber) -> None:
    number = buy(sms_url="https://a.test/x")
    answer = carrier.control.get("/inventory")
    owners = {n["phone_number"]: n for a in answer.json()["accounts"] for n in a["numbers"]}
    assert owners[number]["settings"]["sms_url"] == "https://a.test/x"
    assert owners[number]["monthly_price"] == "1.15"
    assert carrier.auth_token not in answer.text


def test_an_order_that_cannot_be_read_is_refused_and_named(carrier: RunningCarrier, person: str) -> None:
    answer = carrier.control.post("/texts", json={"from": "a name that is too long", "to": "+12025550123", "body": "x"})
    assert (answer.status_code, "neither an E.164 number" in answer.text) == (422, True)
    answer = carrier.control.put("/hosts", json={"hosts": {"a.test": ["nowhere"]}})
    assert (answer.status_code, "address:port" in answer.text) == (422, True)
    assert carrier.control.put(f"/people/{person}/phone", json={"behaviour": "dancing"}).status_code == 422

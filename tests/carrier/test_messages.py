"""Sending, looking up, redacting and deleting messages with the official client."""

from datetime import UTC, datetime, timedelta
from queue import Empty

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from tests.carrier.conftest import BuyNumber
from tests.carrier.hooks import HOST, Hooks, Reply
from tests.carrier.running import RunningCarrier


def test_a_text_is_queued_at_once_and_reaches_its_person(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    number = buy()
    sent = carrier.client().messages.create(to=person, from_=number, body="hello €")
    assert (sent.status, sent.num_segments, sent.num_media, sent.price) == ("queued", "1", "0", None)
    (text,) = carrier.received(person)
    assert (text["sender"], text["body"], text["text_sid"]) == (number, "hello €", sent.sid)
    assert carrier.client().messages(sent.sid).fetch().status == "delivered"


def test_the_ledger_has_a_text_before_its_sender_has_an_answer(
    carrier: RunningCarrier, buy: BuyNumber, person: str
) -> None:
    sent = carrier.client().messages.create(to=person, from_=buy(), body="evidence")
    (entry,) = carrier.ledger("message_out", provider_id=sent.sid)
    assert (entry["recipient"], entry["body"], entry["price"]) == (person, "evidence", "-0.00830")
    assert len(entry["body_sha256"]) == 64
    assert entry["request_id"].startswith("RQ")


def test_status_callbacks_are_signed_and_end_in_delivered(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    client, url = carrier.client(), hooks.url(path) + "?agent=7#rc=2"
    sent = client.messages.create(to=person, from_=buy(), body="x", status_callback=url)
    requests = [hooks.next(path), hooks.next(path)]
    assert [request.params["MessageStatus"] for request in requests] == ["sent", "delivered"]
    validator = RequestValidator(carrier.auth_token)
    for request in requests:
        assert validator.validate(request.url, request.form, request.headers["x-twilio-signature"])
        assert (request.headers["host"], request.query) == (HOST, "agent=7")
        assert request.params["MessageSid"] == request.params["SmsSid"] == sent.sid
        assert "ErrorCode" not in request.params
    assert len(requests[1].params["RawDlrDoneDate"]) == 10


@pytest.mark.parametrize(
    ("phone", "code"),
    [({"behaviour": "unreachable"}, 30003), ({"behaviour": "undelivered", "error_code": 30007}, 30007)],
)
def test_a_phone_that_does_not_take_texts_is_reported_with_its_error(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str, phone: dict[str, object], code: int
) -> None:
    carrier.control.put(f"/people/{person}/phone", json=phone).raise_for_status()
    sent = carrier.client().messages.create(to=person, from_=buy(), body="x", status_callback=hooks.url(path))
    hooks.next(path)
    final = hooks.next(path).params
    assert (final["MessageStatus"], final["ErrorCode"]) == ("undelivered", str(code))
    assert carrier.client().messages(sent.sid).fetch().error_code == code
    assert carrier.received(person, 1, wait_s=0) == []


def test_the_price_is_unknown_at_first_and_set_later_for_each_segment(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    client = carrier.client()
    sent = client.messages.create(to=person, from_=buy(), body="a" * 161)
    assert sent.price is None
    carrier.received(person)
    priced = next(m for _ in range(500) if (m := client.messages(sent.sid).fetch()).price is not None)
    assert (priced.price, priced.price_unit) == ("-0.01660", "USD")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": "123456789012345678"}, 400, 21211),
        ({"to": "Somebody"}, 400, 21211),
        ({"to": "72975"}, 400, 21265),
        ({"from_": "+12025550100"}, 400, 21606),
        ({"from_": "nobody"}, 400, 21212),
        ({"body": ""}, 400, 21602),
        ({"body": "x" * 1601}, 400, 21617),
        ({"media_url": [f"https://m.test/{i}" for i in range(11)]}, 400, 21623),
        ({"media_url": ["nonsense"]}, 400, 21620),
        ({"status_callback": "nonsense"}, 400, 21609),
        ({"validity_period": 40000}, 400, 20001),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_by_name(
    carrier: RunningCarrier, buy: BuyNumber, person: str, change: dict[str, object], status: int, code: int
) -> None:
    order = {"to": person, "from_": buy(), "body": "x", **change}
    with pytest.raises(TwilioRestException) as refusal:
        carrier.client().messages.create(**order)
    assert (refusal.value.status, refusal.value.code) == (status, code)


@pytest.mark.parametrize(("form", "code"), [({"From": "x", "Body": "x"}, 21604), ({"To": "+12025550100"}, 21603)])
def test_a_text_without_its_ends_is_refused(carrier: RunningCarrier, form: dict[str, str], code: int) -> None:
    with carrier.rest() as rest:
        answer = rest.post(f"{carrier.account_path}/Messages.json", data=form)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_number_of_another_account_cannot_be_the_sender(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    sub = carrier.client().api.accounts.create()
    with pytest.raises(TwilioRestException) as refusal:
        carrier.client(account_sid=sub.sid).messages.create(to=person, from_=buy(), body="x")
    assert refusal.value.code == 21660


def test_a_fixed_line_without_texting_cannot_be_the_sender(
    carrier: RunningCarrier, buy: BuyNumber, person: str
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        carrier.client().messages.create(to=person, from_=buy(country="DE"), body="x")
    assert refusal.value.code == 21606


def test_messages_are_found_by_recipient_sender_and_day(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    client, number = carrier.client(), buy()
    sids = [client.messages.create(to=person, from_=number, body=str(i)).sid for i in range(5)]
    now = datetime.now(UTC)
    assert [m.sid for m in client.messages.list(to=person, page_size=2)] == sids[::-1]
    assert [m.sid for m in client.messages.list(from_=number, limit=2)] == sids[:2:-1]
    assert len(client.messages.list(to=person, date_sent_after=now - timedelta(minutes=1))) == 5
    assert client.messages.list(to=person, date_sent_before=now - timedelta(days=1)) == []
    with carrier.rest() as rest:
        query = {"To": person, "DateSent": now.date().isoformat()}
        assert len(rest.get(f"{carrier.account_path}/Messages.json", params=query).json()["messages"]) == 5


def test_a_page_token_keeps_its_place_while_new_texts_arrive(
    carrier: RunningCarrier, buy: BuyNumber, person: str
) -> None:
    client, number = carrier.client(), buy()
    sids = [client.messages.create(to=person, from_=number, body=str(i)).sid for i in range(4)]
    page = client.messages.page(to=person, page_size=2)
    client.messages.create(to=person, from_=number, body="new")
    following = page.next_page()
    assert following is not None
    assert [m.sid for m in following] == [sids[1], sids[0]]


def test_a_body_can_be_redacted_and_a_message_deleted(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    client = carrier.client()
    sent = client.messages.create(to=person, from_=buy(), body="secret")
    carrier.received(person)
    assert client.messages(sent.sid).update(body="").body == ""
    assert client.messages(sent.sid).delete()
    with pytest.raises(TwilioRestException) as refusal:
        client.messages(sent.sid).fetch()
    assert refusal.value.status == 404


def test_media_is_fetched_from_its_url_and_shown_to_the_person(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    hooks.replies[path] = [Reply(body="GIF89a", content_type="image/gif")]
    client = carrier.client()
    sent = client.messages.create(to=person, from_=buy(), media_url=[hooks.url(path)])
    assert (sent.sid[:2], sent.num_media) == ("MM", "1")
    (text,) = carrier.received(person)
    (media,) = client.messages(sent.sid).media.list()
    assert (media.content_type, text["media"][0]["sid"]) == ("image/gif", media.sid)
    assert carrier.control.get(f"/media/{media.sid}").content == b"GIF89a"
    url = carrier.base_url + media.uri.removesuffix(".json")
    first = httpx.get(url, trust_env=False)
    assert first.status_code == 307
    assert httpx.get(first.headers["location"], trust_env=False).content == b"GIF89a"
    assert client.messages(sent.sid).media(media.sid).delete()


def test_media_from_an_unknown_host_fails_the_message(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    carrier.client().messages.create(
        to=person, from_=buy(), media_url=["https://elsewhere.test/x"], status_callback=hooks.url(path)
    )
    final = hooks.next(path).params
    assert (final["MessageStatus"], final["ErrorCode"]) == ("failed", "11210")


def test_a_text_to_an_owned_number_arrives_there_as_inbound(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, path: str
) -> None:
    sender, recipient = buy(), buy(sms_url=hooks.url(path))
    carrier.client().messages.create(to=recipient, from_=sender, body="from agent to agent")
    request = hooks.next(path)
    assert (request.params["From"], request.params["To"]) == (sender, recipient)


def test_a_callback_is_not_sent_for_a_text_that_did_not_ask_for_one(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    carrier.client().messages.create(to=person, from_=buy(), body="quiet")
    carrier.received(person)
    with pytest.raises(Empty):
        hooks.queues[path].get_nowait()

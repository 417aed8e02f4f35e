"""Texts from people: what the number's webhook gets, how it is retried, what its answer does."""

import base64
import threading
from urllib.parse import urlsplit

import httpx
import pytest
from twilio.request_validator import RequestValidator

from tests.carrier.conftest import BuyNumber
from tests.carrier.hooks import HOST, Hooks, Reply
from tests.carrier.running import RunningCarrier, free_port


def alerts(carrier: RunningCarrier, sid: str) -> list[int]:
    found = carrier.control.get("/debugger", params={"limit": 5000}).json()["alerts"]
    return [alert["code"] for alert in found if alert["resource_sid"] == sid]


def attempts(carrier: RunningCarrier, sid: str) -> list[dict[str, object]]:
    return [entry["detail"] for entry in carrier.ledger("webhook", provider_id=sid)]


def test_a_text_is_posted_with_all_parameters_and_a_valid_signature(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    number = buy(sms_url=hooks.url(path) + "?a=1&b=ü%20")
    taken = carrier.text(person, number, "grüße & co = 100%")
    request = hooks.next(path)
    assert taken == {"sid": request.params["MessageSid"], "webhook": "delivered"}
    assert RequestValidator(carrier.auth_token).validate(
        f"https://{HOST}{path}?a=1&b=ü%20", request.form, request.headers["x-twilio-signature"]
    )
    assert request.params["MessageSid"] == request.params["SmsSid"] == request.params["SmsMessageSid"]
    assert request.params | {
        "From": person, "To": number, "Body": "grüße & co = 100%", "NumMedia": "0", "NumSegments": "1",
        "SmsStatus": "received", "ApiVersion": "2010-04-01", "AccountSid": carrier.account_sid,
        "FromCity": "WASHINGTON", "ToCountry": "US",
    } == request.params  # fmt: skip
    assert request.headers["user-agent"] == "TwilioProxy/1.1"
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert request.headers["i-twilio-idempotency-token"]


def test_a_subaccounts_number_is_signed_with_the_subaccounts_token(
    carrier: RunningCarrier, hooks: Hooks, person: str, path: str
) -> None:
    sub = carrier.client().api.accounts.create(friendly_name="signed")
    client = carrier.client(sub.sid, sub.auth_token)
    number = client.incoming_phone_numbers.create(area_code="702", sms_url=hooks.url(path))
    carrier.text(person, str(number.phone_number), "hi")
    request = hooks.next(path)
    signed = request.headers["x-twilio-signature"]
    assert RequestValidator(sub.auth_token).validate(request.url, request.form, signed)
    assert not RequestValidator(carrier.auth_token).validate(request.url, request.form, signed)


def test_a_get_webhook_carries_its_parameters_in_the_signed_query(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    number = buy(sms_url=hooks.url(path) + "?a=1", sms_method="GET")
    carrier.text(person, number, "hi there")
    request = hooks.next(path)
    assert (request.method, request.params["Body"], request.params["a"]) == ("GET", "hi there", "1")
    assert RequestValidator(carrier.auth_token).validate(request.url, {}, request.headers["x-twilio-signature"])


@pytest.mark.parametrize("sender", ["72975123", "MyBank"])
def test_short_codes_and_names_can_text_a_number(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, path: str, sender: str
) -> None:
    carrier.text(sender, buy(sms_url=hooks.url(path)), "Your code is 123456")
    request = hooks.next(path)
    assert request.params["From"] == sender
    assert "FromCountry" not in request.params


def test_media_from_a_person_can_be_fetched_from_the_url_in_the_webhook(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    picture = {"content_type": "image/png", "content_base64": base64.b64encode(b"png!").decode()}
    carrier.text(person, buy(sms_url=hooks.url(path)), "look", media=[picture])
    params = hooks.next(path).params
    assert (params["NumMedia"], params["MediaContentType0"], params["MessageSid"][:2]) == ("1", "image/png", "MM")
    answer = httpx.get(params["MediaUrl0"], follow_redirects=True, trust_env=False)
    assert (answer.content, answer.headers["content-type"]) == (b"png!", "image/png")


def test_a_server_error_goes_to_the_fallback_without_a_retry(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    hooks.replies[path] = [Reply(status=500)]
    number = buy(sms_url=hooks.url(path), sms_fallback_url=hooks.url(path + "/fallback"))
    taken = carrier.text(person, number, "hi")
    fallback = hooks.next(path + "/fallback").params
    assert (fallback["ErrorCode"], fallback["ErrorUrl"]) == ("11200", hooks.url(path))
    assert (taken["webhook"], hooks.count(path)) == ("delivered", 1)
    assert alerts(carrier, taken["sid"]) == [11200]


def test_a_text_whose_webhooks_all_fail_is_reported_as_failed(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    hooks.replies[path] = [Reply(status=404)]
    taken = carrier.text(person, buy(sms_url=hooks.url(path)), "hi")
    assert taken["webhook"] == "failed"
    assert [attempt["status"] for attempt in attempts(carrier, taken["sid"])] == [404]


def test_overrides_ask_for_retries_with_the_same_idempotency_token(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    hooks.replies[path] = [Reply(status=503), Reply(status=503), Reply()]
    taken = carrier.text(person, buy(sms_url=hooks.url(path) + "#rc=4&rp=5xx"), "hi")
    requests = [hooks.next(path) for _ in range(3)]
    assert taken["webhook"] == "delivered"
    assert len({request.headers["i-twilio-idempotency-token"] for request in requests}) == 1
    assert len({request.params["MessageSid"] for request in requests}) == 1
    assert [attempt["try"] for attempt in attempts(carrier, taken["sid"])] == [1, 2, 3]


def test_a_late_answer_is_not_retried_but_falls_back(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    gate = threading.Event()
    hooks.replies[path] = [Reply(wait=gate)]
    number = buy(sms_url=hooks.url(path) + "#rt=100", sms_fallback_url=hooks.url(path + "/fallback"))
    taken = carrier.text(person, number, "hi")
    gate.set()
    assert hooks.next(path + "/fallback").params["ErrorCode"] == "11200"
    first = attempts(carrier, taken["sid"])[0]
    assert (first["failure"], first["status"], hooks.count(path)) == ("rt", None, 1)


def test_a_refused_connection_is_retried_at_the_next_address(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    table = carrier.control.get("/hosts").json()["hosts"]
    pair = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{hooks.port}"]
    carrier.control.put("/hosts", json={"hosts": {**table, "pair.test": pair}}).raise_for_status()
    taken = carrier.text(person, buy(sms_url=f"https://pair.test{path}"), "hi")
    assert taken["webhook"] == "delivered"
    assert hooks.next(path).headers["host"] == "pair.test"
    assert [attempt["failure"] for attempt in attempts(carrier, taken["sid"])] == ["ct", None]


def test_a_host_outside_the_table_is_never_called(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    taken = carrier.text(person, buy(sms_url="https://example.com/hook"), "hi")
    assert (taken["webhook"], alerts(carrier, taken["sid"])) == ("failed", [11210])


def test_a_redirect_is_followed_with_get_and_without_the_parameters(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    hooks.replies[path] = [Reply(status=302, headers={"location": f"{path}/moved"})]
    taken = carrier.text(person, buy(sms_url=hooks.url(path)), "hi")
    moved = hooks.next(path + "/moved")
    assert (taken["webhook"], moved.method, moved.params) == ("delivered", "GET", {})
    assert RequestValidator(carrier.auth_token).validate(moved.url, {}, moved.headers["x-twilio-signature"])


def test_twiml_messages_are_sent_back_in_order(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    body = f'<Response><Message statusCallback="{path}/status">one</Message><Redirect>{path}/more</Redirect></Response>'
    hooks.replies[path] = [Reply(body=body)]
    hooks.replies[path + "/more"] = [Reply(body="two", content_type="text/plain")]
    number = buy(sms_url=hooks.url(path))
    taken = carrier.text(person, number, "hi")
    assert {text["body"] for text in carrier.received(person, 2)} == {"one", "two"}
    assert hooks.next(path + "/more").params["MessageSid"] == taken["sid"]
    assert hooks.next(path + "/status").params["MessageStatus"] == "sent"
    replies = carrier.client().messages.list(from_=number, to=person)
    assert {reply.direction for reply in replies} == {"outbound-reply"}


@pytest.mark.parametrize(
    ("reply", "codes"),
    [
        (Reply(status=204, body="", content_type=""), []),
        (Reply(body=""), []),
        (Reply(body="<Response><Say>hi</Say></Response>"), [12200]),
        (Reply(body="<Response>"), [12100]),
        (Reply(body="{}", content_type="application/json"), [12300]),
        (Reply(body="<Response><Message></Message></Response>"), [21602]),
        (Reply(body="x" * 70_000, content_type="text/plain"), [11750]),
    ],
)
def test_what_an_answer_does_wrong_is_in_the_debugger(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str, reply: Reply, codes: list[int]
) -> None:
    hooks.replies[path] = [reply]
    taken = carrier.text(person, buy(sms_url=hooks.url(path)), "hi")
    assert alerts(carrier, taken["sid"]) == codes


def test_a_text_to_a_number_nobody_owns_is_refused_with_the_reason(carrier: RunningCarrier, person: str) -> None:
    answer = carrier.control.post("/texts", json={"from": person, "to": "+12025550199", "body": "hi"})
    assert answer.status_code == 422
    assert "not an owned number" in answer.json()["detail"]


def test_a_number_without_a_webhook_keeps_its_texts_for_the_api(
    carrier: RunningCarrier, buy: BuyNumber, person: str
) -> None:
    number = buy()
    assert carrier.text(person, number, "hi")["webhook"] == "none"
    (text,) = carrier.client().messages.list(to=number)
    assert (text.direction, text.status, text.from_) == ("inbound", "received", person)


def test_credentials_in_a_webhook_url_are_sent_and_signed(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    url = f"https://user:pass@{HOST}{path}"
    carrier.text(person, buy(sms_url=url), "hi")
    request = hooks.next(path)
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"user:pass").decode()
    assert RequestValidator(carrier.auth_token).validate(url, request.form, request.headers["x-twilio-signature"])
    assert urlsplit(url).hostname == request.headers["host"]

"""Each fault on demand does what its name says, as often as it was asked for, and leaves true evidence."""

from collections.abc import Callable

import httpx
import pytest
from carrier.faults import FaultOrder, Faults
from pydantic import ValidationError

from tests.carrier.conftest import BuyNumber
from tests.carrier.hooks import Hooks
from tests.carrier.running import RunningCarrier

Send = Callable[[str], httpx.Response]


@pytest.fixture
def send(carrier: RunningCarrier, buy: BuyNumber, person: str) -> Send:
    """Send a text over plain HTTP and return the answer."""
    number = buy()

    def send_text(body: str) -> httpx.Response:
        with carrier.rest() as rest:
            form = {"To": person, "From": number, "Body": body}
            return rest.post(f"{carrier.account_path}/Messages.json", data=form)

    return send_text


def accepted(carrier: RunningCarrier, person: str) -> list[str]:
    return [entry["body"] for entry in carrier.ledger("message_out", recipient=person)]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "429", "retry_after": 2}, 429, 20429),
        ({"kind": "429"}, 429, 20429),
        ({"kind": "5xx", "status": 502}, 502, 20500),
    ],
)
def test_a_request_refused_by_a_fault_leaves_nothing_accepted(
    carrier: RunningCarrier, send: Send, person: str, fault: dict[str, object], status: int, code: int
) -> None:
    carrier.control.post("/faults", json={**fault, "operation": "messages.create", "times": 1}).raise_for_status()
    answer = send("refused")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == ("2" if "retry_after" in fault else None)
    assert send("taken").status_code == 201
    assert accepted(carrier, person) == ["taken"]


def test_an_error_after_acceptance_leaves_the_text_accepted(carrier: RunningCarrier, send: Send, person: str) -> None:
    carrier.fault("5xx_after", operation="messages.create", times=1)
    assert send("accepted").status_code == 503
    assert accepted(carrier, person) == ["accepted"]
    assert carrier.received(person)[0]["body"] == "accepted"


@pytest.mark.parametrize(("kind", "bodies"), [("cut_before", []), ("cut_after", ["cut"])])
def test_a_cut_line_shows_no_answer_at_all(
    carrier: RunningCarrier, send: Send, person: str, kind: str, bodies: list[str]
) -> None:
    carrier.fault(kind, operation="messages.create", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        send("cut")
    assert accepted(carrier, person) == bodies
    assert send("next").status_code == 201


def test_a_refused_order_does_not_use_up_a_fault_after_acceptance(carrier: RunningCarrier, send: Send) -> None:
    fault = carrier.fault("5xx_after", operation="messages.create", times=1)
    assert send("").status_code == 400
    assert send("accepted").status_code == 503
    listed = carrier.control.get("/faults").json()["faults"]
    assert [known["happened"] for known in listed if known["id"] == fault["id"]] == [1]


def test_a_delayed_answer_comes_late_enough_to_time_out(carrier: RunningCarrier, send: Send) -> None:
    fault = carrier.fault("delay", operation="messages.list", seconds=30)
    with carrier.rest() as rest, pytest.raises(httpx.ReadTimeout):
        rest.get(f"{carrier.account_path}/Messages.json", timeout=0.2)
    assert carrier.control.delete(f"/faults/{fault['id']}").status_code == 204
    assert send("not slowed").status_code == 201


def test_a_number_can_be_taken_in_the_moment_it_is_bought(carrier: RunningCarrier) -> None:
    carrier.fault("number_taken", times=1)
    with carrier.rest() as rest:
        answers = [
            rest.post(f"{carrier.account_path}/IncomingPhoneNumbers.json", data={"AreaCode": "971"}) for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [400, 201]
    assert answers[0].json()["code"] == 21422


def statuses(hooks: Hooks, path: str, count: int) -> list[str]:
    return [hooks.next(path).params["MessageStatus"] for _ in range(count)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "callbacks_duplicated", "copies": 1}, ["sent", "sent", "delivered", "delivered"]),
        ({"kind": "callbacks_reordered"}, ["delivered", "sent"]),
        ({"kind": "callbacks_delayed", "seconds": 0.05}, ["sent", "delivered"]),
        ({"kind": "callbacks_dropped"}, []),
    ],
)
def test_callbacks_come_as_the_fault_says(
    carrier: RunningCarrier,
    hooks: Hooks,
    buy: BuyNumber,
    person: str,
    path: str,
    fault: dict[str, object],
    expected: list[str],
) -> None:
    carrier.control.post("/faults", json={**fault, "address": person}).raise_for_status()
    client, number = carrier.client(), buy()
    client.messages.create(to=person, from_=number, body="x", status_callback=hooks.url(path))
    carrier.received(person)
    got = statuses(hooks, path, len(expected))
    assert (sorted(got) if "duplicated" in str(fault["kind"]) else got) == (
        sorted(expected) if "duplicated" in str(fault["kind"]) else expected
    )
    assert hooks.count(path) == 0


def test_a_duplicated_webhook_has_the_same_message_sid(
    carrier: RunningCarrier, hooks: Hooks, buy: BuyNumber, person: str, path: str
) -> None:
    number = buy(sms_url=hooks.url(path))
    carrier.fault("webhooks_duplicated", copies=2, address=number, times=1)
    carrier.text(person, number, "thrice")
    assert len({hooks.next(path).params["MessageSid"] for _ in range(3)}) == 1


def test_a_price_can_be_late_or_never_come(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    carrier.fault("price_never", address=person, times=1)
    carrier.fault("price_late", address=person, times=1, seconds=3000)
    client, number = carrier.client(), buy()
    sids = [client.messages.create(to=person, from_=number, body="x").sid for _ in range(2)]
    carrier.received(person, 2)
    due = [carrier.control.get(f"/texts/{sid}").json()["price_due"] for sid in sids]
    assert [value is None for value in sorted(due, key=lambda value: value is not None)] == [True, False]
    assert all(client.messages(sid).fetch().price is None for sid in sids)


def test_draws_with_a_seed_repeat() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(FaultOrder(kind="5xx", probability=0.5, seed=seed))
        return [faults.draw(("5xx",), "messages.create", "AC") is not None for _ in range(50)]

    assert strikes(7) == strikes(7)
    assert 10 < sum(strikes(7)) < 40


def test_a_fault_of_another_account_does_not_strike() -> None:
    faults = Faults()
    faults.add(FaultOrder(kind="5xx", account_sid="AC1", operation="numbers.buy"))
    assert faults.draw(("5xx",), "numbers.buy", "AC2") is None
    assert faults.draw(("5xx",), "messages.create", "AC1") is None
    assert faults.draw(("5xx",), "numbers.buy", "AC1") is not None


def test_a_delay_without_seconds_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs seconds"):
        FaultOrder(kind="delay")

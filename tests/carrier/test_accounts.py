"""Credentials, subaccounts, suspension and closing."""

from collections.abc import Callable

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from tests.carrier.running import RunningCarrier


@pytest.mark.parametrize("auth", [None, ("AC" + "0" * 32, "x"), ("nobody", "")])
def test_wrong_credentials_are_refused_in_the_providers_words(
    carrier: RunningCarrier, auth: tuple[str, str] | None
) -> None:
    answer = httpx.get(f"{carrier.base_url}{carrier.account_path}/Messages.json", auth=auth, trust_env=False)
    assert answer.status_code == 401
    more_info = "https://www.twilio.com/docs/errors/20003"
    assert answer.json() == {"code": 20003, "message": "Authenticate", "more_info": more_info, "status": 401}


def test_a_path_nobody_serves_is_a_404_in_the_providers_words(carrier: RunningCarrier) -> None:
    with carrier.rest() as rest:
        assert rest.get("/2010-04-01/Nothing.json").json()["code"] == 20404
        assert rest.get(f"/2010-04-01/Accounts/AC{'0' * 32}.json").json()["code"] == 20404


def test_the_parent_acts_for_its_subaccount_but_not_the_other_way_round(carrier: RunningCarrier) -> None:
    sub = carrier.client().api.accounts.create(friendly_name="tenant")
    assert carrier.client(account_sid=sub.sid).messages.list() == []
    own = carrier.client(sub.sid, sub.auth_token)
    assert own.api.accounts(sub.sid).fetch().friendly_name == "tenant"
    with pytest.raises(TwilioRestException) as refusal:
        own.api.accounts(carrier.account_sid).fetch()
    assert refusal.value.status == 401
    with pytest.raises(TwilioRestException) as refusal:
        own.api.accounts.create(friendly_name="grandchild")
    assert refusal.value.status == 403


def test_accounts_are_listed_page_by_page(carrier: RunningCarrier) -> None:
    opened = {carrier.client().api.accounts.create(friendly_name="listed").sid for _ in range(5)}
    listed = carrier.client().api.accounts.list(friendly_name="listed", page_size=2)
    assert {account.sid for account in listed} == opened
    assert len(listed) == 5


def test_a_suspended_account_cannot_buy_or_send_but_keeps_its_numbers(carrier: RunningCarrier) -> None:
    parent = carrier.client()
    sub = parent.api.accounts.create(friendly_name="late payer")
    client = carrier.client(account_sid=sub.sid)
    number = client.incoming_phone_numbers.create(area_code="206")
    parent.api.accounts(sub.sid).update(status="suspended")
    attempts: list[Callable[[], object]] = [
        lambda: client.incoming_phone_numbers.create(area_code="206"),
        lambda: client.messages.create(to="+12025550188", from_=number.phone_number, body="hi"),
    ]
    for attempt in attempts:
        with pytest.raises(TwilioRestException) as refusal:
            attempt()
        assert (refusal.value.status, refusal.value.code) == (403, 10001)
    with pytest.raises(TwilioRestException) as refusal:
        carrier.client(sub.sid, sub.auth_token).incoming_phone_numbers.create(area_code="206")
    assert refusal.value.code == 20005
    answer = carrier.control.post("/texts", json={"from": "+12025550188", "to": number.phone_number, "body": "hi"})
    assert (answer.status_code, "suspended" in answer.text) == (422, True)
    parent.api.accounts(sub.sid).update(status="active")
    assert [owned.sid for owned in client.incoming_phone_numbers.list()] == [number.sid]


def test_closing_an_account_is_final_and_releases_its_numbers(carrier: RunningCarrier) -> None:
    parent = carrier.client()
    sub = parent.api.accounts.create(friendly_name="leaver")
    number = carrier.client(account_sid=sub.sid).incoming_phone_numbers.create(area_code="617")
    parent.api.accounts(sub.sid).update(status="closed")
    assert [e["recipient"] for e in carrier.ledger("number_released", account_sid=sub.sid)] == [number.phone_number]
    with pytest.raises(TwilioRestException):
        parent.api.accounts(sub.sid).update(status="active")
    with carrier.rest(sub.sid, sub.auth_token) as rest:
        assert rest.get(f"/2010-04-01/Accounts/{sub.sid}/Messages.json").status_code == 401


def test_the_main_account_cannot_be_closed(carrier: RunningCarrier) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        carrier.client().api.accounts(carrier.account_sid).update(status="closed")
    assert refusal.value.code == 20001


def test_a_number_can_be_handed_to_a_subaccount(carrier: RunningCarrier) -> None:
    parent = carrier.client()
    sub = parent.api.accounts.create(friendly_name="heir")
    number = parent.incoming_phone_numbers.create(area_code="720")
    parent.incoming_phone_numbers(number.sid).update(account_sid=sub.sid)
    assert [n.sid for n in carrier.client(account_sid=sub.sid).incoming_phone_numbers.list()] == [number.sid]


def test_an_api_key_opens_its_account_until_it_is_deleted(carrier: RunningCarrier) -> None:
    parent = carrier.client()
    key = parent.api.account.new_keys.create(friendly_name="ci")
    keyed = carrier.client(key.sid, key.secret, carrier.account_sid)
    assert keyed.api.accounts(carrier.account_sid).fetch().status == "active"
    assert key.sid in [listed.sid for listed in parent.api.account.keys.list()]
    assert parent.api.account.keys(key.sid).delete()
    with pytest.raises(TwilioRestException) as refusal:
        keyed.api.accounts(carrier.account_sid).fetch()
    assert refusal.value.status == 401

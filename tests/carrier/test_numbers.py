"""Finding, buying, changing and releasing numbers with the official client."""

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.carrier.conftest import BuyNumber
from tests.carrier.running import RunningCarrier


def test_a_search_by_area_code_returns_numbers_of_that_area(carrier: RunningCarrier) -> None:
    offers = carrier.client().available_phone_numbers("US").local.list(area_code=415, sms_enabled=True, limit=5)
    assert len(offers) == 5
    assert all(offer.phone_number.startswith("+1415") and offer.capabilities["SMS"] for offer in offers)


def test_a_country_lists_what_it_sells(carrier: RunningCarrier) -> None:
    countries = carrier.client().available_phone_numbers.list()
    assert {country.country_code for country in countries} == {"US", "CA", "GB", "DE", "NL", "FR", "AU"}
    links = carrier.client().available_phone_numbers("US").fetch().subresource_uris
    assert set(links) == {"local", "toll_free"}


def test_mobile_numbers_of_a_country_without_them_are_not_found(carrier: RunningCarrier) -> None:
    with carrier.rest() as rest:
        answer = rest.get(f"{carrier.account_path}/AvailablePhoneNumbers/US/Mobile.json")
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_a_bought_number_is_no_longer_offered(carrier: RunningCarrier) -> None:
    mobiles = carrier.client().available_phone_numbers("GB").mobile
    (offer,) = mobiles.list(contains=mobiles.list(limit=1)[0].phone_number)
    carrier.client().incoming_phone_numbers.create(phone_number=offer.phone_number)
    assert mobiles.list(contains=offer.phone_number) == []


def test_buying_writes_the_monthly_price_into_the_ledger(carrier: RunningCarrier, buy: BuyNumber) -> None:
    number = buy(kind="toll_free")
    (entry,) = carrier.ledger("number_bought", recipient=number)
    assert entry["price"] == "2.15"
    assert entry["account_sid"] == carrier.account_sid
    assert entry["user_agent"].startswith("twilio-python/")


def test_a_number_can_be_bought_by_area_code_alone(carrier: RunningCarrier) -> None:
    bought = carrier.client().incoming_phone_numbers.create(area_code="512")
    assert bought.phone_number.startswith("+1512")
    assert bought.capabilities["sms"] is True


def test_buying_a_number_one_owns_updates_it(carrier: RunningCarrier, buy: BuyNumber) -> None:
    number = buy(friendly_name="first")
    again = carrier.client().incoming_phone_numbers.create(phone_number=number, friendly_name="second")
    (owned,) = carrier.client().incoming_phone_numbers.list(phone_number=number)
    assert (owned.sid, owned.friendly_name) == (again.sid, "second")
    assert len(carrier.ledger("number_bought", recipient=number)) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"phone_number": "+14155550100"}, 21422),
        ({"phone_number": "+999"}, 21421),
        ({}, 21421),
        ({"area_code": "999"}, 21452),
        ({"area_code": "41"}, 21451),
        ({"area_code": "415", "sms_url": "ftp://x"}, 21402),
        ({"area_code": "415", "sms_method": "PUT"}, 21403),
    ],
)
def test_a_purchase_that_cannot_be_is_refused_by_name(
    carrier: RunningCarrier, asked: dict[str, str], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        carrier.client().incoming_phone_numbers.create(**asked)
    assert (refusal.value.status, refusal.value.code) == (400, code)


def test_an_update_changes_what_it_names_and_nothing_else(carrier: RunningCarrier, buy: BuyNumber) -> None:
    number = buy(sms_url="https://a.test/sms", friendly_name="kept", voice_application_sid="AP" + "0" * 32)
    client = carrier.client()
    (owned,) = client.incoming_phone_numbers.list(phone_number=number)
    client.incoming_phone_numbers(owned.sid).update(sms_url="https://b.test/sms", voice_url="https://b.test/v")
    changed = client.incoming_phone_numbers(owned.sid).fetch()
    assert (changed.sms_url, changed.friendly_name) == ("https://b.test/sms", "kept")
    assert (changed.voice_url, changed.voice_application_sid) == ("https://b.test/v", None)


def test_a_released_number_is_gone_and_for_sale_again(carrier: RunningCarrier, buy: BuyNumber) -> None:
    number, client = buy(country="NL", kind="mobile"), carrier.client()
    (owned,) = client.incoming_phone_numbers.list(phone_number=number)
    assert client.incoming_phone_numbers(owned.sid).delete()
    assert client.incoming_phone_numbers.list(phone_number=number) == []
    with pytest.raises(TwilioRestException) as refusal:
        client.incoming_phone_numbers(owned.sid).fetch()
    assert refusal.value.code == 20404
    assert client.incoming_phone_numbers.create(phone_number=number).sid != owned.sid


def test_a_list_of_numbers_is_paged_without_loss(carrier: RunningCarrier) -> None:
    sub = carrier.client().api.accounts.create(friendly_name="paging")
    client = carrier.client(account_sid=sub.sid)
    bought = {client.incoming_phone_numbers.create(area_code="303").sid for _ in range(5)}
    page = client.incoming_phone_numbers.page(page_size=2)
    listed = client.incoming_phone_numbers.list(page_size=2)
    assert {number.sid for number in listed} == bought
    assert [number.sid for number in page] == [number.sid for number in listed[:2]]
    back = page.next_page().previous_page()
    assert [number.sid for number in back] == [number.sid for number in listed[:2]]


def test_the_main_account_has_short_codes_that_are_not_in_the_list_of_numbers(carrier: RunningCarrier) -> None:
    client = carrier.client()
    codes = client.api.account.short_codes.list()
    assert {code.short_code for code in codes} == {"72975", "89203"}
    changed = client.api.account.short_codes(codes[0].sid).update(sms_url="https://a.test/short")
    assert changed.sms_url == "https://a.test/short"
    assert all(number.sid.startswith("PN") for number in client.incoming_phone_numbers.list())

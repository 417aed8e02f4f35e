"""What provisioning expects of whoever sells numbers, over every adapter and the fake its tests use."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from common.errors import NotFound, Rejected, Unavailable, Unknown
from provisioning.providers.port import NumberProvider, Taken
from provisioning.providers.twilio import Twilio

from tests.carrier.running import RunningCarrier, free_port, running_carrier
from tests.provisioning.fakes import FakeProvider


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCarrier]:
    with running_carrier(tmp_path_factory.mktemp("carrier")) as carrier:
        yield carrier


@pytest.fixture
async def twilio(carrier: RunningCarrier) -> AsyncIterator[Twilio]:
    adapter = Twilio(carrier.account_sid, carrier.auth_token, carrier.base_url)
    yield adapter
    await adapter.close()


@pytest.fixture(params=["twilio", "fake"])
def provider(request: pytest.FixtureRequest) -> NumberProvider:
    if request.param == "fake":
        return FakeProvider()
    adapter: NumberProvider = request.getfixturevalue("twilio")
    return adapter


async def a_number(provider: NumberProvider) -> str:
    return (await provider.search("US", "415"))[0]


def a_name() -> str:
    return f"switchboard:saga_{secrets.token_hex(12)}"


async def test_a_bought_number_is_found_by_its_value_and_carries_its_name(provider: NumberProvider) -> None:
    number, name = await a_number(provider), a_name()
    bought = await provider.buy(number, name=name, key="k")
    assert await provider.find(number) == bought
    assert bought.name == name
    assert bought in await provider.list()


async def test_buying_the_same_number_again_changes_nothing_but_its_name(provider: NumberProvider) -> None:
    number, name = await a_number(provider), a_name()
    first = await provider.buy(number, name=name, key="k")
    assert await provider.buy(number, name=name, key="k") == first
    assert [one.number for one in await provider.list()].count(number) == 1


async def test_a_bought_number_is_for_sale_no_more(provider: NumberProvider) -> None:
    number = await a_number(provider)
    await provider.buy(number, name=a_name(), key="k")
    assert number not in await provider.search("US", "415")


async def test_a_number_that_is_not_for_sale_is_taken(provider: NumberProvider) -> None:
    with pytest.raises(Taken):
        await provider.buy("+14155550199", name=a_name(), key="k")


async def test_a_number_nobody_has_is_not_found(provider: NumberProvider) -> None:
    assert await provider.find("+14155550198") is None


async def test_a_country_without_numbers_has_none_for_sale(provider: NumberProvider) -> None:
    assert await provider.search("AQ", "") == []


async def test_a_released_number_is_gone_and_releasing_it_again_is_fine(provider: NumberProvider) -> None:
    number = await a_number(provider)
    bought = await provider.buy(number, name=a_name(), key="k")
    await provider.release(bought.provider_id)
    await provider.release(bought.provider_id)
    assert await provider.find(number) is None


async def test_webhooks_of_a_number_that_is_gone_are_not_found(provider: NumberProvider) -> None:
    bought = await provider.buy(await a_number(provider), name=a_name(), key="k")
    await provider.configure(bought.provider_id, sms_url="https://a.test/x", fallback_url="https://b.test/x")
    await provider.configure(bought.provider_id, sms_url="", fallback_url="")
    await provider.release(bought.provider_id)
    with pytest.raises(NotFound):
        await provider.configure(bought.provider_id, sms_url="https://a.test/x", fallback_url="https://b.test/x")


# how the adapter tells what happened


async def test_both_webhook_addresses_are_set_with_their_method(carrier: RunningCarrier, twilio: Twilio) -> None:
    bought = await twilio.buy(await a_number(twilio), name=a_name(), key="k")
    await twilio.configure(bought.provider_id, sms_url="https://a.test/x", fallback_url="https://b.test/x")
    with carrier.rest() as rest:
        shown = rest.get(f"{carrier.account_path}/IncomingPhoneNumbers/{bought.provider_id}.json").json()
    assert (shown["sms_url"], shown["sms_method"]) == ("https://a.test/x", "POST")
    assert (shown["sms_fallback_url"], shown["sms_fallback_method"]) == ("https://b.test/x", "POST")


@pytest.mark.parametrize("country", ["GB", "DE", "CA"])
async def test_numbers_that_text_are_found_where_local_ones_only_ring(twilio: Twilio, country: str) -> None:
    assert await twilio.search(country, "")


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "5xx_after", "5xx"])
async def test_a_purchase_without_an_answer_is_unknown(carrier: RunningCarrier, twilio: Twilio, fault: str) -> None:
    number = await a_number(twilio)
    carrier.fault(fault, operation="numbers.buy", times=1)
    with pytest.raises(Unknown):
        await twilio.buy(number, name=a_name(), key="k")
    assert (await twilio.find(number) is not None) == fault.endswith("after")


async def test_a_question_without_an_answer_is_merely_unavailable(carrier: RunningCarrier, twilio: Twilio) -> None:
    carrier.fault("cut_before", operation="numbers.list", times=1)
    with pytest.raises(Unavailable):
        await twilio.find("+14155550198")


async def test_being_told_to_slow_down_says_for_how_long(carrier: RunningCarrier, twilio: Twilio) -> None:
    carrier.fault("429", operation="numbers.buy", times=1, retry_after=7)
    with pytest.raises(Unavailable) as refusal:
        await twilio.buy("+14155550199", name=a_name(), key="k")
    assert refusal.value.retry_after == 7


async def test_a_provider_that_does_not_listen_is_unavailable() -> None:
    adapter = Twilio("AC" + "0" * 32, "t", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        await adapter.buy("+14155550199", name=a_name(), key="k")
    await adapter.close()


async def test_wrong_credentials_are_refused_without_showing_them(carrier: RunningCarrier) -> None:
    adapter = Twilio(carrier.account_sid, "wr0ng-secret", carrier.base_url)
    with pytest.raises(Rejected, match="credentials") as refusal:
        await adapter.find("+14155550199")
    assert "wr0ng" not in refusal.value.detail
    await adapter.close()


async def test_every_page_of_the_inventory_is_read(carrier: RunningCarrier) -> None:
    adapter = Twilio(carrier.account_sid, carrier.auth_token, carrier.base_url, page=2)
    bought = [(await adapter.buy(await a_number(adapter), name=a_name(), key="k")).number for _ in range(5)]
    assert set(bought) <= {one.number for one in await adapter.list()}
    await adapter.close()

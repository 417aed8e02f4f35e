"""What every provider of texts must do: the real adapter against the carrier, and the fake of the tests."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from common.catalogue.values import Money
from common.directory import Credentials
from common.errors import NotFound, Rejected, Unavailable, Unknown
from common.sealed import Sealer
from messaging.providers.port import SmsProvider, Text
from messaging.providers.twilio import TwilioSms

from tests.carrier.running import RunningCarrier, running_carrier
from tests.messaging.fakes import FakeSms, Fault

_people = itertools.count(2000)
_keys = itertools.count(1)


class Stage(Protocol):
    """A provider and the hands that make it go wrong."""

    account: str
    number: str

    @property
    def provider(self) -> SmsProvider: ...

    def taken(self, to: str) -> list[str]: ...
    def fault(self, kind: str) -> None: ...
    async def price(self, provider_id: str) -> None: ...


@dataclass
class FakeStage:
    provider: FakeSms
    account: str = "AC0"
    number: str = "+14155550100"

    def taken(self, to: str) -> list[str]:
        return [one.provider_id for one in self.provider.accepted if one.text.to == to]

    def fault(self, kind: str) -> None:
        faults = {
            "429": Fault(accepted=False, error=Unavailable("busy")),
            "5xx": Fault(accepted=False, error=Unknown("503")),
            "5xx_after": Fault(accepted=True, error=Unknown("503")),
            "cut_before": Fault(accepted=False, error=Unknown("cut")),
            "cut_after": Fault(accepted=True, error=Unknown("cut")),
            "refused": Fault(accepted=False, error=Rejected("no")),
        }
        self.provider.faults.append(faults[kind])

    async def price(self, provider_id: str) -> None:
        for one in self.provider.accepted:
            if one.provider_id == provider_id:
                one.price, one.status = Money(micros=8300), "delivered"


@dataclass
class CarrierStage:
    provider: TwilioSms
    carrier: RunningCarrier
    account: str
    number: str

    def taken(self, to: str) -> list[str]:
        return [entry["provider_id"] for entry in self.carrier.ledger("message_out", recipient=to)]

    def fault(self, kind: str) -> None:
        if kind == "refused":  # a number that is not this account's
            self.number = "+15005550006"
        else:
            self.carrier.fault(kind, operation="messages.create", times=1)

    async def price(self, provider_id: str) -> None:
        async with asyncio.timeout(20):
            while (await self.provider.fetch(self.account, provider_id)).price is None:
                pass


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCarrier]:
    with running_carrier(Path(tmp_path_factory.mktemp("carrier"))) as running:
        yield running


@pytest.fixture(params=["fake", "carrier"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if request.param == "fake":
        yield FakeStage(FakeSms())
        return
    carrier: RunningCarrier = request.getfixturevalue("carrier")
    sealer = Sealer(b"k" * 32)
    credentials = Credentials(sealer)
    sealed = sealer.seal(f"twilio/{carrier.account_sid}", carrier.auth_token)
    record = {"provider": "twilio", "account": carrier.account_sid, "sealed": sealed, "main": True}
    credentials.accept(1, {"credentials": [record]})
    provider = TwilioSms(carrier.base_url, credentials, timeout=5)
    with carrier.rest() as client:
        offers = client.get(f"{carrier.account_path}/AvailablePhoneNumbers/US/Local.json").json()
        number = offers["available_phone_numbers"][0]["phone_number"]
        client.post(f"{carrier.account_path}/IncomingPhoneNumbers.json", data={"PhoneNumber": number})
    yield CarrierStage(provider, carrier, carrier.account_sid, number)
    carrier.control.delete("/faults")
    await provider.close()


def a_text(stage: Stage, to: str = "", body: str = "hello €") -> Text:
    callback = "https://hooks.switchboard.test/webhooks/rt/status/att"
    to = to or f"+1202555{next(_people)}"
    return Text(f"att{next(_keys)}", stage.account, stage.number, to, body, callback)


async def committed() -> None:
    """What may leave at once."""


async def test_a_text_leaves_only_after_it_was_committed_to_and_that_once(stage: Stage) -> None:
    text, before = a_text(stage), list[list[str]]()

    async def leave() -> None:
        before.append(stage.taken(text.to))

    await stage.provider.send(text, leave)
    assert (before, len(stage.taken(text.to))) == ([[]], 1)


async def test_what_nobody_would_commit_to_never_leaves(stage: Stage) -> None:
    text = a_text(stage)

    async def leave() -> None:
        raise ValueError("not any more")

    with pytest.raises(ValueError, match="not any more"):
        await stage.provider.send(text, leave)
    await stage.provider.send(a_text(stage), committed)
    assert stage.taken(text.to) == []


async def test_a_text_is_taken_and_its_id_is_told(stage: Stage) -> None:
    text = a_text(stage)
    provider_id = await stage.provider.send(text, committed)
    assert stage.taken(text.to) == [provider_id]


async def test_a_refusal_is_a_refusal_and_nothing_is_taken(stage: Stage) -> None:
    stage.fault("refused")
    text = a_text(stage)
    with pytest.raises(Rejected):
        await stage.provider.send(text, committed)
    assert stage.taken(text.to) == []


async def test_come_later_means_nothing_was_taken(stage: Stage) -> None:
    stage.fault("429")
    text = a_text(stage)
    with pytest.raises(Unavailable):
        await stage.provider.send(text, committed)
    assert stage.taken(text.to) == []


@pytest.mark.parametrize(("kind", "taken"), [("5xx", 0), ("5xx_after", 1), ("cut_before", 0), ("cut_after", 1)])
async def test_silence_is_unknown_and_the_list_tells(stage: Stage, kind: str, taken: int) -> None:
    stage.fault(kind)
    text, since = a_text(stage), datetime.now(UTC)
    with pytest.raises(Unknown):
        await stage.provider.send(text, committed)
    found = await stage.provider.find(text, since)
    assert [one.provider_id for one in found] == stage.taken(text.to)
    assert [one.body for one in found] == [text.body] * taken


async def test_the_list_is_of_one_pair_only(stage: Stage) -> None:
    text, since = a_text(stage), datetime.now(UTC)
    await stage.provider.send(text, committed)
    await stage.provider.send(a_text(stage), committed)
    assert len(await stage.provider.find(text, since)) == 1


async def test_what_a_text_cost_is_known_in_the_end(stage: Stage) -> None:
    text = a_text(stage)
    provider_id = await stage.provider.send(text, committed)
    await stage.price(provider_id)
    fate = await stage.provider.fetch(stage.account, provider_id)
    assert fate.price == Money(micros=8300)
    assert fate.status in ("sent", "delivered")


async def test_a_text_nobody_sent_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stage.provider.fetch(stage.account, "SM" + "0" * 32)

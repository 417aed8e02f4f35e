"""One carrier and one webhook server for the whole suite; every test buys its own numbers and texts from its own
people.
"""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.carrier.hooks import HOST, Hooks, running_hooks
from tests.carrier.running import RunningCarrier, free_port, running_carrier

PEOPLE = count(1000)
PATHS = count(1)


@pytest.fixture(scope="session")
def hooks() -> Iterator[Hooks]:
    with running_hooks(free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def carrier(tmp_path_factory: pytest.TempPathFactory, hooks: Hooks) -> Iterator[RunningCarrier]:
    with running_carrier(tmp_path_factory.mktemp("carrier"), hosts=f"{HOST}=127.0.0.1:{hooks.port}") as running:
        yield running


@pytest.fixture
def person() -> str:
    """An address nobody else in the suite uses."""
    return f"+1202555{next(PEOPLE)}"


@pytest.fixture
def path() -> str:
    """A webhook path nobody else in the suite uses."""
    return f"/hook/{next(PATHS)}"


BuyNumber = Callable[..., str]


@pytest.fixture
def buy(carrier: RunningCarrier) -> BuyNumber:
    """Buy a number for the main account with the settings given; returns its address."""

    def buy_number(country: str = "US", kind: str = "local", **settings: str) -> str:
        client = carrier.client()
        offers = getattr(client.available_phone_numbers(country), kind).list(limit=1)
        number = client.incoming_phone_numbers.create(phone_number=offers[0].phone_number, **settings)
        return str(number.phone_number)

    return buy_number

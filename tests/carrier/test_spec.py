"""Every representation is the provider's own: checked against its published description."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from tests.carrier.conftest import BuyNumber
from tests.carrier.running import RunningCarrier

FILE = "twilio/twilio_api_v2010.json"
ROOT = "/2010-04-01/Accounts/{AccountSid}"


@cache
def description() -> Any:
    folder = os.environ.get("PROVIDER_SPECS")
    if not folder or not (Path(folder) / FILE).exists():
        pytest.skip(f"PROVIDER_SPECS does not name a folder with {FILE}")
    return json.loads((Path(folder) / FILE).read_text())


def check(path: str, method: str, status: int, content: Any) -> None:
    """Hold an answer against the schema of its operation, and against names the schema does not know."""
    described = description()
    schema = described["paths"][path][method]["responses"][str(status)]["content"]["application/json"]["schema"]
    validator = OAS30Validator({**schema, "components": described["components"]})
    problems = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(content)]
    assert problems == []
    assert unknown(described, schema, content) == set()


def unknown(described: Any, schema: Any, content: Any) -> set[str]:
    """Names in the answer that the description does not have, one level into lists."""
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    known = schema.get("properties", {})
    strange = set(content) - set(known)
    for name, value in content.items():
        if isinstance(value, list) and value and "items" in known.get(name, {}):
            assert set(required_names(described, known[name]["items"])) <= set(value[0])
            strange |= unknown(described, known[name]["items"], value[0])
    return strange


def required_names(described: Any, schema: Any) -> set[str]:
    resolved = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return set(resolved.get("properties", {}))


def test_messages_are_represented_as_described(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    number = buy()
    with carrier.rest() as rest:
        base = f"{carrier.account_path}/Messages"
        sent = rest.post(f"{base}.json", data={"To": person, "From": number, "Body": "x"})
        check(f"{ROOT}/Messages.json", "post", 201, sent.json())
        carrier.received(person)
        check(f"{ROOT}/Messages/{{Sid}}.json", "get", 200, rest.get(f"{base}/{sent.json()['sid']}.json").json())
        check(f"{ROOT}/Messages.json", "get", 200, rest.get(f"{base}.json", params={"PageSize": 3}).json())


def test_owned_numbers_are_represented_as_described(carrier: RunningCarrier) -> None:
    with carrier.rest() as rest:
        base = f"{carrier.account_path}/IncomingPhoneNumbers"
        bought = rest.post(f"{base}.json", data={"AreaCode": "503"})
        check(f"{ROOT}/IncomingPhoneNumbers.json", "post", 201, without(bought.json(), "subresource_uris"))
        one = rest.post(f"{base}/{bought.json()['sid']}.json", data={"FriendlyName": "x"}).json()
        check(f"{ROOT}/IncomingPhoneNumbers/{{Sid}}.json", "post", 200, without(one, "subresource_uris"))
        listed = rest.get(f"{base}.json").json()
        rows = [without(row, "subresource_uris") for row in listed["incoming_phone_numbers"]]
        check(f"{ROOT}/IncomingPhoneNumbers.json", "get", 200, {**listed, "incoming_phone_numbers": rows})


def without(content: dict[str, Any], name: str) -> dict[str, Any]:
    """The service itself sends subresource links for numbers that its description leaves out."""
    return {key: value for key, value in content.items() if key != name}


@pytest.mark.parametrize(
    ("country", "kind"), [("US", "Local"), ("US", "TollFree"), ("GB", "Mobile"), ("DE", "Local"), ("AU", "Mobile")]
)
def test_numbers_for_sale_are_represented_as_described(carrier: RunningCarrier, country: str, kind: str) -> None:
    with carrier.rest() as rest:
        offers = rest.get(f"{carrier.account_path}/AvailablePhoneNumbers/{country}/{kind}.json").json()
    assert len(offers["available_phone_numbers"]) == 30
    validator_path = f"{ROOT}/AvailablePhoneNumbers/{{CountryCode}}/{kind}.json"
    lower = {
        **offers,
        "available_phone_numbers": [capabilities_lowered(row) for row in offers["available_phone_numbers"]],
    }
    check(validator_path, "get", 200, {**envelope_defaults(), **lower})


def capabilities_lowered(row: dict[str, Any]) -> dict[str, Any]:
    """The service writes SMS and MMS in capitals here; its description says lower case."""
    return {**row, "capabilities": {name.lower(): value for name, value in row["capabilities"].items()}}


def envelope_defaults() -> dict[str, Any]:
    return {"end": 0, "page": 0, "page_size": 50, "start": 0}


def test_countries_and_accounts_are_represented_as_described(carrier: RunningCarrier) -> None:
    with carrier.rest() as rest:
        base = f"{carrier.account_path}/AvailablePhoneNumbers"
        check(f"{ROOT}/AvailablePhoneNumbers.json", "get", 200, rest.get(f"{base}.json").json())
        path = f"{ROOT}/AvailablePhoneNumbers/{{CountryCode}}.json"
        check(path, "get", 200, rest.get(f"{base}/US.json").json())
        opened = rest.post("/2010-04-01/Accounts.json", data={"FriendlyName": "x"})
        check("/2010-04-01/Accounts.json", "post", 201, opened.json())
        check("/2010-04-01/Accounts.json", "get", 200, rest.get("/2010-04-01/Accounts.json").json())
        check("/2010-04-01/Accounts/{Sid}.json", "get", 200, rest.get(f"{carrier.account_path}.json").json())


def test_media_are_represented_as_described(carrier: RunningCarrier, buy: BuyNumber, person: str) -> None:
    picture = {"content_type": "image/png", "content_base64": "cG5n"}
    taken = carrier.text(person, buy(), "look", media=[picture])
    with carrier.rest() as rest:
        listed = rest.get(f"{carrier.account_path}/Messages/{taken['sid']}/Media.json").json()
    check(f"{ROOT}/Messages/{{MessageSid}}/Media.json", "get", 200, listed)

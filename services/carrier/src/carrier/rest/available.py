"""Numbers for sale: countries, and a country's local, toll-free and mobile numbers by filter."""

from itertools import count, islice
from typing import Any

from carrier import inventory, owned
from carrier.addresses import friendly
from carrier.errors import bad_parameter, not_found
from carrier.inventory import Filters
from carrier.places import COUNTRIES, Block, capabilities
from carrier.rest.operation import BASE, Call, Desk, Reply
from carrier.rest.paging import asked_page, link

RESOURCES = {"local": "Local", "tollfree": "TollFree", "mobile": "Mobile"}
PAGE = 30


def show_country(call: Call, code: str) -> dict[str, Any]:
    """Represent a country and what it sells."""
    uri = f"{BASE}/Accounts/{call.account.sid}/AvailablePhoneNumbers/{code}"
    links = {("toll_free" if k == "tollfree" else k): f"{uri}/{RESOURCES[k]}.json" for k in inventory.kinds_of(code)}
    return {
        "country_code": code, "country": COUNTRIES[code], "uri": f"{uri}.json", "beta": False,
        "subresource_uris": links,
    }  # fmt: skip


def show(block: Block, number: str) -> dict[str, Any]:
    """Represent a number for sale; capabilities are upper case here, unlike on owned numbers."""
    able = capabilities(block.country, block.kind)
    return {
        "friendly_name": friendly(number), "phone_number": number, "lata": None,
        "rate_center": block.locality.upper() or None, "latitude": block.latitude, "longitude": block.longitude,
        "locality": block.locality or None, "region": block.region or None, "postal_code": block.postal or None,
        "iso_country": block.country, "address_requirements": "none", "beta": False,
        "capabilities": {"voice": "voice" in able, "SMS": "sms" in able, "MMS": "mms" in able, "fax": "fax" in able},
    }  # fmt: skip


def filters(call: Call) -> Filters:
    """Read the search filters; ProviderError 20001 for a pattern too short to mean anything."""
    contains = call.query.text("Contains")
    if contains and len(contains.strip()) < 2:
        raise bad_parameter("Contains needs at least 2 characters")
    asked = {name: call.query.flag(f"{name}Enabled") for name in ("Sms", "Mms", "Voice", "Fax")}
    return Filters(
        area_code=call.query.text("AreaCode"),
        contains=contains,
        region=call.query.text("InRegion"),
        locality=call.query.text("InLocality"),
        postal=call.query.text("InPostalCode"),
        capable_of=frozenset(name.lower() for name, wanted in asked.items() if wanted),
    )


def routes(desk: Desk) -> None:
    """Serve the shop window."""
    store = desk.plant.store
    # Each search starts elsewhere in the order, as two buyers seldom see the same list.
    turns = count()

    @desk.on("GET", "/Accounts/{AccountSid}/AvailablePhoneNumbers.json", "available.countries")
    async def list_countries(call: Call) -> Reply:
        countries = [show_country(call, code) for code in COUNTRIES]
        return Reply({"countries": countries, "uri": call.url})

    @desk.on("GET", "/Accounts/{AccountSid}/AvailablePhoneNumbers/{Country}.json", "available.country")
    async def fetch_country(call: Call) -> Reply:
        code = call.path["Country"].upper()
        if code not in COUNTRIES:
            raise not_found(call.url)
        return Reply(show_country(call, code))

    @desk.on("GET", "/Accounts/{AccountSid}/AvailablePhoneNumbers/{Country}/{Kind}.json", "available.search")
    async def search(call: Call) -> Reply:
        country = call.path["Country"].upper()
        kind = next((kind for kind, name in RESOURCES.items() if name == call.path["Kind"]), "")
        if kind not in inventory.kinds_of(country):
            raise not_found(call.url)
        wanted, page, turn = filters(call), asked_page(call, PAGE), next(turns)
        found: list[tuple[Block, str]] = []
        if wanted.capable_of <= capabilities(country, kind):
            found = await store.read(
                lambda conn: list(
                    islice(
                        inventory.search(country, kind, wanted, turn * 97, lambda n: owned.is_owned(conn, n)),
                        page.size,
                    )
                )
            )
        uri = link(call, page.number, page.size)
        return Reply({"available_phone_numbers": [show(*item) for item in found], "uri": uri})

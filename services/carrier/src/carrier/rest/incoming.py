"""Owned numbers: buy, list, fetch, change, hand over, release. Short codes can be changed but not bought."""

import sqlite3
from itertools import islice
from typing import Any

from carrier import inventory, owned
from carrier.accounts import Account
from carrier.addresses import friendly, normalised
from carrier.errors import ProviderError, not_found, refused
from carrier.inventory import Filters
from carrier.owned import Number
from carrier.rest.operation import BASE, Call, Desk, Reply
from carrier.rest.paging import asked_page, envelope, select
from carrier.rest.params import Params, rfc2822
from carrier.submission import check_active, is_url

# Parameter of the API -> name in the representation.
TEXTS = {
    "FriendlyName": "friendly_name", "SmsApplicationSid": "sms_application_sid", "AddressSid": "address_sid",
    "VoiceApplicationSid": "voice_application_sid", "TrunkSid": "trunk_sid", "BundleSid": "bundle_sid",
    "IdentitySid": "identity_sid", "EmergencyAddressSid": "emergency_address_sid",
    "EmergencyStatus": "emergency_status", "VoiceReceiveMode": "voice_receive_mode",
}  # fmt: skip
URLS = {
    "SmsUrl": "sms_url", "SmsFallbackUrl": "sms_fallback_url", "VoiceUrl": "voice_url",
    "VoiceFallbackUrl": "voice_fallback_url", "StatusCallback": "status_callback",
}  # fmt: skip
METHODS = {
    "SmsMethod": "sms_method", "SmsFallbackMethod": "sms_fallback_method", "VoiceMethod": "voice_method",
    "VoiceFallbackMethod": "voice_fallback_method", "StatusCallbackMethod": "status_callback_method",
}  # fmt: skip
KINDS = {"Local": "local", "Mobile": "mobile", "TollFree": "tollfree"}


def read_settings(form: Params) -> dict[str, Any]:
    """Take the settings a request gives; ProviderError for URLs and methods that are none."""
    given: dict[str, Any] = {to: form.get(name) for name, to in TEXTS.items() if form.get(name) is not None}
    for name, to in URLS.items():
        if (url := form.get(name)) is not None:
            if url and not is_url(url):
                raise refused(21402, f"{name} is not a valid URL: {url}")
            given[to] = url
    for name, to in METHODS.items():
        if method := form.get(name):
            if method.upper() not in ("GET", "POST"):
                raise refused(21403, f"{name} must be GET or POST")
            given[to] = method.upper()
    if (lookup := form.flag("VoiceCallerIdLookup")) is not None:
        given["voice_caller_id_lookup"] = lookup
    # URL and application of the voice side exclude each other: the one given last stays.
    if given.get("voice_url"):
        given.setdefault("voice_application_sid", "")
    elif given.get("voice_application_sid"):
        given.setdefault("voice_url", "")
    return given


def show(number: Number) -> dict[str, Any]:
    """Represent an owned number; capabilities are lower case here."""
    able, settings = number.capable_of, number.settings
    representation: dict[str, Any] = {to: settings.get(to) or None for to in TEXTS.values()}
    representation |= {to: settings.get(to, "") for to in URLS.values()}
    representation |= {to: settings.get(to, "POST") for to in METHODS.values()}
    return representation | {
        "sid": number.sid, "account_sid": number.account_sid, "phone_number": number.phone_number,
        "friendly_name": settings.get("friendly_name") or friendly(number.phone_number),
        "voice_caller_id_lookup": settings.get("voice_caller_id_lookup", False),
        "voice_receive_mode": settings.get("voice_receive_mode") or "voice",
        "emergency_status": settings.get("emergency_status") or "Inactive",
        "emergency_address_status": "unregistered", "address_requirements": "none", "beta": False,
        "origin": "twilio", "status": "in-use", "type": number.kind, "api_version": "2010-04-01",
        "capabilities": {name: name in able for name in ("voice", "sms", "mms", "fax")},
        "date_created": rfc2822(number.created), "date_updated": rfc2822(number.updated),
        "uri": f"{BASE}/Accounts/{number.account_sid}/IncomingPhoneNumbers/{number.sid}.json",
        "subresource_uris": {
            "assigned_add_ons": f"{BASE}/Accounts/{number.account_sid}/IncomingPhoneNumbers/{number.sid}"
            "/AssignedAddOns.json"
        },
    }  # fmt: skip


def buy(conn: sqlite3.Connection, call: Call, kind: str | None) -> Number:
    """Buy the number asked for, or any in an area code."""
    check_active(call.account)
    settings, asked, area = read_settings(call.form), call.form.text("PhoneNumber"), call.form.text("AreaCode")
    if asked:
        address = normalised(asked)
        if address is None:
            raise refused(21421, f"PhoneNumber is invalid: {asked}")
        return owned.buy(conn, call.account.sid, address, settings, call.facts)
    if not area:
        raise refused(21421, "PhoneNumber or AreaCode is required")
    if not area.isdigit() or len(area) != 3:
        raise refused(21451, f"Invalid area code: {area}")
    return owned.buy(conn, call.account.sid, _any_in(conn, area, kind or "local"), settings, call.facts)


def _any_in(conn: sqlite3.Connection, area: str, kind: str) -> str:
    for country in ("US", "CA"):
        offers = inventory.search(country, kind, Filters(area_code=area), 0, lambda n: owned.is_owned(conn, n))
        for _, number in islice(offers, 1):
            return number
    raise refused(21452, f"No phone numbers found in area code {area}")


def listed(conn: sqlite3.Connection, call: Call, kind: str | None) -> dict[str, Any]:
    """Read a page of an account's numbers; short codes are a resource of their own."""
    page = asked_page(call)
    where, values = "account_sid = ? AND kind != 'short'", [call.account.sid]
    if kind:
        where, values = f"{where} AND kind = ?", [*values, kind]
    if wanted := call.query.text("PhoneNumber"):
        where, values = f"{where} AND phone_number LIKE ?", [*values, _like(wanted)]
    if (name := call.query.get("FriendlyName")) is not None:
        where = f"{where} AND coalesce(nullif(json_extract(settings, '$.friendly_name'), ''), '') = ?"
        values = [*values, name]
    rows, more = select(conn, "numbers", where, values, page)
    numbers = [owned.read_number(row) for row in rows]
    return envelope(call, "incoming_phone_numbers", page, numbers, more, lambda number: number.seq, show)


def _like(pattern: str) -> str:
    """Turn a number or pattern (`*` is any digit) into one that finds it anywhere; whole numbers match whole."""
    wanted = "".join(char for char in pattern if char.isdigit() or char in "+*").replace("*", "_")
    return wanted if normalised(pattern) else f"%{wanted}%"


def _heir(desk: Desk, call: Call) -> str | None:
    """The account a number is handed to: another of the same family, or None."""
    target = call.form.get("AccountSid")
    if target is None or target == call.account.sid:
        return None
    account: Account | None = desk.plant.accounts.by_sid.get(target)
    if account is None or call.caller.sid not in (account.sid, account.owner_sid):
        raise ProviderError(404, 20404, f"The requested resource /Accounts/{target} was not found")
    check_active(account)
    return account.sid


def routes(desk: Desk) -> None:
    """Serve owned numbers, whole and by kind."""
    store, base = desk.plant.store, "/Accounts/{AccountSid}/IncomingPhoneNumbers"

    def collection(path: str, kind: str | None) -> None:
        @desk.on("GET", path, "numbers.list")
        async def list_numbers(call: Call) -> Reply:
            return Reply(await store.read(lambda conn: listed(conn, call, kind)))

        @desk.on("POST", path, "numbers.buy")
        async def buy_number(call: Call) -> Reply:
            return Reply(show(await store.write(lambda conn: buy(conn, call, kind))), 201)

    collection(f"{base}.json", None)
    for name, kind in KINDS.items():
        collection(f"{base}/{name}.json", kind)

    @desk.on("GET", f"{base}/{{Sid}}.json", "numbers.fetch")
    async def fetch(call: Call) -> Reply:
        return Reply(show(await store.read(lambda conn: _number(conn, call, "PN"))))

    @desk.on("POST", f"{base}/{{Sid}}.json", "numbers.update")
    async def update(call: Call) -> Reply:
        settings, heir = read_settings(call.form), _heir(desk, call)
        return Reply(
            show(
                await store.write(
                    lambda conn: owned.change(conn, _number(conn, call, "PN"), settings, call.facts, heir)
                )
            )
        )

    @desk.on("DELETE", f"{base}/{{Sid}}.json", "numbers.delete")
    async def delete(call: Call) -> Reply:
        await store.write(lambda conn: owned.release(conn, call.account.sid, _number(conn, call, "PN").sid, call.facts))
        return Reply(status=204)


def _number(conn: sqlite3.Connection, call: Call, prefix: str) -> Number:
    if not call.path["Sid"].startswith(prefix):
        raise not_found(call.url)
    return owned.by_sid(conn, call.account.sid, call.path["Sid"])


def short_code_routes(desk: Desk) -> None:
    """Serve the short codes an account leases."""
    store, base = desk.plant.store, "/Accounts/{AccountSid}/SMS/ShortCodes"

    @desk.on("GET", f"{base}.json", "short_codes.list")
    async def list_codes(call: Call) -> Reply:
        page = asked_page(call)
        where = "account_sid = ? AND kind = 'short'"
        rows, more = await store.read(lambda conn: select(conn, "numbers", where, [call.account.sid], page))
        codes = [owned.read_number(row) for row in rows]
        return Reply(envelope(call, "short_codes", page, codes, more, lambda code: code.seq, show_code))

    @desk.on("GET", f"{base}/{{Sid}}.json", "short_codes.fetch")
    async def fetch(call: Call) -> Reply:
        return Reply(show_code(await store.read(lambda conn: _number(conn, call, "SC"))))

    @desk.on("POST", f"{base}/{{Sid}}.json", "short_codes.update")
    async def update(call: Call) -> Reply:
        settings = read_settings(call.form)
        return Reply(
            show_code(
                await store.write(lambda conn: owned.change(conn, _number(conn, call, "SC"), settings, call.facts))
            )
        )


def show_code(code: Number) -> dict[str, Any]:
    """Represent a short code."""
    settings = code.settings
    return {
        "sid": code.sid, "account_sid": code.account_sid, "short_code": code.phone_number,
        "friendly_name": settings.get("friendly_name") or code.phone_number, "api_version": "2010-04-01",
        "sms_url": settings.get("sms_url", ""), "sms_method": settings.get("sms_method", "POST"),
        "sms_fallback_url": settings.get("sms_fallback_url", ""),
        "sms_fallback_method": settings.get("sms_fallback_method", "POST"),
        "date_created": rfc2822(code.created), "date_updated": rfc2822(code.updated),
        "uri": f"{BASE}/Accounts/{code.account_sid}/SMS/ShortCodes/{code.sid}.json",
    }  # fmt: skip

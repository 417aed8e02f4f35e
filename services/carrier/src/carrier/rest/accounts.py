"""Accounts and API keys: fetch, list, open subaccounts, suspend, close."""

from typing import Any

from carrier.accounts import Account, ApiKey
from carrier.errors import not_found
from carrier.rest.operation import BASE, Call, Desk, Reply
from carrier.rest.paging import asked_page, envelope, in_memory
from carrier.rest.params import rfc2822

SUBRESOURCES = {
    "available_phone_numbers": "AvailablePhoneNumbers", "incoming_phone_numbers": "IncomingPhoneNumbers",
    "messages": "Messages", "keys": "Keys", "short_codes": "SMS/ShortCodes",
}  # fmt: skip


def show(account: Account) -> dict[str, Any]:
    """Represent an account, token and all: only its owner can ask."""
    uri = f"{BASE}/Accounts/{account.sid}"
    return {
        "sid": account.sid, "auth_token": account.auth_token, "friendly_name": account.friendly_name,
        "owner_account_sid": account.owner_sid, "status": account.status, "type": "Full",
        "date_created": rfc2822(account.created), "date_updated": rfc2822(account.updated), "uri": f"{uri}.json",
        "subresource_uris": {name: f"{uri}/{path}.json" for name, path in SUBRESOURCES.items()},
    }  # fmt: skip


def show_key(key: ApiKey) -> dict[str, Any]:
    """Represent an API key without its secret."""
    created = rfc2822(key.created)
    return {"sid": key.sid, "friendly_name": key.friendly_name, "date_created": created, "date_updated": created}


def routes(desk: Desk) -> None:
    """Serve accounts."""
    accounts = desk.plant.accounts

    @desk.on("GET", "/Accounts.json", "accounts.list")
    async def list_accounts(call: Call) -> Reply:
        name, status = call.query.get("FriendlyName"), call.query.get("Status")
        mine = [
            (at, account)
            for at, account in enumerate(accounts.by_sid.values())
            if call.caller.sid in (account.owner_sid, account.sid)
            if name in (None, account.friendly_name) and status in (None, account.status)
        ]
        page = asked_page(call)
        rows, more = in_memory(mine, page)
        return Reply(envelope(call, "accounts", page, rows, more, lambda row: row[0], lambda row: show(row[1])))

    @desk.on("POST", "/Accounts.json", "accounts.create")
    async def create(call: Call) -> Reply:
        return Reply(show(await accounts.create(call.caller, call.form.text("FriendlyName"), call.facts)), 201)

    @desk.on("GET", "/Accounts/{AccountSid}.json", "accounts.fetch")
    async def fetch(call: Call) -> Reply:
        return Reply(show(call.account))

    @desk.on("POST", "/Accounts/{AccountSid}.json", "accounts.update")
    async def update(call: Call) -> Reply:
        name, status = call.form.get("FriendlyName"), call.form.get("Status")
        return Reply(show(await accounts.update(call.account, name, status, call.facts)))

    @desk.on("POST", "/Accounts/{AccountSid}/Keys.json", "keys.create")
    async def create_key(call: Call) -> Reply:
        key = await accounts.create_key(call.account, call.form.text("FriendlyName"))
        return Reply({**show_key(key), "secret": key.secret}, 201)

    @desk.on("GET", "/Accounts/{AccountSid}/Keys.json", "keys.list")
    async def list_keys(call: Call) -> Reply:
        rows = [key for key in accounts.keys.values() if key.account_sid == call.account.sid]
        page = asked_page(call)
        shown, more = in_memory(list(enumerate(rows)), page)
        return Reply(envelope(call, "keys", page, shown, more, lambda row: row[0], lambda row: show_key(row[1])))

    @desk.on("GET", "/Accounts/{AccountSid}/Keys/{Sid}.json", "keys.fetch")
    async def fetch_key(call: Call) -> Reply:
        key = accounts.keys.get(call.path["Sid"])
        if key is None or key.account_sid != call.account.sid:
            raise not_found(call.url)
        return Reply(show_key(key))

    @desk.on("DELETE", "/Accounts/{AccountSid}/Keys/{Sid}.json", "keys.delete")
    async def delete_key(call: Call) -> Reply:
        await accounts.delete_key(call.account, call.path["Sid"])
        return Reply(status=204)

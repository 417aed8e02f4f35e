"""Media of messages: list, fetch, delete, and the content itself, which is served from storage after a redirect."""

import base64
import binascii
import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from carrier import texts
from carrier.errors import not_found
from carrier.plant import Plant
from carrier.rest.operation import BASE, Call, Desk, Reply
from carrier.rest.paging import asked_page, envelope, select
from carrier.rest.params import rfc2822
from carrier.texts import Media

PATH = "/Accounts/{AccountSid}/Messages/{MessageSid}/Media"


def show(media: Media) -> dict[str, Any]:
    """Represent an attachment."""
    created = rfc2822(media.created)
    uri = f"{BASE}/Accounts/{media.account_sid}/Messages/{media.text_sid}/Media/{media.sid}.json"
    return {
        "sid": media.sid, "account_sid": media.account_sid, "parent_sid": media.text_sid,
        "content_type": media.content_type or None, "date_created": created, "date_updated": created, "uri": uri,
    }  # fmt: skip


def find(conn: sqlite3.Connection, message_sid: str, sid: str) -> Media:
    """Find an attachment of a message; ProviderError 20404 if it has none such."""
    for media in texts.media_of(conn, message_sid):
        if media.sid == sid:
            return media
    raise not_found(f"/Messages/{message_sid}/Media/{sid}.json")


def routes(desk: Desk) -> None:
    """Serve attachments as resources."""
    store = desk.plant.store

    def mine(conn: sqlite3.Connection, call: Call) -> Media:
        texts.of_account(conn, call.account.sid, call.path["MessageSid"])
        return find(conn, call.path["MessageSid"], call.path["Sid"])

    def delete_one(conn: sqlite3.Connection, call: Call) -> None:
        conn.execute("DELETE FROM media WHERE sid = ?", (mine(conn, call).sid,))

    @desk.on("GET", f"{PATH}.json", "media.list")
    async def list_media(call: Call) -> Reply:
        page, sid = asked_page(call), call.path["MessageSid"]
        await store.read(lambda conn: texts.of_account(conn, call.account.sid, sid))
        rows, more = await store.read(lambda conn: select(conn, "media", "text_sid = ?", [sid], page))
        found = [texts.read_media(row) for row in rows]
        return Reply(envelope(call, "media_list", page, found, more, lambda media: media.seq, show))

    @desk.on("GET", f"{PATH}/{{Sid}}.json", "media.fetch")
    async def fetch(call: Call) -> Reply:
        return Reply(show(await store.read(lambda conn: mine(conn, call))))

    @desk.on("DELETE", f"{PATH}/{{Sid}}.json", "media.delete")
    async def delete(call: Call) -> Reply:
        await store.write(lambda conn: delete_one(conn, call))
        return Reply(status=204)


def content_routes(plant: Plant) -> list[Route]:
    """Serve contents: the resource's own URL redirects to storage, whose key needs no credentials."""

    async def content(request: Request) -> Response:
        path = request.path_params
        if plant.settings.media_auth and not _may_see(plant, request, path["AccountSid"]):
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="Twilio API"'})
        media = await plant.store.read(lambda conn: _found(conn, "sid", path["Sid"]))
        if media is None or (media.account_sid, media.text_sid) != (path["AccountSid"], path["MessageSid"]):
            return Response(status_code=404)
        return RedirectResponse(f"{plant.settings.base_url}/media-store/{media.key}", 307)

    async def stored(request: Request) -> Response:
        media = await plant.store.read(lambda conn: _found(conn, "key", request.path_params["key"]))
        if media is None or media.content is None:
            return Response(status_code=404)
        return Response(media.content, media_type=media.content_type or "application/octet-stream")

    return [Route(BASE + PATH + "/{Sid}", content), Route("/media-store/{key}", stored)]


def _found(conn: sqlite3.Connection, column: str, value: str) -> Media | None:
    row = conn.execute(f"SELECT * FROM media WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 - our columns
    return texts.read_media(row) if row else None


def _may_see(plant: Plant, request: Request, account_sid: str) -> bool:
    encoded = request.headers.get("authorization", "").removeprefix("Basic ")
    try:
        username, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    caller = plant.accounts.authenticate(username, password)
    owner = plant.accounts.by_sid.get(account_sid)
    return bool(caller and owner and caller.sid in (owner.sid, owner.owner_sid))

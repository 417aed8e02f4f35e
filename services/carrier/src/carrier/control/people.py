"""People: text as anybody, read what they received, decide how their phones behave."""

import asyncio
import base64
import binascii
import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from carrier import people, texts
from carrier.addresses import is_person, normalised
from carrier.bursts import BurstOrder
from carrier.errors import ProviderError
from carrier.incoming import Undeliverable
from carrier.people import Behaviour, Phone
from carrier.plant import Plant
from carrier.texts import Attachment


class MediaIn(BaseModel):
    """An attachment a person sends."""

    content_type: str = Field(examples=["image/png"])
    content_base64: str


class TextIn(BaseModel):
    """A text from a person to an owned number."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sender: str = Field(alias="from", description="E.164 number, short code or name of up to 11 characters.")
    to: str = Field(description="An owned number.")
    body: str = ""
    media: list[MediaIn] = []
    wait_s: float = Field(0, ge=0, le=120, description="Wait so long for the webhook's outcome.")


class TextTaken(BaseModel):
    """A text the carrier took; `webhook` is pending, delivered, failed or none."""

    sid: str
    webhook: str


class PhoneIn(BaseModel):
    """How a person's phone treats texts from now on."""

    model_config = ConfigDict(extra="forbid")

    behaviour: Behaviour = "delivered"
    error_code: int | None = Field(None, description="For undelivered and unreachable, e.g. 30005.")
    delay_s: float = Field(0, ge=0, le=86400, description="Extra time before the phone answers; for slow.")


def routes(plant: Plant, api: APIRouter) -> None:
    """Serve people."""
    store = plant.store

    @api.post("/texts", status_code=201)
    async def send_text(order: TextIn) -> TextTaken:
        """Send a text from a person. 422 says why the network cannot take it."""
        try:
            text, delivery = await plant.incoming.accept(order.sender, order.to, order.body, _attachments(order))
        except Undeliverable as error:
            raise HTTPException(422, str(error)) from error
        done, _ = await asyncio.wait([delivery], timeout=order.wait_s) if order.wait_s else (set(), set())
        return TextTaken(sid=text.sid, webhook=delivery.result() if done else text.webhook or "none")

    @api.get("/texts/{sid}")
    async def fetch_text(sid: str) -> dict[str, Any]:
        """Fetch any text, in either direction."""
        try:
            return vars(await store.read(lambda conn: texts.by_sid(conn, sid)))
        except ProviderError as error:
            raise HTTPException(404, error.message) from error

    @api.get("/received")
    async def received(
        person: str | None = None,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        wait_s: Annotated[float, Query(ge=0, le=60)] = 0,
    ) -> dict[str, Any]:
        """Read what a person (or everybody) received after an id, newest last; wait if there is nothing yet."""
        address = (normalised(person) or person) if person else None
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            bell = plant.bells.listen(address or "")
            rows = await store.read(lambda conn: people.received(conn, address, after, limit))
            left = deadline - asyncio.get_running_loop().time()
            if rows or left <= 0:
                return {"texts": rows, "after": rows[-1]["id"] if rows else after}
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), left)

    @api.get("/conversations")
    async def conversations(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
        """List who texted with which number, latest first."""
        return {"conversations": await store.read(lambda conn: people.conversations(conn, limit))}

    @api.put("/people/{address}/phone")
    async def set_phone(address: str, phone: PhoneIn) -> PhoneIn:
        """Decide how a person's phone behaves."""
        known = normalised(address) or address
        if not is_person(known):
            raise HTTPException(422, f"{address!r} is not an address a person can have")
        set_to = Phone(phone.behaviour, phone.error_code, phone.delay_s)
        await store.write(lambda conn: people.set_phone(conn, known, set_to))
        return phone

    @api.get("/people/{address}/phone")
    async def get_phone(address: str) -> PhoneIn:
        """Tell how a person's phone behaves."""
        phone = await store.read(lambda conn: people.phone_of(conn, normalised(address) or address))
        return PhoneIn(**vars(phone))

    @api.get("/media/{sid}")
    async def media(sid: str) -> Response:
        """Fetch the content of an attachment in either direction."""
        row = await store.read(lambda conn: conn.execute("SELECT * FROM media WHERE sid = ?", (sid,)).fetchone())
        if row is None or row["content"] is None:
            raise HTTPException(404, f"There is no content for media {sid}")
        return Response(row["content"], media_type=row["content_type"])

    @api.post("/bursts", status_code=201)
    async def start_burst(order: BurstOrder) -> dict[str, Any]:
        """Send many texts at a rate; read its progress under the id returned."""
        return plant.bursts.start(order).report()

    @api.get("/bursts/{burst_id}")
    async def burst(burst_id: str) -> dict[str, Any]:
        """Tell how far a burst is."""
        found = plant.bursts.get(burst_id)
        if found is None:
            raise HTTPException(404, f"There is no burst {burst_id} in this process")
        return found.report()


def _attachments(order: TextIn) -> tuple[Attachment, ...]:
    try:
        return tuple(
            Attachment("", item.content_type, base64.b64decode(item.content_base64, validate=True))
            for item in order.media
        )
    except binascii.Error as error:
        raise HTTPException(422, f"content_base64 cannot be decoded: {error}") from error

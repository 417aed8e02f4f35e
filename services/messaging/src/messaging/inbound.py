"""A text arrives: whose it is, what it asks for, and its place in a thread and an inbox, in one transaction."""

from __future__ import annotations

import orjson
from common import ids, inbox
from common.catalogue.audit import AlertRaised
from common.catalogue.messages import ConsentChanged, MessageReceived, SmsReceived, Waiting
from common.catalogue.values import Channel, Step, Trust
from common.crash import crash
from common.db import Database, Tx
from common.errors import Rejected
from common.messages import PLATFORM

from messaging import leases
from messaging.domain import keywords
from messaging.lanes import Lanes, agent_lane
from messaging.owners import Owner, Owners
from messaging.places import Places
from messaging.store import consent, contacts, history, messages, waiting
from messaging.store.consent import Pair
from messaging.store.contacts import Place
from messaging.waits import Wait, Waits

_HANDLER = "inbound"
_CHANNEL: Channel = "sms"


class Inbound:
    """Makes a received text a message of its agent, once, in the order of acceptance."""

    def __init__(self, database: Database, lanes: Lanes, owners: Owners, places: Places, waits: Waits) -> None:
        self._database, self._lanes, self._owners, self._places = database, lanes, owners, places
        self._waits = waits

    async def received(self, sms: SmsReceived) -> None:
        """Handle one text. `Rejected`, with an alert, when nobody owns its address."""
        crash("w1")
        owner = await self._owners.of(sms)
        if owner is None:
            await self._database.write(lambda tx: _nobodys(tx, sms))
            raise Rejected(f"nobody owns {sms.to.masked()}; provision it or release the number", code="unrouted")
        wait, handed = self._waits.take(owner.organisation, owner.agent), None
        try:
            handed = await self._kept(sms, owner, wait)
        finally:
            if wait:
                wait.answer(handed)
            else:
                self._waits.wake(owner.organisation, owner.agent)
        crash("w2")

    async def _kept(self, sms: SmsReceived, owner: Owner, wait: Wait | None) -> Waiting | None:
        """What is handed to who waits, from the transaction that stores the text."""
        known = self._places.get(owner.organisation, owner.agent, sms.sender)
        lane = agent_lane(owner.organisation, owner.agent)
        message = ids.derived("message", sms.provider, sms.account, sms.provider_id)

        def work(tx: Tx) -> tuple[Place | None, Waiting | None]:
            place = _keep(tx, sms, owner, message, known)
            return place, leases.hand_out(tx, wait.order) if place and wait else None

        place, handed = await self._lanes.write(lane, sms.time, work)
        self._waits.stored(message)
        if place:
            self._places.put(owner.organisation, owner.agent, sms.sender, place)
        return handed


def _nobodys(tx: Tx, sms: SmsReceived) -> None:
    summary = f"a text for {sms.to.masked()} reached us, and nobody owns that address; it is a dead letter now"
    alert = {"severity": "high", "code": "unrouted_message", "summary": summary, "subject_id": sms.id}
    tx.stage(AlertRaised.after(sms, organisation=PLATFORM, **alert))


def _keep(tx: Tx, sms: SmsReceived, owner: Owner, message: str, known: Place | None) -> Place | None:
    """Everything that becomes true with this text; None when it has been before."""
    messages.lock_agent(tx, owner.organisation, owner.agent)
    if not inbox.first_time(tx, _HANDLER, sms) or messages.exists(tx, message):
        return None
    place = known or contacts.place(tx, owner.organisation, owner.agent, sms.sender)
    _heed(tx, sms, owner, place, message)
    cursor = messages.next_cursor(tx, owner.organisation, owner.agent)
    trust = Trust(signature_verified=True)
    _store(tx, sms, owner, place, message, cursor, trust)
    tx.stage(
        MessageReceived.after(
            sms,
            organisation=owner.organisation,
            message=message,
            agent=owner.agent,
            thread=place.thread,
            contact=place.contact,
            cursor=cursor,
            channel=_CHANNEL,
            sender=sms.sender,
            to=sms.to,
            body=sms.body,
            media=sms.media,
            segments=sms.segments,
            trust=trust,
            provider=sms.provider,
            provider_id=sms.provider_id,
        )
    )
    return place


def _store(tx: Tx, sms: SmsReceived, owner: Owner, place: Place, message: str, cursor: int, trust: Trust) -> None:
    messages.add(
        tx,
        message=message,
        organisation=owner.organisation,
        agent=owner.agent,
        cursor=cursor,
        thread=place.thread,
        contact=place.contact,
        direction="in",
        channel=_CHANNEL,
        sender=sms.sender.value,
        recipient=sms.to.value,
        body=sms.body,
        media=orjson.dumps([one.model_dump() for one in sms.media]).decode(),
        segments=sms.segments,
        status="received",
        trust=trust.model_dump_json(),
        provider_id=sms.provider_id,
        at=sms.time,
    )
    waiting.add(tx, owner.organisation, owner.agent, cursor, message, place.thread, sms.time)
    arrived = Step(at=sms.time, what="received at the gateway", detail=f"from {sms.provider}, signature verified")
    stored = Step(at=tx.now, what="in the inbox", detail=f"at cursor {cursor}")
    history.notes(tx, [(message, arrived), (message, stored)])


def _heed(tx: Tx, sms: SmsReceived, owner: Owner, place: Place, message: str) -> None:
    """Opting out or in counts from this commit on; asking for help changes nothing."""
    keyword = keywords.detect(sms.body, sms.keyword)
    if keyword not in ("stop", "start"):
        return
    contacts.lock(tx, place.contact)
    pair = Pair(owner.organisation, owner.agent, _CHANNEL, place.contact)
    opted_in, evidence = keyword == "start", f"the contact texted {keyword.upper()} (message {message})"
    if not consent.record(tx, pair, opted_in=opted_in, evidence=evidence):
        return
    history.note(tx, message, "opted in" if opted_in else "opted out")
    changed = ConsentChanged.after(
        sms,
        organisation=owner.organisation,
        contact=place.contact,
        address=sms.sender,
        ours=sms.to,
        channel=_CHANNEL,
        opted_in=opted_in,
        evidence=evidence,
    )
    tx.stage(changed)

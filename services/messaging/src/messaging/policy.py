"""What people decide: consent, kill switches, countries. Each order is one transaction and may be repeated."""

from __future__ import annotations

from functools import partial
from typing import Any

from common.catalogue.messages import (
    CheckConsent,
    Consent,
    ConsentChanged,
    KillSwitchChanged,
    RecordConsent,
    RevokeConsent,
    SetDestinations,
    SetKillSwitch,
)
from common.catalogue.values import Address, Channel, Done
from common.db import Database, Tx

from messaging.domain import destinations
from messaging.owners import Owners
from messaging.store import consent, contacts
from messaging.store.consent import Pair

_CHANNEL: Channel = "sms"


class Policy:
    """Keeps what was decided; sends look at it twice."""

    def __init__(self, database: Database, owners: Owners) -> None:
        self._database, self._owners = database, owners

    async def record_consent(self, order: RecordConsent) -> Done:
        """A contact allowed texts from this agent; also after an opt-out, the evidence being the caller's to show."""
        return await self._say(order, opted_in=True)

    async def revoke_consent(self, order: RevokeConsent) -> Done:
        """No more texts from this agent to this address, known to us or not."""
        return await self._say(order, opted_in=False)

    async def check_consent(self, query: CheckConsent) -> Consent:
        """May this agent text this address?"""
        await self._owners.route_of(query.organisation, query.agent)
        address = destinations.recipient(query.address)

        def look(tx: Tx) -> Consent:
            contact = contacts.find_contact(tx, query.organisation, address) or ""
            return consent.current(tx, Pair(query.organisation, query.agent, _CHANNEL, contact))

        return await self._database.read(look)

    async def set_kill_switch(self, order: SetKillSwitch) -> Done:
        """Stop or allow all sending; texts accepted but not begun are stopped too."""
        if order.agent:
            await self._owners.route_of(order.organisation, order.agent)
        return await self._database.write(partial(_switch, order=order))

    async def set_destinations(self, order: SetDestinations) -> Done:
        """Replace the list of countries."""
        allowed = destinations.countries(order.countries)
        changed = await self._database.write(lambda tx: consent.set_countries(tx, order.organisation, allowed))
        return Done(changed=changed)

    async def _say(self, order: RecordConsent | RevokeConsent, *, opted_in: bool) -> Done:
        route = await self._owners.route_of(order.organisation, order.agent)
        ours, address = self._owners.sending_address(route), destinations.recipient(order.address)
        say = partial(_say, order=order, address=address, ours=ours, opted_in=opted_in)
        return await self._database.write(say)


def _say(tx: Tx, order: RecordConsent | RevokeConsent, address: Address, ours: Address, opted_in: bool) -> Done:
    contact = contacts.contact_at(tx, order.organisation, address)
    contacts.lock(tx, contact)
    pair = Pair(order.organisation, order.agent, _CHANNEL, contact)
    if not consent.record(tx, pair, opted_in=opted_in, evidence=order.evidence):
        return Done(changed=False)
    said: dict[str, Any] = {"contact": contact, "address": address, "ours": ours, "opted_in": opted_in}
    tx.stage(ConsentChanged.after(order, channel=_CHANNEL, evidence=order.evidence, **said))
    return Done()


def _switch(tx: Tx, order: SetKillSwitch) -> Done:
    turned = consent.set_stop(
        tx, order.organisation, order.agent, order.channel, stopped=order.stopped, reason=order.reason
    )
    if not turned:
        return Done(changed=False)
    how: dict[str, Any] = {"channel": order.channel, "stopped": order.stopped, "reason": order.reason}
    tx.stage(KillSwitchChanged.after(order, agent=order.agent, **how))
    return Done()

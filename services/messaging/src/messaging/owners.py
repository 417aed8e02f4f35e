"""Which agent an address belongs to, and which route an agent sends by, as the directory says."""

from __future__ import annotations

from dataclasses import dataclass

from common.bus import Bus
from common.catalogue.messages import SmsReceived
from common.catalogue.provisioning import ResolveRoute
from common.catalogue.values import Address
from common.directory import Directory, Route
from common.errors import NotFound, Rejected
from common.messages import PLATFORM
from common.snapshot import Follower

_NEWER = 1.0
"""Seconds to wait for a newer directory before we say that an agent does not exist: it may just have been made."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a text is."""

    organisation: str
    agent: str


class Owners:
    """The directory, with patience for what is on its way."""

    def __init__(self, directory: Directory, follower: Follower, bus: Bus) -> None:
        self._directory, self._follower, self._bus = directory, follower, bus
        self._seen: dict[str, Route] | None = None
        self._ours: set[tuple[str, str]] = set()

    async def route_of(self, organisation: str, agent: str) -> Route:
        """The route an agent sends by; `NotFound` when it has none, or is not this organisation's."""
        try:
            return self._directory.route_of(organisation, agent)
        except NotFound:
            await self._follower.wait_for(self._follower.revision + 1, timeout=_NEWER)
            return self._directory.route_of(organisation, agent)

    def sending_address(self, route: Route) -> Address:
        """The number an agent texts from."""
        number = next((address for address in route.addresses if address.kind == "e164"), None)
        if number is None:
            raise NotFound(f"agent {route.agent} has no number to text from", code="no_agent")
        return number

    def is_ours(self, organisation: str, address: Address) -> bool:
        """Whether the address is one of this organisation's own agents'."""
        if self._seen is not self._directory.routes:
            self._seen = self._directory.routes
            self._ours = {(r.organisation, a.value) for r in self._seen.values() for a in r.addresses}
        return (organisation, address.value) in self._ours

    async def of(self, sms: SmsReceived) -> Owner | None:
        """Whose a text is; None when it is nobody's. `Rejected` when its route belongs to another number.

        `Unavailable` while a route the directory lacks cannot be asked for.
        """
        route = self._directory.routes.get(sms.route)
        if route is None:
            return await self._ask(sms)
        if all(address.value != sms.to.value for address in route.addresses):
            raise Rejected(f"route {route.route} does not have {sms.to.masked()}", code="route_mismatch")
        return Owner(route.organisation, route.agent)

    async def _ask(self, sms: SmsReceived) -> Owner | None:
        asked = ResolveRoute(organisation=PLATFORM, account=sms.account, address=sms.to, traceparent=sms.traceparent)
        found = await self._bus.query(asked)
        return Owner(found.organisation, found.agent) if found.agent else None

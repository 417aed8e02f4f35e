"""Remembers which contact and thread an address means to an agent: committed facts that do not change."""

from __future__ import annotations

from collections import OrderedDict

from common.catalogue.values import Address

from messaging.store.contacts import Place

_MOST = 50_000


class Places:
    """The most recently used ones; the tables have them all."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str, str], Place] = OrderedDict()

    def get(self, organisation: str, agent: str, address: Address) -> Place | None:
        """Where a message between these two belongs, if we remember."""
        key = (organisation, agent, address.kind, address.value)
        place = self._known.get(key)
        if place:
            self._known.move_to_end(key)
        return place

    def put(self, organisation: str, agent: str, address: Address, place: Place) -> None:
        """Remember what a committed transaction found or made."""
        self._known[organisation, agent, address.kind, address.value] = place
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

"""What each tier is shown of the tools. A profile only shortens the list: what the tier may call does not depend on it.

`core`, the default, is at most twelve tools, because clients cap them; `operations` is the rest, `all` is both.
"""

from __future__ import annotations

from typing import Any

from common.catalogue.provisioning import Tier
from mcp_types import ListToolsResult, ToolAnnotations
from mcp_types import Tool as Shown

from mcp_edge.tool import Offer

PROFILES = ("core", "operations", "all")


class Listing:
    """Lists built once."""

    def __init__(self, offers: dict[tuple[Tier, str], Offer]) -> None:
        self._lists = {
            (tier, profile): _list(offers, tier, profile) for tier in {t for t, _ in offers} for profile in PROFILES
        }
        self._schemas = {name: offer.schema for (_, name), offer in offers.items()}
        self.waiting = {name for (_, name), offer in offers.items() if offer.tool.waits}

    def tools(self, tier: Tier, profile: str) -> ListToolsResult:
        """The tools of a profile; an unknown profile is `core`."""
        return self._lists[tier, profile if profile in PROFILES else "core"]

    def schema(self, name: str) -> dict[str, Any] | None:
        """A tool's arguments, as the SDK asks for them to check headers that mirror arguments; we declare none."""
        return self._schemas.get(name)


def _list(offers: dict[tuple[Tier, str], Offer], tier: Tier, profile: str) -> ListToolsResult:
    mine = [offer for (of, _), offer in offers.items() if of == tier]
    return ListToolsResult(tools=[_shown(offer) for offer in mine if profile in ("all", _profile(offer))])


def _profile(offer: Offer) -> str:
    return "core" if offer.tier in offer.tool.core else "operations"


def _shown(offer: Offer) -> Shown:
    tool = offer.tool
    return Shown(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=offer.schema,
        output_schema=tool.result.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            read_only_hint=tool.effect == "reads",
            destructive_hint=tool.effect == "ends",
            idempotent_hint=tool.keyed or tool.effect != "adds",
            open_world_hint=tool.leaves,
        ),
    )

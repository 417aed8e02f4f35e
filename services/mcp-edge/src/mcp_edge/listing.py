"""What each tier is shown of the tools. A profile only shortens the list: what the tier may call does not depend on it.

`core`, the default, is at most twelve tools, because clients cap them; `operations` is the rest, `all` is both.
"""

from __future__ import annotations

import functools
from typing import Any

from common.catalogue.provisioning import Tier
from mcp_types import ListToolsResult, ToolAnnotations
from mcp_types import Tool as Shown
from pydantic import BaseModel

from mcp_edge.tool import Offer

PROFILES = ("core", "operations", "all")


class Listing:
    """Lists built once."""

    def __init__(self, offers: dict[tuple[Tier, str], Offer]) -> None:
        shown = {key: _shown(offer, _results(offer.tool.result)) for key, offer in offers.items()}
        self._lists: dict[tuple[Tier, str], ListToolsResult] = {}
        for (tier, name), offer in offers.items():
            for profile in ("all", _profile(offer)):
                listed = self._lists.setdefault((tier, profile), ListToolsResult(tools=[]))
                listed.tools.append(shown[tier, name])
        self.waiting = {name for (_, name), offer in offers.items() if offer.tool.waits}

    def tools(self, tier: Tier, profile: str) -> ListToolsResult:
        """The tools of a profile; an unknown profile is `core`."""
        return self._lists[tier, profile if profile in PROFILES else "core"]


@functools.cache
def _results(result: type[BaseModel]) -> dict[str, Any]:
    return result.model_json_schema(mode="serialization")


def _profile(offer: Offer) -> str:
    return "core" if offer.tier in offer.tool.core else "operations"


def _shown(offer: Offer, results: dict[str, Any]) -> Shown:
    tool = offer.tool
    return Shown(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=offer.schema,
        output_schema=results,
        annotations=ToolAnnotations(
            read_only_hint=tool.effect == "reads",
            destructive_hint=tool.effect == "ends",
            idempotent_hint=tool.key == "always" or tool.effect != "adds",
            open_world_hint=tool.leaves,
        ),
    )

"""Carries out what a principal asks for, the same for tools and REST: offered, understood, run, counted, logged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import structlog
from common import ids, logs
from common.catalogue.provisioning import Tier
from common.errors import NotFound, SwitchboardError, Unavailable, Unknown
from common.messages import PLATFORM
from pydantic import BaseModel

from mcp_edge import metrics
from mcp_edge.call import Asker, Call, Errands, Progress, derived_key
from mcp_edge.principal import Principal
from mcp_edge.tool import Arguments, Offer, Tool
from mcp_edge.wakeups import Wakeups

Door = Literal["mcp", "rest"]
TIERS: tuple[Tier, ...] = ("agent", "organisation", "operator")

log = structlog.get_logger()


async def _silent(_done: float, _of: float, _words: str) -> None:
    """For callers that do not follow progress."""


class Desk:
    """All offers, and the way to the services behind them."""

    def __init__(self, tools: Iterable[Tool], bus: Asker, wakeups: Wakeups, *, progress_every: float) -> None:
        self._bus, self._wakeups, self._progress_every = bus, wakeups, progress_every
        self._errands = Errands()
        self.offers: dict[tuple[Tier, str], Offer] = {
            (tier, tool.name): tool.offer(tier) for tool in tools for tier in TIERS if tier in tool.tiers
        }

    async def perform(
        self,
        door: Door,
        principal: Principal,
        name: str,
        given: Mapping[str, Any],
        progress: Progress = _silent,
    ) -> BaseModel:
        """Do it and give the result; every refusal and failure comes as a `SwitchboardError`."""
        offer = self.offers.get((principal.tier, name))
        if offer is None:
            raise NotFound(f"unknown tool: {name[:80]}", code="unknown_tool")
        started, outcome, trace = time.perf_counter(), "gone", ids.trace_parent()
        try:
            arguments = offer.understand(given)
            call = self._call(principal, offer, arguments, trace, progress)
            result = await offer.tool.run(call, arguments)
            outcome = "ok"
        except SwitchboardError as error:
            outcome = error.code
            self._counted(door, principal, name, _kind(error))
            raise
        except Exception as error:
            outcome = "failed"
            log.exception("tool_failed", tool=name, trace=trace[3:35])
            self._counted(door, principal, name, "failed")
            raise Unavailable("something failed on our side; it is logged; try again", code="internal") from error
        else:
            self._counted(door, principal, name, "ok")
            return result
        finally:
            elapsed = time.perf_counter() - started
            metrics.call_seconds(name).observe(elapsed)
            logs.went_well(
                "tool",
                tool=name,
                door=door,
                tier=principal.tier,
                organisation=principal.organisation,
                outcome=outcome,
                ms=round(elapsed * 1e3, 1),
                trace=trace[3:35],
            )

    def _counted(self, door: Door, principal: Principal, name: str, outcome: str) -> None:
        metrics.calls(name, door, principal.tier, outcome).inc()

    def _call(self, principal: Principal, offer: Offer, arguments: Arguments, trace: str, progress: Progress) -> Call:
        above = principal.tier == "operator"
        organisation = getattr(arguments, "organisation", PLATFORM) if above else principal.organisation
        agent = principal.agent if principal.tier == "agent" else getattr(arguments, "agent", "")
        key = getattr(arguments, "idempotency_key", "")
        derived = offer.tool.key == "always" and not key
        return Call(
            principal=principal,
            organisation=organisation,
            agent=agent,
            key=derived_key(organisation, agent, offer.tool.name, arguments) if derived else key,
            key_derived=derived,
            not_after=getattr(arguments, "not_after", None),
            traceparent=trace,
            progress=progress,
            progress_every=self._progress_every,
            bus=self._bus,
            wakeups=self._wakeups,
            errands=self._errands,
        )

    async def finish_errands(self) -> None:
        """Until stopped; then return when what callers left behind is done."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._errands.finish()


def _kind(error: SwitchboardError) -> str:
    if isinstance(error, Unavailable):
        return "unavailable"
    return "unknown" if isinstance(error, Unknown) else "refused"

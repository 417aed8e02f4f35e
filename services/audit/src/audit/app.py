"""Puts audit together."""

from __future__ import annotations

import asyncio

from common import service
from common.service import Service

from audit import handlers
from audit.checkpoints import Notary
from audit.intake import Intake
from audit.settings import Settings
from audit.watch import Watch


async def build(settings: Settings) -> Service:
    """Audit, ready to run."""
    house = service.worker("audit", settings)
    assert house.database is not None  # noqa: S101 - a worker has one
    key = settings.key("audit-checkpoint.key")
    notary = Notary(settings.checkpoint_folder / f"checkpoints-{settings.instance}.jsonl", key)
    await asyncio.to_thread(notary.open)
    watch = Watch(house.database, notary, settings)
    handlers.register(house.bus, house.database, Intake(house.database))
    house.background |= {"gaps": watch.gaps, "checkpoints": watch.checkpoints}
    house.closing.append(watch.checkpoint)
    return house

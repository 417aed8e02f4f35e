"""Puts audit together."""

from __future__ import annotations

import asyncio
from pathlib import Path

from common import service
from common.service import Service

from audit import handlers
from audit.checkpoints import BadCheckpoint, Notary
from audit.intake import Intake
from audit.settings import Settings
from audit.watch import Watch


async def build(settings: Settings) -> Service:
    """Audit, ready to run."""
    house = service.worker("audit", settings)
    assert house.database is not None  # noqa: S101 - a worker has one
    key = settings.key("audit-checkpoint.key")
    notary = await asyncio.to_thread(
        _notary, settings.checkpoint_folder / f"checkpoints-{settings.instance}.jsonl", key
    )
    watch = Watch(house.database, notary, settings)
    handlers.register(house.bus, house.database, Intake(house.database))
    house.background |= {"gaps": watch.gaps, "checkpoints": watch.checkpoints}
    house.closing.append(watch.checkpoint)
    return house


def _notary(path: Path, key: bytes) -> Notary:
    notary = Notary(path, key)
    try:
        notary.open()
    except BadCheckpoint as error:
        raise SystemExit(
            f"{path}: {error}. Someone changed it, or audit-checkpoint.key is another: keep the file as evidence, "
            "move it away and start again"
        ) from error
    return notary

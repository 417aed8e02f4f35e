"""The streams of the broker. Only the migration step declares them; it does so again when a broker lost its data."""

from __future__ import annotations

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

EVENTS = "EVENTS"
DEAD = "DEAD"
BUCKETS = ("directory", "credentials")
"""Key-value buckets of snapshots, see `snapshot`."""

MAX_DELIVERIES = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.EVENTS.>"
"""Where the broker tells which message a consumer gave up on without a word, such as one that kills its worker."""

_DAY = 24 * 3600.0
_GIB = 1024**3


def _configs() -> list[StreamConfig]:
    events = StreamConfig(
        name=EVENTS,
        subjects=["comms.>"],
        max_age=7 * _DAY,
        max_bytes=8 * _GIB,
        discard=DiscardPolicy.NEW,  # a full stream refuses at once; the outbox keeps what it refused
        duplicate_window=120,
        allow_atomic=True,
    )
    dead = StreamConfig(name=DEAD, subjects=["dead.>", MAX_DELIVERIES], max_age=30 * _DAY, max_bytes=_GIB)
    buckets = [
        StreamConfig(
            name=f"KV_{bucket}",
            subjects=[f"$KV.{bucket}.>"],
            max_msgs_per_subject=1,
            max_bytes=_GIB,
            allow_rollup_hdrs=True,
            allow_direct=True,
            deny_delete=True,
        )
        for bucket in BUCKETS
    ]
    return [events, dead, *buckets]


async def declare(js: JetStreamContext, *, replicas: int = 1) -> list[str]:
    """Create or update every stream and bucket; gives the names of those that were missing."""
    created = await declare_missing(js, replicas=replicas)
    for config in _configs():
        if config.name not in created:
            await js.update_stream(_stored(config, replicas))
    return created


async def declare_missing(js: JetStreamContext, *, replicas: int = 1) -> list[str]:
    """Create what a broker lost and leave the rest as it is; gives the names of those that were missing."""
    created = []
    for config in _configs():
        try:
            await js.stream_info(str(config.name))
        except NotFoundError:
            await js.add_stream(_stored(config, replicas))
            created.append(str(config.name))
    return created


def _stored(config: StreamConfig, replicas: int) -> StreamConfig:
    return config.evolve(storage=StorageType.FILE, num_replicas=replicas)

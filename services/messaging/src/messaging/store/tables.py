"""The tables, and nothing else. Every row of a tenant carries its organisation."""

from __future__ import annotations

import sqlalchemy as sa
from common import inbox, outbox, replies
from common.db import Utc

metadata = sa.MetaData()

outbox.tables(metadata)
inbox.table(metadata)
replies.table(metadata)

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(64), primary_key=True),
    sa.Column("last_cursor", sa.BigInteger, nullable=False),
)

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("contact", sa.String(64), primary_key=True),
    sa.Column("organisation", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("merged_into", sa.String(64)),
)

contact_addresses = sa.Table(
    "contact_addresses",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(320), primary_key=True),
    sa.Column("contact", sa.String(64), nullable=False, index=True),
)

threads = sa.Table(
    "threads",
    metadata,
    sa.Column("thread", sa.String(64), primary_key=True),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(64), nullable=False),
    sa.Column("contact", sa.String(64), nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.UniqueConstraint("organisation", "agent", "contact", name="threads_pair"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("message", sa.String(64), primary_key=True),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(64), nullable=False),
    sa.Column("cursor", sa.BigInteger, nullable=False),
    sa.Column("thread", sa.String(64), nullable=False),
    sa.Column("contact", sa.String(64), nullable=False),
    sa.Column("direction", sa.String(3), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("sender", sa.String(320), nullable=False),
    sa.Column("recipient", sa.String(320), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("media", sa.Text, nullable=False),
    sa.Column("segments", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("trust", sa.Text),
    sa.Column("provider_id", sa.String(64), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("acknowledged_at", Utc),
    sa.UniqueConstraint("organisation", "agent", "cursor", name="messages_cursor"),
    sa.Index("messages_thread", "thread", "cursor"),
)
"""`at` is the time of acceptance. The id of a text from outside is derived from the provider's: never stored twice."""

waiting = sa.Table(
    "waiting",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(64), primary_key=True),
    sa.Column("cursor", sa.BigInteger, primary_key=True),
    sa.Column("message", sa.String(64), nullable=False, unique=True),
    sa.Column("thread", sa.String(64), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("lease", sa.String(64)),
    sa.Column("leased_until", Utc),
    sa.Column("deliveries", sa.Integer, nullable=False),
    sa.Index("waiting_order", "organisation", "agent", "at", "cursor"),
)
"""What agents have not acknowledged yet: a row goes when its message is dealt with. `at` is the time of acceptance, the
order in which they are handed out; several replicas may store them, and so number them, in another."""

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(64), primary_key=True),
    sa.Column("channel", sa.String(16), primary_key=True),
    sa.Column("contact", sa.String(64), primary_key=True),
    sa.Column("opted_in", sa.Boolean, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("since", Utc, nullable=False),
)

stops = sa.Table(
    "stops",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(64), primary_key=True),
    sa.Column("channel", sa.String(16), primary_key=True),
    sa.Column("stopped", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", Utc, nullable=False),
)
"""Kill switches; an empty agent means the whole organisation."""

destinations = sa.Table(
    "destinations",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("countries", sa.Text, nullable=False),
    sa.Column("since", Utc, nullable=False),
)

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("operation", sa.String(64), primary_key=True),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(64), nullable=False),
    sa.Column("message", sa.String(64), nullable=False, unique=True),
    sa.Column("route", sa.String(64), nullable=False),
    sa.Column("provider", sa.String(32), nullable=False),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("due_at", Utc),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("deadline", Utc, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("traceparent", sa.String(64), nullable=False),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("absent", sa.Integer, nullable=False),
    sa.Column("unknown_at", Utc),
    sa.Column("person_decides_at", Utc),
    sa.Column("person_asked", sa.Boolean, nullable=False),
    sa.Index(
        "operations_due",
        "due_at",
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
    sa.Index(
        "operations_unknown",
        "organisation",
        "unknown_at",
        sqlite_where=sa.text("state = 'unknown'"),
        postgresql_where=sa.text("state = 'unknown'"),
    ),
)
"""The ledger of acts at providers. `due_at` is when somebody must look at an open one: to send it, to take it over from
a replica that died, to look for it. Ended ones have none. `fence` rises with each claim: a stale holder changes
nothing.
"""

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("attempt", sa.String(64), primary_key=True),
    sa.Column("operation", sa.String(64), nullable=False, index=True),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("provider", sa.String(32), nullable=False),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Column("provider_id", sa.String(64)),
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("ended_at", Utc),
    sa.Column("price_due_at", Utc),
    sa.Column("price_polls", sa.Integer, nullable=False),
    sa.Column("price_micros", sa.BigInteger),
    sa.Column("price_currency", sa.String(3)),
    sa.UniqueConstraint("provider", "account", "provider_id", name="attempts_provider_id"),
    sa.Index(
        "attempts_price_due",
        "price_due_at",
        sqlite_where=sa.text("price_due_at IS NOT NULL"),
        postgresql_where=sa.text("price_due_at IS NOT NULL"),
    ),
)
"""One request to a provider each: in_flight, then taken, not_taken, nothing_left (tried again) or unknown."""

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("seq", _serial, primary_key=True, autoincrement=True),
    sa.Column("message", sa.String(64), nullable=False, index=True),
    sa.Column("at", Utc, nullable=False),
    sa.Column("what", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
"""What happened to each message, for people and agents who ask."""

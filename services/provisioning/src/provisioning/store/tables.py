"""The tables: who exists, what they own, who may come in, and what the sagas did."""

from __future__ import annotations

import sqlalchemy as sa
from common import inbox, outbox, replies
from common.db import Utc

metadata = sa.MetaData()
outbox.tables(metadata)
inbox.table(metadata)
replies.table(metadata)


def _id(name: str, *, primary: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), primary_key=primary, nullable=False)


organisations = sa.Table(
    "organisations",
    metadata,
    _id("id", primary=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
)

projects = sa.Table(
    "projects",
    metadata,
    _id("id", primary=True),
    _id("organisation"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Index("projects_organisation", "organisation", "created_at"),
)

agents = sa.Table(
    "agents",
    metadata,
    _id("id", primary=True),
    _id("organisation"),
    _id("project"),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("address", sa.String(320), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("closed_at", Utc),
    sa.Index("agents_organisation", "organisation", "created_at"),
)

# A row is a claim first (no provider_id) and a possession later. Its primary key is what keeps two sagas from buying
# one number: providers answer a second purchase of a number one already owns with success.
numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("number", sa.String(32), primary_key=True),
    _id("organisation"),
    _id("agent"),
    sa.Column("saga", sa.String(64), nullable=False, unique=True),
    sa.Column("provider_id", sa.String(64), nullable=False),
    sa.Column("monthly_micros", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("claimed_at", Utc, nullable=False),
    sa.Index("numbers_agent", "agent"),
)

routes = sa.Table(
    "routes",
    metadata,
    _id("route", primary=True),
    _id("organisation"),
    _id("agent"),
    sa.Column("provider", sa.String(32), nullable=False),
    sa.Column("account", sa.String(64), nullable=False),
    sa.Index("routes_agent", "agent"),
)

addresses = sa.Table(
    "addresses",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("value", sa.String(320), primary_key=True),
    _id("route"),
    sa.Index("addresses_route", "route"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    _id("id", primary=True),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("tier", sa.String(16), nullable=False),
    _id("organisation"),
    _id("agent"),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("expires_at", Utc),
    sa.Column("revoked_at", Utc),
    sa.Index("tokens_organisation", "organisation", "agent"),
)

credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("provider", sa.String(32), primary_key=True),
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("main", sa.Boolean, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
)

# `revision` rises in the transaction of every change; the lease keeps two replicas from writing one bucket at once.
snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("publisher", sa.String(64)),
    sa.Column("publisher_until", Utc),
)

sagas = sa.Table(
    "sagas",
    metadata,
    _id("id", primary=True),
    sa.Column("kind", sa.String(32), nullable=False),
    _id("organisation"),
    _id("agent"),
    sa.Column("intent", sa.String(32), unique=True),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("started", sa.Boolean, nullable=False),
    sa.Column("wish", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("stuck", sa.Boolean, nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease_until", Utc),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("next_try_at", Utc, nullable=False),
    _id("token"),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("ended_at", Utc),
    sa.Index("sagas_agent", "agent", "created_at"),
    sa.Index("sagas_state", "state", "next_try_at"),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("saga", sa.String(64), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("at", Utc, nullable=False),
    sa.Column("step", sa.String(32), nullable=False),
    sa.Column("mark", sa.String(16), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)

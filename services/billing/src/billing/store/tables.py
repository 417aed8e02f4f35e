"""The tables. Money is integer micro-units of USD; every key begins with its organisation."""

from __future__ import annotations

import sqlalchemy as sa
from common import inbox, outbox, replies
from common.db import Utc

metadata = sa.MetaData()

outbox.tables(metadata)
inbox.table(metadata)
replies.table(metadata)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, primary_key=True),  # empty: the organisation itself
    sa.Column("limits_set", sa.Boolean, nullable=False),
    sa.Column("money_per_day", sa.BigInteger),
    sa.Column("money_per_month", sa.BigInteger),
    sa.Column("messages_per_day", sa.BigInteger),
    sa.Column("messages_per_month", sa.BigInteger),
    sa.Column("rate_per_minute", sa.Integer),
    sa.Column("markup", sa.Integer, nullable=False),  # basis points; the organisation's counts
    sa.Column("tat", sa.BigInteger, nullable=False),  # rate clock, microseconds since 1970
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, primary_key=True),  # empty: the organisation itself
    sa.Column("period", sa.String(10), primary_key=True),  # 2026-11-21 or 2026-11
    sa.Column("money_used", sa.BigInteger, nullable=False),
    sa.Column("money_held", sa.BigInteger, nullable=False),
    sa.Column("messages_used", sa.BigInteger, nullable=False),
    sa.Column("messages_held", sa.BigInteger, nullable=False),
)

charges = sa.Table(
    "charges",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("hold", sa.Text, primary_key=True),
    sa.Column("at", Utc, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("held", sa.BigInteger, nullable=False),
    sa.Column("markup", sa.Integer, nullable=False),
    sa.Column("authorised", sa.Boolean, nullable=False),
    sa.Column("price", sa.BigInteger),
    sa.Index(
        "charges_open",
        "at",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
)

postings = sa.Table(
    "postings",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("organisation", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("billed", sa.BigInteger, nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("hold", sa.Text, nullable=False),
    sa.Column("correction", sa.Boolean, nullable=False),
    sa.Index("postings_day", "organisation", "day"),
)

usage = sa.Table(
    "usage",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("billed", sa.BigInteger, nullable=False),
)

rents = sa.Table(
    "rents",
    metadata,
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("purchase", sa.Text, primary_key=True),  # the provider's id of the number we own
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("monthly", sa.BigInteger),
    sa.Column("next_month", sa.String(7), nullable=False),
    sa.Column("last_month", sa.String(7)),
    sa.Index("rents_next_month", "next_month"),
)

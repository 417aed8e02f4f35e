"""The tables of audit."""

from __future__ import annotations

import sqlalchemy as sa
from common import inbox, outbox
from common.db import Utc

metadata = sa.MetaData()
outbox_rows, _ = outbox.tables(metadata)
inbox.table(metadata)

heads = sa.Table(
    "heads",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("time", sa.String(64), nullable=False),
    sa.Column("commitment", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Index("entries_event", "event", "organisation", unique=True),
)

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("organisation", sa.String(64), primary_key=True),
    sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("body", sa.LargeBinary),
)

producers = sa.Table(
    "producers",
    metadata,
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("highest", sa.BigInteger, nullable=False),
)

gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("since", Utc, nullable=False),
    sa.Column("alerted", sa.Boolean, nullable=False),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("organisation", sa.String(64), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Index("alerts_organisation", "organisation", "at"),
    sa.Index("alerts_at", "at"),
)

"""The first tables: chains, producers' gaps, alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _shared()
    op.create_table(
        "heads",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "entries",
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
    op.create_table(
        "payloads",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("body", sa.LargeBinary),
    )
    _watched()


def _shared() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("incarnation", sa.String(64)),
        sa.Column("stream_seq", sa.BigInteger),
        sa.Index(
            "outbox_open",
            "seq",
            sqlite_where=sa.text("stream_seq IS NULL"),
            postgresql_where=sa.text("stream_seq IS NULL"),
        ),
        sa.Index("outbox_stream_seq", "stream_seq"),
    )
    op.create_table(
        "outbox_producer",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("sweeper", sa.String(64)),
        sa.Column("sweeper_until", sa.BigInteger),
    )
    op.create_table(
        "inbox",
        sa.Column("handler", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("handled_at", sa.BigInteger, nullable=False),
        sa.Index("inbox_handled_at", "handled_at"),
    )


def _watched() -> None:
    op.create_table(
        "producers",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("highest", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "gaps",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("alerted", sa.Boolean, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Index("alerts_organisation", "organisation", "at"),
        sa.Index("alerts_at", "at"),
    )

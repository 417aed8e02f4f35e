"""The first tables: accounts, counters, charges, the ledger, usage, rents."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _shared()
    _limits()
    _charges()
    _ledger()
    op.create_table(
        "rents",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("purchase", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("monthly", sa.BigInteger),
        sa.Column("next_month", sa.String(7), nullable=False),
        sa.Column("last_month", sa.String(7)),
        sa.Index("rents_next_month", "next_month"),
    )


def _limits() -> None:
    op.create_table(
        "accounts",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("limits_set", sa.Boolean, nullable=False),
        sa.Column("money_per_day", sa.BigInteger),
        sa.Column("money_per_month", sa.BigInteger),
        sa.Column("messages_per_day", sa.BigInteger),
        sa.Column("messages_per_month", sa.BigInteger),
        sa.Column("rate_per_minute", sa.Integer),
        sa.Column("markup", sa.Integer, nullable=False),
        sa.Column("tat", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("money_used", sa.BigInteger, nullable=False),
        sa.Column("money_held", sa.BigInteger, nullable=False),
        sa.Column("messages_used", sa.BigInteger, nullable=False),
        sa.Column("messages_held", sa.BigInteger, nullable=False),
    )


def _charges() -> None:
    op.create_table(
        "charges",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("hold", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
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


def _ledger() -> None:
    op.create_table(
        "postings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("billed", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("hold", sa.Text, nullable=False),
        sa.Column("correction", sa.Boolean, nullable=False),
        sa.Index("postings_day", "organisation", "day"),
    )
    op.create_table(
        "usage",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("billed", sa.BigInteger, nullable=False),
    )


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
    op.create_table(
        "replies",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Index("replies_at", "at"),
    )

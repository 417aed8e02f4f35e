"""The first tables: contacts and threads, messages and the inbox, consent, the operations ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _shared()
    _people()
    _texts()
    _permissions()
    _ledger()


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


def _people() -> None:
    op.create_table(
        "agents",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(64), primary_key=True),
        sa.Column("last_cursor", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "contacts",
        sa.Column("contact", sa.String(64), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("merged_into", sa.String(64)),
    )
    op.create_table(
        "contact_addresses",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("value", sa.String(320), primary_key=True),
        sa.Column("contact", sa.String(64), nullable=False, index=True),
    )
    op.create_table(
        "threads",
        sa.Column("thread", sa.String(64), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("contact", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("organisation", "agent", "contact", name="threads_pair"),
    )


def _texts() -> None:
    op.create_table(
        "messages",
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
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.UniqueConstraint("organisation", "agent", "cursor", name="messages_cursor"),
        sa.Index("messages_thread", "thread", "cursor"),
    )
    op.create_table(
        "waiting",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(64), primary_key=True),
        sa.Column("cursor", sa.BigInteger, primary_key=True),
        sa.Column("message", sa.String(64), nullable=False, unique=True),
        sa.Column("thread", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("lease", sa.String(64)),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("deliveries", sa.Integer, nullable=False),
    )
    op.create_index("waiting_order", "waiting", ["organisation", "agent", "at", "cursor"])
    op.create_table(
        "steps",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("message", sa.String(64), nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def _permissions() -> None:
    op.create_table(
        "consents",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("contact", sa.String(64), primary_key=True),
        sa.Column("opted_in", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "stops",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "destinations",
        sa.Column("organisation", sa.String(64), primary_key=True),
        sa.Column("countries", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )


def _ledger() -> None:
    op.create_table(
        "operations",
        sa.Column("operation", sa.String(64), primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("message", sa.String(64), nullable=False, unique=True),
        sa.Column("route", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("traceparent", sa.String(64), nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("absent", sa.Integer, nullable=False),
        sa.Column("unknown_at", sa.BigInteger),
        sa.Column("person_decides_at", sa.BigInteger),
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
    op.create_table(
        "attempts",
        sa.Column("attempt", sa.String(64), primary_key=True),
        sa.Column("operation", sa.String(64), nullable=False, index=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("provider_id", sa.String(64)),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("price_due_at", sa.BigInteger),
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

"""Tables of the carrier's one SQLite file: what exists now, and the ledger of everything it ever accepted."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    seq INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, auth_token TEXT NOT NULL, friendly_name TEXT NOT NULL,
    owner_sid TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS api_keys (
    seq INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, secret TEXT NOT NULL, account_sid TEXT NOT NULL,
    friendly_name TEXT NOT NULL, created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS numbers (
    seq INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, phone_number TEXT NOT NULL UNIQUE, account_sid TEXT NOT NULL,
    country TEXT NOT NULL, kind TEXT NOT NULL, settings TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS numbers_by_account ON numbers (account_sid, seq);
CREATE TABLE IF NOT EXISTS texts (
    seq INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, account_sid TEXT NOT NULL, direction TEXT NOT NULL,
    sender TEXT NOT NULL, recipient TEXT NOT NULL, body TEXT NOT NULL, status TEXT NOT NULL,
    num_segments INTEGER NOT NULL, num_media INTEGER NOT NULL, error_code INTEGER, error_message TEXT, price TEXT,
    price_due REAL, status_callback TEXT, validity_s INTEGER NOT NULL, webhook TEXT,
    created REAL NOT NULL, updated REAL NOT NULL, sent REAL, deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS texts_by_account ON texts (account_sid, seq);
CREATE INDEX IF NOT EXISTS texts_by_pair ON texts (account_sid, recipient, seq);
CREATE INDEX IF NOT EXISTS texts_unfinished ON texts (seq) WHERE status IN ('queued', 'sending', 'sent')
    OR webhook = 'pending' OR price_due IS NOT NULL;
CREATE TABLE IF NOT EXISTS media (
    seq INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, text_sid TEXT NOT NULL, account_sid TEXT NOT NULL,
    content_type TEXT NOT NULL, source TEXT NOT NULL, content BLOB, key TEXT NOT NULL UNIQUE, created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS media_by_text ON media (text_sid, seq);
CREATE TABLE IF NOT EXISTS blocks (
    ours TEXT NOT NULL, person TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (ours, person)
);
CREATE TABLE IF NOT EXISTS phones (
    address TEXT PRIMARY KEY, behaviour TEXT NOT NULL, error_code INTEGER, delay_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS received (
    id INTEGER PRIMARY KEY AUTOINCREMENT, person TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,
    text_sid TEXT NOT NULL UNIQUE, at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS received_by_person ON received (person, id);
CREATE TABLE IF NOT EXISTS ledger (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, account_sid TEXT NOT NULL,
    provider_id TEXT NOT NULL, sender TEXT, recipient TEXT, body TEXT, body_sha256 TEXT, price TEXT,
    request_id TEXT, user_agent TEXT, detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_by_kind ON ledger (kind, seq);
CREATE TABLE IF NOT EXISTS debugger (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, account_sid TEXT NOT NULL, code INTEGER NOT NULL,
    reason TEXT NOT NULL, url TEXT NOT NULL, resource_sid TEXT NOT NULL
);
"""

TABLES = ("api_keys", "numbers", "texts", "media", "blocks", "phones", "received", "ledger", "debugger")

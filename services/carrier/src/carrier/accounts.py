"""Accounts: the main one and its subaccounts, with their credentials. Held in memory, written through."""

import secrets
import sqlite3
import time
from dataclasses import dataclass, replace
from hmac import compare_digest

from carrier.errors import ProviderError, bad_parameter, not_found
from carrier.ledger import Entry, Facts, record
from carrier.store import Store

STATUSES = ("active", "suspended", "closed")
MOST_SUBACCOUNTS = 1000


@dataclass(frozen=True)
class Account:
    """One account; the main one owns itself."""

    sid: str
    auth_token: str
    friendly_name: str
    owner_sid: str
    status: str
    created: float
    updated: float

    @property
    def is_main(self) -> bool:
        """Tell whether this is the account all others belong to."""
        return self.owner_sid == self.sid


@dataclass(frozen=True)
class ApiKey:
    """Credentials of their own for one account; the secret is shown once."""

    sid: str
    secret: str
    account_sid: str
    friendly_name: str
    created: float


class Accounts:
    """All accounts and API keys by sid."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.by_sid: dict[str, Account] = {}
        self.keys: dict[str, ApiKey] = {}

    async def load(self, sid: str, token: str) -> None:
        """Read what is stored and make sure the main account exists with this token."""
        now = time.time()
        main = Account(sid, token, "Main account", sid, "active", now, now)
        await self._store.write(lambda conn: _ensure(conn, main))
        rows, keys = await self._store.read(
            lambda conn: (
                conn.execute("SELECT * FROM accounts ORDER BY seq").fetchall(),
                conn.execute("SELECT * FROM api_keys ORDER BY seq").fetchall(),
            )
        )
        self.by_sid = {row["sid"]: _account(row) for row in rows}
        self.keys = {row["sid"]: ApiKey(**{k: row[k] for k in row.keys() if k != "seq"}) for row in keys}  # noqa: SIM118

    def authenticate(self, username: str, password: str) -> Account | None:
        """Return the account these credentials belong to. Takes the same time for any wrong password."""
        account, expected = self.by_sid.get(username), ""
        if account:
            expected = account.auth_token
        elif key := self.keys.get(username):
            account, expected = self.by_sid.get(key.account_sid), key.secret
        matches = compare_digest(password.encode(), expected.encode())
        return account if matches and expected else None

    async def create(self, owner: Account, name: str, facts: Facts) -> Account:
        """Open a subaccount of the main account."""
        if not owner.is_main:
            raise ProviderError(403, 20403, "Subaccounts cannot create subaccounts")
        if len(self.by_sid) > MOST_SUBACCOUNTS:
            raise bad_parameter(f"The limit of {MOST_SUBACCOUNTS} subaccounts is reached")
        now = time.time()
        account = Account(
            "AC" + secrets.token_hex(16), secrets.token_hex(16), name or "SubAccount", owner.sid, "active", now, now
        )
        await self._store.write(lambda conn: _create(conn, account, facts))
        self.by_sid[account.sid] = account
        return account

    async def update(self, account: Account, name: str | None, status: str | None, facts: Facts) -> Account:
        """Rename an account or change its status. Closing is final and releases its numbers."""
        if status is not None:
            _check_change(account, status)
        changed = replace(
            account, friendly_name=name or account.friendly_name, status=status or account.status, updated=time.time()
        )
        await self._store.write(lambda conn: _update(conn, account, changed, facts))
        self.by_sid[account.sid] = changed
        return changed

    async def create_key(self, account: Account, name: str) -> ApiKey:
        """Draw a new API key for an account."""
        key = ApiKey("SK" + secrets.token_hex(16), secrets.token_hex(16), account.sid, name, time.time())
        await self._store.write(
            lambda conn: conn.execute(
                "INSERT INTO api_keys (sid, secret, account_sid, friendly_name, created) VALUES (?,?,?,?,?)",
                (key.sid, key.secret, key.account_sid, key.friendly_name, key.created),
            )
        )
        self.keys[key.sid] = key
        return key

    async def delete_key(self, account: Account, sid: str) -> None:
        """Revoke an API key at once."""
        key = self.keys.get(sid)
        if key is None or key.account_sid != account.sid:
            raise not_found(f"/Keys/{sid}")
        await self._store.write(lambda conn: conn.execute("DELETE FROM api_keys WHERE sid = ?", (sid,)))
        del self.keys[sid]


def _account(row: sqlite3.Row) -> Account:
    return Account(*(row[name] for name in Account.__dataclass_fields__))


def _check_change(account: Account, status: str) -> None:
    if status not in STATUSES:
        raise bad_parameter(f"Status must be one of {', '.join(STATUSES)}")
    if account.is_main and status != "active":
        raise bad_parameter("The main account cannot be suspended or closed by the API")
    if account.status == "closed" and status != "closed":
        raise bad_parameter("A closed account cannot be opened again")


def _ensure(conn: sqlite3.Connection, main: Account) -> None:
    conn.execute(
        "INSERT INTO accounts (sid, auth_token, friendly_name, owner_sid, status, created, updated)"
        " VALUES (?,?,?,?,?,?,?) ON CONFLICT (sid) DO UPDATE SET auth_token = excluded.auth_token",
        (main.sid, main.auth_token, main.friendly_name, main.owner_sid, main.status, main.created, main.updated),
    )


def _create(conn: sqlite3.Connection, account: Account, facts: Facts) -> None:
    _ensure(conn, account)
    detail = {"friendly_name": account.friendly_name, "owner": account.owner_sid}
    record(conn, Entry("subaccount_created", account.sid, account.sid, facts=facts, detail=detail))


def _update(conn: sqlite3.Connection, before: Account, after: Account, facts: Facts) -> None:
    conn.execute(
        "UPDATE accounts SET friendly_name = ?, status = ?, updated = ? WHERE sid = ?",
        (after.friendly_name, after.status, after.updated, after.sid),
    )
    detail = {"friendly_name": after.friendly_name, "status": after.status, "before": before.status}
    record(conn, Entry("account_updated", after.sid, after.sid, facts=facts, detail=detail))
    if after.status == "closed":
        for row in conn.execute("SELECT sid, phone_number FROM numbers WHERE account_sid = ?", (after.sid,)).fetchall():
            released = {"reason": "account closed"}
            record(conn, Entry("number_released", after.sid, row["sid"], None, row["phone_number"], detail=released))
        conn.execute("DELETE FROM numbers WHERE account_sid = ?", (after.sid,))

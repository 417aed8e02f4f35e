"""The owner's provider accounts: kept sealed in the database, published for those who call or verify.

And the operator's token, whose hash is kept the same way. Both come from secret files, which are read at the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from common import ids, tokens
from common.catalogue.provisioning import TokenIssued, TokenRevoked
from common.db import Database, Tx
from common.directory import CREDENTIALS, DIRECTORY, Credential
from common.errors import NotFound, Rejected
from common.messages import PLATFORM
from common.sealed import Sealer

from provisioning.providers.port import Account, NumberProvider
from provisioning.store import snapshots
from provisioning.store import tokens as token_rows


@dataclass
class Accounts:
    """The accounts this worker can call."""

    accounts: list[Account] = field(default_factory=list)

    def main(self) -> Account:
        """Where numbers are bought. `Rejected` when nothing is configured."""
        if not self.accounts:
            raise Rejected(
                "no provider account is configured; put its secret file into the secrets folder and restart",
                code="no_provider",
            )
        return self.accounts[0]

    def numbers(self, provider: str, account: str) -> NumberProvider:
        """The port of an account; `NotFound` for one whose credentials are gone."""
        for one in self.accounts:
            if (one.provider, one.account) == (provider, account):
                return one.numbers
        raise NotFound(f"no credentials for {provider} account …{account[-4:]}", code="no_credentials")


async def keep_credentials(database: Database, sealer: Sealer, accounts: list[Account]) -> None:
    """Seal what is new or changed; what is the same stays as it is, and so does the revision."""
    sealed = {one.name: one for one in await database.read(snapshots.all_credentials, long=True)}
    changed = [one for one in accounts if not _same(sealer, sealed.get(f"{one.provider}/{one.account}"), one)]
    records = [_record(sealer, one) for one in changed]

    def put(tx: Tx) -> None:
        for record in records:
            snapshots.put_credential(tx, record)
        if records or not snapshots.revision(tx, CREDENTIALS):
            snapshots.raise_revision(tx, CREDENTIALS)

    await database.write(put)


def _record(sealer: Sealer, account: Account) -> Credential:
    name = f"{account.provider}/{account.account}"
    sealed = sealer.seal(name, account.secret)
    return Credential(provider=account.provider, account=account.account, sealed=sealed, main=True)


def _same(sealer: Sealer, record: Credential | None, account: Account) -> bool:
    if record is None or not record.main:
        return False
    try:
        return sealer.open(record.name, record.sealed) == account.secret
    except Rejected:
        return False


async def keep_operator(database: Database, token: str, pepper: bytes) -> None:
    """The operator's token is this one and no other. Refuses one that the edges would turn away."""
    if not tokens.well_formed(token):
        raise SystemExit("the secret file operator.token holds no valid token; `switchboard secrets` creates one")
    hashed, fresh = tokens.hashed(token, pepper), ids.random("tok")

    def put(tx: Tx) -> None:
        known = token_rows.operators(tx)
        if set(known) == {hashed}:
            return
        for old in (one for one_hash, one in known.items() if one_hash != hashed):
            token_rows.revoke(tx, old)
            tx.stage(TokenRevoked.first(PLATFORM, key=f"{old}:{fresh}", token=old))
        if hashed not in known and not token_rows.revive(tx, hashed):
            token_rows.add(tx, fresh, hashed, "operator", PLATFORM)
            tx.stage(TokenIssued.first(PLATFORM, key=fresh, token=fresh, tier="operator"))
        snapshots.raise_revision(tx, DIRECTORY)

    await database.write(put)

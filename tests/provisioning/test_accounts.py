"""The owner's secrets, kept by every replica that starts."""

from __future__ import annotations

import asyncio
import secrets

from common import tokens
from common.db import Database
from common.sealed import Sealer
from provisioning.accounts import keep_credentials, keep_operator
from provisioning.providers.port import Account
from provisioning.store import metadata, snapshots
from provisioning.store.tokens import operators

from tests.provisioning.fakes import FakeProvider
from tests.support.databases import Postgres


async def test_replicas_that_start_at_once_keep_the_same_new_secrets(postgres: Postgres) -> None:
    url, sealer = postgres.database(f"t{secrets.token_hex(6)}"), Sealer(bytes(32))
    replicas = Database(url), Database(url)
    metadata.create_all(replicas[0].engine)
    for n in range(5):
        operator, account = tokens.new("operator"), f"AC{n}"
        accounts = [Account("carrier", account, "s3cret", FakeProvider())]
        await asyncio.gather(*(keep_operator(replica, operator, b"pepper") for replica in replicas))
        await asyncio.gather(*(keep_credentials(replica, sealer, accounts) for replica in replicas))
        assert set(await replicas[0].read(operators)) == {tokens.hashed(operator, b"pepper")}
        assert [one.account for one in await replicas[0].read(snapshots.all_credentials) if one.main] == [account]
    for replica in replicas:
        await replica.close()

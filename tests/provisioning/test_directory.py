"""The snapshots live as long as the database: after restarts, rotations, and a broker that forgot everything."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest
from common import tokens
from common.catalogue.provisioning import RevokeToken
from common.db import Database
from common.directory import CREDENTIALS, DIRECTORY
from common.migrate import upgrade
from provisioning.app import build
from provisioning.store import snapshots

from tests.conftest import declare_streams
from tests.provisioning.living import a_house, a_worker, settings_for, write_secrets
from tests.support.servers import Broker


async def test_a_broker_that_forgot_everything_is_given_the_directory_again(broker: Broker, tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", "AC" + "0" * 32, "s3cret")
    settings = settings_for(broker.url, "", tmp_path)
    async with a_house(settings) as house, a_worker(settings):
        acme = await house.organisation()
        broker.kill()
        broker.forget()
        broker.start()
        await declare_streams(broker)
        house.followers[0].revision = 0
        house.directory.tokens.clear()
        await house.eventually(lambda: house.token(acme.token) is not None, seconds=20)


async def test_a_new_operator_file_replaces_the_old_token(broker: Broker, tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", "AC" + "0" * 32, "s3cret")
    settings = settings_for(broker.url, "", tmp_path)
    old, new = settings.secret("operator.token"), tokens.new("operator")
    async with a_house(settings) as house:
        async with a_worker(settings):
            await house.eventually(lambda: house.token(old) is not None)
        (settings.secrets / "operator.token").write_text(new)
        async with a_worker(settings):
            await house.eventually(lambda: house.token(new) is not None)
            assert house.token(old) is None
            assert house.token(new).tier == "operator"


async def test_a_changed_account_secret_is_published_at_the_next_start(broker: Broker, tmp_path: Path) -> None:
    account = "AC" + "0" * 32
    write_secrets(tmp_path / "secrets", account, "s3cret")
    settings = settings_for(broker.url, "", tmp_path)
    async with a_house(settings) as house:
        async with a_worker(settings):
            await house.eventually(lambda: house.followers[1].loaded)
        changed = json.dumps({"account_sid": account, "auth_token": "n3w"})
        (settings.secrets / "twilio.json").write_text(changed)
        before = house.followers[1].revision
        async with a_worker(settings):
            await house.eventually(lambda: house.followers[1].revision > before)
            assert house.credentials.secret("twilio", account) == "n3w"


@pytest.mark.parametrize("content", ["", "sbd_op_tooshort"])
async def test_a_missing_or_malformed_operator_token_keeps_the_service_from_starting(
    broker: Broker, tmp_path: Path, content: str
) -> None:
    write_secrets(tmp_path / "secrets", "AC" + "0" * 32, "s3cret")
    (tmp_path / "secrets" / "operator.token").write_text(content)
    with pytest.raises(SystemExit, match=r"operator\.token"):
        await build(settings_for(broker.url, "", tmp_path))


async def test_two_replicas_publish_every_revocation(broker: Broker, database_url: str, tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", "AC" + "0" * 32, "s3cret")
    settings = settings_for(broker.url, database_url, tmp_path)
    async with a_house(settings) as house, a_worker(settings), a_worker(settings):
        made = await asyncio.gather(*(house.organisation(f"O{n}") for n in range(12)))
        await asyncio.gather(
            *(house.ask(RevokeToken(organisation=one.organisation, token_id=one.token_id)) for one in made[::2])
        )
        await house.eventually(lambda: not any(house.token(one.token) for one in made[::2]), seconds=2)
        assert all(house.token(one.token) for one in made[1::2])


async def test_unchanged_secrets_leave_the_revisions_alone(broker: Broker, tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", "AC" + "0" * 32, "s3cret")
    settings = settings_for(broker.url, "", tmp_path)
    upgrade("provisioning", settings.database("provisioning"))
    database = Database(settings.database("provisioning"))
    seen = []
    for _ in range(2):
        worker = await build(settings)
        assert worker.database
        await worker.database.close()
        names = (DIRECTORY, CREDENTIALS)
        seen.append([await database.read(partial(snapshots.revision, name=name)) for name in names])
    await database.close()
    assert seen[0] == seen[1]
    assert all(seen[0])


async def test_revisions_follow_the_clock_and_never_stand_still(database_url: str) -> None:
    database = Database(database_url)
    first = await database.write(lambda tx: snapshots.raise_revision(tx, DIRECTORY))
    more = [await database.write(lambda tx: snapshots.raise_revision(tx, DIRECTORY)) for _ in range(5)]
    now = await database.read(lambda tx: tx.now.timestamp() * 1000)
    assert sorted({first, *more}) == [first, *more]
    assert abs(more[-1] - now) < 60_000
    await database.close()

"""Organisations, tokens and the directory: shown once, stored as hashes, revoked everywhere when told."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from common import tokens
from common.catalogue.provisioning import (
    CreateOrganisation,
    CreateProject,
    IssueToken,
    ListOrganisations,
    ListTokens,
    ProvisionChannels,
    RevokeToken,
)
from common.db import Database
from common.errors import Conflict, NotFound, Rejected
from common.messages import PLATFORM
from provisioning.store import tenants

from tests.provisioning.living import House, a_house, a_worker, settings_for, write_secrets
from tests.support.servers import Broker


@pytest.fixture
async def house(broker: Broker, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    write_secrets(tmp_path / "secrets", "AC" + "0" * 32, "s3cret")
    settings = settings_for(broker.url, database_url, tmp_path)
    async with a_house(settings) as house, a_worker(settings):
        yield house


async def an_agent(house: House, organisation: str, state: str = "active") -> str:
    """An agent without the carrier: as its saga leaves it."""
    agent = f"agt_{secrets.token_hex(4)}"
    database = Database(house.settings.database("provisioning"))
    await database.write(lambda tx: tenants.add_agent(tx, agent, organisation, "prj", "A"))
    await database.write(lambda tx: tenants.change_agent(tx, agent, "provisioning", state=state))
    await database.close()
    return agent


async def test_an_organisation_comes_with_a_project_and_a_token_shown_once(house: House) -> None:
    order = CreateOrganisation(organisation=PLATFORM, title="Acme", key="k1")
    first, again = await house.ask(order), await house.ask(order)
    assert tokens.well_formed(first.token)
    assert (again.organisation, again.token_id, again.token) == (first.organisation, first.token_id, "")
    await house.eventually(lambda: house.token(first.token) is not None)
    assert house.token(first.token).tier == "organisation"
    await house.eventually(lambda: len(house.names(first.organisation)) == 3)
    listed = await house.ask(ListOrganisations(organisation=PLATFORM))
    assert [line.title for line in listed.organisations] == ["Acme"]


async def test_only_operators_make_and_list_organisations(house: House) -> None:
    acme = await house.organisation()
    with pytest.raises(Rejected, match="operator"):
        await house.ask(CreateOrganisation(organisation=acme.organisation, title="Mine"))
    with pytest.raises(Rejected, match="operator"):
        await house.ask(ListOrganisations(organisation=acme.organisation))


async def test_a_key_with_other_arguments_is_an_error(house: House) -> None:
    acme = await house.organisation()
    await house.ask(CreateProject(organisation=acme.organisation, title="One", key="k"))
    with pytest.raises(Conflict):
        await house.ask(CreateProject(organisation=acme.organisation, title="Two", key="k"))


async def test_an_agent_has_two_live_tokens_and_a_third_is_refused_with_what_to_do(house: House) -> None:
    acme = await house.organisation()
    agent = await an_agent(house, acme.organisation)
    wanted = [IssueToken(organisation=acme.organisation, agent=agent, key=f"k{n}") for n in range(6)]
    answers = await asyncio.gather(*map(house.ask, wanted), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 2
    refusal = next(answer for answer in answers if isinstance(answer, Rejected))
    assert "revoke one" in refusal.detail
    listed = await house.ask(ListTokens(organisation=acme.organisation, agent=agent))
    await house.ask(RevokeToken(organisation=acme.organisation, token_id=listed.tokens[0].token_id))
    assert (await house.ask(IssueToken(organisation=acme.organisation, agent=agent))).token


async def test_a_token_carries_scopes_and_an_expiry_and_counts_until_then(house: House) -> None:
    acme = await house.organisation()
    agent = await an_agent(house, acme.organisation)
    order = IssueToken(organisation=acme.organisation, agent=agent, scopes=["provision"], expires_in=3600)
    issued = await house.ask(order)
    await house.eventually(lambda: house.token(issued.token) is not None)
    entry = house.token(issued.token)
    assert (entry.agent, entry.scopes, entry.expires_at) == (agent, ["provision"], issued.expires_at)
    with pytest.raises(Rejected, match="no scope"):
        await house.ask(IssueToken(organisation=acme.organisation, agent=agent, scopes=["No Scope!"]))


async def test_a_revoked_token_is_gone_from_the_directory_when_the_answer_comes(house: House) -> None:
    acme = await house.organisation()
    await house.eventually(lambda: house.token(acme.token) is not None)
    done = await house.ask(RevokeToken(organisation=acme.organisation, token_id=acme.token_id))
    assert done.changed
    await house.eventually(lambda: house.token(acme.token) is None, seconds=1)
    again = await house.ask(RevokeToken(organisation=acme.organisation, token_id=acme.token_id))
    assert not again.changed


async def test_another_tenants_token_and_agent_look_like_none(house: House) -> None:
    acme, other = await house.organisation(), await house.organisation("Other")
    agent = await an_agent(house, acme.organisation)
    with pytest.raises(NotFound, match="there is no token"):
        await house.ask(RevokeToken(organisation=other.organisation, token_id=acme.token_id))
    with pytest.raises(NotFound, match="there is no agent"):
        await house.ask(IssueToken(organisation=other.organisation, agent=agent))
    with pytest.raises(NotFound, match="there is no agent"):
        await house.ask(ListTokens(organisation=other.organisation, agent=agent))
    assert (await house.ask(ListTokens(organisation=other.organisation))).tokens[0].token_id == other.token_id


async def test_bad_places_are_refused_with_what_to_write(house: House) -> None:
    acme = await house.organisation()
    for country, area_code, says in (("1!", "", "two letters"), ("US", "41", "three digits"), ("DE", "030", "empty")):
        with pytest.raises(Rejected, match=says):
            await house.ask(
                ProvisionChannels(organisation=acme.organisation, title="A", country=country, area_code=area_code)
            )


async def test_no_secret_is_in_the_database(house: House) -> None:
    acme = await house.organisation()
    agent = await an_agent(house, acme.organisation)
    issued = await house.ask(IssueToken(organisation=acme.organisation, agent=agent, key="k"))
    database = Database(house.settings.database("provisioning"))
    names = sa.inspect(database.engine).get_table_names()
    with database.engine.connect() as connection:
        rows = [repr(tuple(row)) for name in names for row in connection.execute(sa.text(f'SELECT * FROM "{name}"'))]
    await database.close()
    operator = house.settings.secret("operator.token")
    assert not [row for row in rows if issued.token in row or acme.token in row or operator in row or "s3cret" in row]


async def test_the_account_secret_is_published_sealed(house: House) -> None:
    await house.eventually(lambda: house.followers[1].loaded)
    account = "AC" + "0" * 32
    assert house.credentials.secret("twilio", account) == "s3cret"
    assert house.credentials.main_account("twilio") == account
    assert b"s3cret" not in (house.settings.data / "follow" / "credentials.json").read_bytes()

"""Organisations and projects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common import ids, replies, tokens
from common.bus import Bus
from common.catalogue.provisioning import (
    CreateOrganisation,
    CreateProject,
    ListOrganisations,
    OrganisationCreated,
    OrganisationLine,
    OrganisationList,
    OrganisationReply,
    ProjectCreated,
    ProjectReply,
    TokenIssued,
)
from common.db import Database, Tx
from common.directory import DIRECTORY
from common.errors import NotFound, Rejected
from common.messages import PLATFORM, Request

from provisioning.directory import Announcer
from provisioning.store import snapshots, tenants
from provisioning.store import tokens as token_rows


@dataclass(frozen=True, slots=True)
class Tenants:
    """Answers about organisations and projects."""

    database: Database
    announcer: Announcer
    hashed: Callable[[str], str]

    def register(self, bus: Bus) -> None:
        """Serve them."""
        bus.serve(CreateOrganisation, self.create_organisation)
        bus.serve(CreateProject, self.create_project)
        bus.serve(ListOrganisations, self.list_organisations)

    async def create_organisation(self, order: CreateOrganisation) -> OrganisationReply:
        """A tenant, its first project and its token, in one transaction."""
        for_operators(order)
        fresh = OrganisationReply(
            organisation=ids.random("org"),
            project=ids.random("prj"),
            token_id=ids.random("tok"),
            token=tokens.new("organisation"),
        )
        reply = await self.database.write(lambda tx: self._create(tx, order, fresh))
        await self.announcer.try_announce()
        return reply

    async def create_project(self, order: CreateProject) -> ProjectReply:
        """Another project."""
        fresh = ProjectReply(project=ids.random("prj"))

        def create(tx: Tx) -> ProjectReply:
            known_organisation(tx, order)
            if before := replies.recall(tx, order):
                return before[0]
            tenants.add_project(tx, fresh.project, order.organisation, order.title)
            tx.stage(ProjectCreated.after(order, project=fresh.project, title=order.title))
            return replies.store(tx, order, fresh)

        return await self.database.write(create)

    async def list_organisations(self, query: ListOrganisations) -> OrganisationList:
        """Every tenant."""
        for_operators(query)
        rows = await self.database.read(tenants.all_organisations, long=True)
        return OrganisationList(
            organisations=[
                OrganisationLine(organisation=row["id"], title=row["title"], created_at=row["created_at"])
                for row in rows
            ]
        )

    def _create(self, tx: Tx, order: CreateOrganisation, fresh: OrganisationReply) -> OrganisationReply:
        if before := replies.recall(tx, order):
            return before[0]
        org, project = fresh.organisation, fresh.project
        tenants.add_organisation(tx, org, order.title)
        tenants.add_project(tx, project, org, "default")
        token_rows.add(tx, fresh.token_id, self.hashed(fresh.token), "organisation", org)
        snapshots.raise_revision(tx, DIRECTORY)
        tx.stage(
            OrganisationCreated.after(order, organisation=org, title=order.title),
            ProjectCreated.after(order, organisation=org, project=project, title="default"),
            TokenIssued.after(order, organisation=org, token=fresh.token_id, tier="organisation"),
        )
        return replies.store(tx, order, fresh, secrets={"token"})


def for_operators(request: Request[Any]) -> None:
    """`Rejected` for what is not asked under `platform`."""
    if request.organisation != PLATFORM:
        raise Rejected("only operators may do this; use the operator token", code="operators_only")


def known_organisation(tx: Tx, request: Request[Any]) -> None:
    """`NotFound` when there is no such tenant."""
    if not tenants.organisation_exists(tx, request.organisation):
        raise NotFound(f"there is no organisation {request.organisation}", code="no_organisation")

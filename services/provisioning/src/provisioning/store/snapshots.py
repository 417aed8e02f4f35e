"""What the snapshots say, their revisions, and who may publish them now."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from common.catalogue.values import Address
from common.db import Tx, insert_or_ignore, to_micros
from common.directory import CREDENTIALS, DIRECTORY, Credential, DirectoryContent, Route, TokenEntry

from provisioning.store import tokens as token_rows
from provisioning.store.tables import addresses, credentials, routes, snapshots, tokens

Content = dict[str, Any]


def raise_revision(tx: Tx, name: str) -> int:
    """The next revision, in the transaction of the change. It follows the clock, so a restored database goes on up."""
    tx.execute(insert_or_ignore(tx, snapshots), {"name": name, "revision": 0})
    clock = to_micros(tx.now) // 1000
    higher = sa.case((snapshots.c.revision >= clock, snapshots.c.revision + 1), else_=clock)
    tx.execute(sa.update(snapshots).where(snapshots.c.name == name).values(revision=higher))
    return revision(tx, name)


def revision(tx: Tx, name: str) -> int:
    """The revision of what is committed; 0 when there is nothing yet."""
    return tx.execute(sa.select(snapshots.c.revision).where(snapshots.c.name == name)).scalar() or 0


def take_turn(tx: Tx, name: str, me: str, lease: timedelta) -> bool:
    """Be the one replica that writes this bucket, for `lease`."""
    free = (snapshots.c.publisher == me) | snapshots.c.publisher.is_(None) | (snapshots.c.publisher_until <= tx.now)
    mine = sa.update(snapshots).where(snapshots.c.name == name, free)
    return tx.execute(mine.values(publisher=me, publisher_until=tx.now + lease)).rowcount == 1


def end_turn(tx: Tx, name: str, me: str) -> None:
    """Let another write."""
    tx.execute(sa.update(snapshots).where(snapshots.c.name == name, snapshots.c.publisher == me).values(publisher=None))


def directory(tx: Tx) -> tuple[int, Content]:
    """Revision and content of the directory; the same revision is always the same bytes."""
    content = DirectoryContent(routes=_routes(tx), tokens=_tokens(tx))
    return revision(tx, DIRECTORY), content.model_dump(mode="json")


def _routes(tx: Tx) -> list[Route]:
    leading: dict[str, list[Address]] = defaultdict(list)
    for row in tx.execute(sa.select(addresses).order_by(addresses.c.kind, addresses.c.value)):
        leading[row.route].append(Address(kind=row.kind, value=row.value))
    rows = tx.execute(sa.select(routes).order_by(routes.c.route)).mappings()
    return [Route(**row, addresses=leading[row["route"]]) for row in rows]


def _tokens(tx: Tx) -> list[TokenEntry]:
    """Expired ones stay: whoever reads looks at the time, and the content hangs on the revision alone."""
    alive = sa.select(tokens).where(tokens.c.revoked_at.is_(None)).order_by(tokens.c.id)
    return [
        TokenEntry(
            hash=row["hash"],
            token=row["id"],
            tier=row["tier"],
            organisation=row["organisation"],
            agent=row["agent"],
            scopes=token_rows.scopes_of(row),
            expires_at=row["expires_at"],
        )
        for row in tx.execute(alive).mappings()
    ]


def sealed_credentials(tx: Tx) -> tuple[int, Content]:
    """Revision and content of the credentials, sealed as they are stored."""
    return revision(tx, CREDENTIALS), {"credentials": [one.model_dump() for one in all_credentials(tx)]}


def all_credentials(tx: Tx) -> list[Credential]:
    """The sealed records."""
    rows = tx.execute(sa.select(credentials).order_by(credentials.c.provider, credentials.c.account))
    return [Credential(provider=row.provider, account=row.account, sealed=row.sealed, main=row.main) for row in rows]


def put_credential(tx: Tx, record: Credential) -> None:
    """Store one; a main account takes the place of the one before, whose numbers stay verifiable."""
    if record.main:
        tx.execute(sa.update(credentials).where(credentials.c.provider == record.provider).values(main=False))
    here = (credentials.c.provider == record.provider) & (credentials.c.account == record.account)
    tx.execute(sa.delete(credentials).where(here))
    tx.execute(sa.insert(credentials), record.model_dump() | {"updated_at": tx.now})

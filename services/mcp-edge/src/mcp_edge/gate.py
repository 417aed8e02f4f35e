"""Tells whose token it is from the directory in memory; refuses everybody when the directory may be out of date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import structlog
from common import tokens
from common.directory import Directory, TokenEntry
from common.errors import Rejected, Unavailable

from mcp_edge.principal import Principal

STALE_AFTER = 5.0
"""Seconds without news from the directory's owner after which a revocation could have been missed."""

_NEWS = 0.3
"""Seconds a token of the right form that nobody knows is given: its holder may be faster than the directory."""

_LONGEST = 512

log = structlog.get_logger()


class Unauthorised(Rejected):
    """There is no token, or not one of ours that lives. All look the same from outside."""

    code = "unauthorised"


class _Stranger(Unauthorised):
    """A token of the right form that the directory does not have, or not yet."""


class Freshness(Protocol):
    """What the gate must know of the snapshot behind the directory, in seconds."""

    revision: int
    """Which one is here."""

    @property
    def loaded(self) -> bool:
        """Whether there is one."""

    @property
    def age(self) -> float:
        """Since its owner was heard."""

    @property
    def behind(self) -> float:
        """Since a newer one was named that is not here."""

    async def wait_for(self, revision: int, timeout: float) -> bool:
        """Whether that one, or a later, came in time."""


class Gate:
    """One keyed hash and one dictionary read for each request."""

    def __init__(self, directory: Directory, follower: Freshness, pepper: bytes) -> None:
        self._directory, self._follower, self._pepper = directory, follower, pepper

    async def let_in(self, authorization: str) -> Principal:
        """As `admit`; a token made a moment ago is known by the time its directory has come."""
        try:
            return self.admit(authorization)
        except _Stranger:
            if not await self._follower.wait_for(self._follower.revision + 1, _NEWS):
                raise
        return self.admit(authorization)

    def admit(self, authorization: str) -> Principal:
        """Who sent this `Authorization` header. `Unauthorised`, or `Unavailable` while nobody can be told apart."""
        self.fresh()
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorised("send your token as `Authorization: Bearer sbd_...`", code="unauthorised")
        if len(token) > _LONGEST or not token.isascii():
            raise _refused("malformed")
        entry = self._directory.tokens.get(tokens.hashed(token, self._pepper))
        if entry is None:
            raise _refused("unknown", _Stranger) if tokens.well_formed(token) else _refused("malformed")
        principal = _principal(entry)
        self._alive(principal)
        return principal

    def still(self, principal: Principal) -> None:
        """Raises what `admit` would, when the token died while its request was waiting."""
        self.fresh()
        if principal.hash not in self._directory.tokens:
            raise _refused("revoked")
        self._alive(principal)

    def fresh(self) -> None:
        """`Unavailable` without a directory that its owner confirmed within the last seconds."""
        behind = max(self._follower.age, self._follower.behind)
        if not self._follower.loaded or behind > STALE_AFTER:
            raise Unavailable("tokens cannot be checked at this moment; try again", code="directory_stale")

    async def ready(self) -> None:
        """For health: `fresh`."""
        self.fresh()

    def _alive(self, principal: Principal) -> None:
        if principal.expires_at is not None and principal.expires_at <= datetime.now(UTC):
            raise _refused("expired")


def _principal(entry: TokenEntry) -> Principal:
    return Principal(entry.tier, entry.organisation, entry.agent, entry.token, entry.hash, entry.expires_at)


def _refused(why: str, kind: type[Unauthorised] = Unauthorised) -> Unauthorised:
    """`why` is for our log alone: telling it would help who guesses."""
    log.info("token_refused", why=why)
    return kind("this token is not valid: unknown, expired or revoked; ask its issuer for a new one")

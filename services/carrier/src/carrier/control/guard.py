"""The control API's door: one bearer token, compared in constant time."""

from collections.abc import Callable, Coroutine
from hmac import compare_digest
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

bearer = HTTPBearer(auto_error=False, description="The token in control.token of the carrier's data folder.")


def token_required(token: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """Build the dependency that lets nobody in without the token."""

    async def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if not token or given is None or not compare_digest(given.credentials.encode(), token.encode()):
            raise HTTPException(
                401, "Send the carrier's control token as 'Authorization: Bearer ...'", {"WWW-Authenticate": "Bearer"}
            )

    return check

"""Evidence: the ledger, who owns which number, the debugger, blocked pairs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from carrier import ledger, owned, people, prices
from carrier.plant import Plant

Limit = Annotated[int, Query(ge=1, le=5000)]


def routes(plant: Plant, api: APIRouter) -> None:
    """Serve evidence."""
    store = plant.store

    @api.get("/ledger")
    async def read_ledger(kind: str | None = None, after: int = 0, limit: Limit = 500) -> dict[str, Any]:
        """Read entries in order after a seq. Kinds: message_out, message_in, opt_out_reply, number_bought,
        number_updated, number_released, subaccount_created, account_updated, message_redacted, message_deleted,
        webhook (one for each try).
        """
        rows = await store.read(lambda conn: ledger.page(conn, kind, after, limit))
        return {"entries": rows, "after": rows[-1]["seq"] if rows else after}

    @api.get("/ledger/counts")
    async def count_ledger() -> dict[str, int]:
        """Count entries by kind."""
        return await store.read(ledger.counts)

    @api.get("/inventory")
    async def inventory() -> dict[str, Any]:
        """List owned numbers by account with their settings and monthly price."""
        numbers = await store.read(owned.inventory)
        accounts = []
        for account in plant.accounts.by_sid.values():
            mine = [
                {**vars(n), "monthly_price": str(prices.month(n.kind))} for n in numbers if n.account_sid == account.sid
            ]
            shown = {k: v for k, v in vars(account).items() if k != "auth_token"}
            accounts.append({**shown, "numbers": mine})
        return {"accounts": accounts}

    @api.get("/debugger")
    async def debugger(after: int = 0, limit: Limit = 500) -> dict[str, Any]:
        """Read the debugger's alerts in order after an id."""
        rows = await store.read(lambda conn: ledger.complaints(conn, after, limit))
        return {"alerts": rows, "after": rows[-1]["id"] if rows else after}

    @api.get("/blocks")
    async def blocks() -> dict[str, Any]:
        """List pairs a person has stopped."""
        return {"blocks": await store.read(people.blocks)}

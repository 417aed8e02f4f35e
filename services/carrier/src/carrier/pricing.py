"""When a text's price becomes known: some time after it reached the network, late or never if a fault says so."""

import asyncio
import sqlite3
import time

from carrier import prices, texts
from carrier.addresses import country_of
from carrier.faults import Faults
from carrier.store import Store
from carrier.tasks import Tasks
from carrier.texts import Text


class Pricing:
    """Sets prices when they are due."""

    def __init__(self, store: Store, faults: Faults, tasks: Tasks, delay_s: float) -> None:
        self._store, self._faults, self._tasks, self._delay_s = store, faults, tasks, delay_s

    def due(self, account_sid: str, addresses: tuple[str, str]) -> float | None:
        """Decide when the price will be known, in Unix seconds; None if never."""
        fault = self._faults.draw(("price_late", "price_never"), "prices", account_sid, addresses)
        if fault and fault.kind == "price_never":
            return None
        return time.time() + self._delay_s + (fault.seconds if fault else 0)

    def schedule(self, text: Text) -> None:
        """Set the price once it is due, if it ever is."""
        if text.price_due is not None:
            self._tasks.spawn(self._set(text, text.price_due))

    async def _set(self, text: Text, due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.time()))
        await self._store.write(lambda conn: _set_price(conn, text.sid))


def price_of(text: Text) -> str:
    """Return what a text costs, as the API shows it."""
    if text.direction == "inbound":
        return prices.charged(prices.inbound(text.num_segments, text.num_media))
    if text.status == "failed":
        return prices.charged(prices.FAILED)
    return prices.charged(prices.outbound(country_of(text.recipient), text.num_segments, text.num_media))


def _set_price(conn: sqlite3.Connection, sid: str) -> None:
    row = conn.execute("SELECT * FROM texts WHERE sid = ?", (sid,)).fetchone()
    if row is not None and row["price_due"] is not None:
        texts.change(conn, sid, price=price_of(texts.read_text(row)), price_due=None)

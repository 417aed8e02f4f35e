"""Everything one running carrier is made of, and how it starts, stops and is wiped. Holds no rules."""

import sqlite3
from dataclasses import dataclass

from carrier import owned, texts
from carrier.accounts import Accounts
from carrier.bells import Bells
from carrier.bursts import Bursts
from carrier.callouts import Caller
from carrier.credentials import Credentials
from carrier.faults import Faults
from carrier.hosts import HostTable, parse_hosts
from carrier.incoming import Incoming
from carrier.outgoing import Outgoing
from carrier.pricing import Pricing
from carrier.schema import TABLES
from carrier.settings import Settings
from carrier.status import Callbacks
from carrier.store import Store
from carrier.tasks import Tasks


@dataclass
class Switches:
    """What the control API can turn on and off while the carrier runs."""

    opt_out: bool


@dataclass(frozen=True)
class Plant:
    """The parts, handed to each other by `assemble`."""

    settings: Settings
    credentials: Credentials
    store: Store
    accounts: Accounts
    faults: Faults
    hosts: HostTable
    switches: Switches
    bells: Bells
    tasks: Tasks
    caller: Caller
    pricing: Pricing
    outgoing: Outgoing
    incoming: Incoming
    bursts: Bursts

    async def start(self) -> None:
        """Open the file and take up every text a crash left on its way."""
        await self.store.open()
        await self._found()
        for text in await self.store.read(texts.unfinished):
            if text.direction != "inbound" and text.status in ("queued", "sending", "sent"):
                self.outgoing.carry(text)
            elif text.webhook == "pending":
                self.incoming.deliver(text)
            if text.price_due is not None:
                self.pricing.schedule(text)

    async def stop(self) -> None:
        """End background work and close the file; what is unfinished is taken up at the next start."""
        await self.tasks.stop()
        await self.caller.close()
        await self.store.close()

    async def reset(self) -> None:
        """Forget everything but the main account and its short codes."""
        await self.tasks.stop()
        self.faults.active.clear()
        self.bursts.forget()
        await self.store.write(_wipe)
        await self._found()

    async def _found(self) -> None:
        sid = self.credentials.account_sid
        await self.accounts.load(sid, self.credentials.auth_token)
        codes = self.settings.short_code_list
        await self.store.write(lambda conn: owned.ensure_short_codes(conn, sid, codes))


def _wipe(conn: sqlite3.Connection) -> None:
    for table in (*TABLES, "accounts"):
        conn.execute(f"DELETE FROM {table}")  # noqa: S608 - our own table names


def assemble(settings: Settings, credentials: Credentials) -> Plant:
    """Make the parts and hand them to each other; nothing is opened yet."""
    store, faults, bells, tasks = Store(settings.data_dir / "carrier.sqlite"), Faults(), Bells(), Tasks()
    accounts, hosts = Accounts(store), HostTable(parse_hosts(settings.hosts))
    switches = Switches(settings.opt_out == "on")
    caller = Caller(store, hosts, settings.repeat_on_timeout)
    pricing = Pricing(store, faults, tasks, settings.price_delay_ms / 1000)
    outgoing = Outgoing(
        store, caller, Callbacks(caller, accounts, faults, tasks), pricing, bells, tasks,
        settings.status_step_ms / 1000, settings.blocked_region_set,
    )  # fmt: skip
    incoming = Incoming(
        store, accounts, caller, outgoing, pricing, faults, tasks, settings.base_url, lambda: switches.opt_out
    )
    outgoing.connect(incoming.accept)
    return Plant(
        settings, credentials, store, accounts, faults, hosts, switches, bells, tasks, caller, pricing, outgoing,
        incoming, Bursts(incoming, tasks),
    )  # fmt: skip

"""Public host names and the loopback addresses they stand for.

A host that is not in the table does not exist: the carrier can never call out to the world.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult


class BadHosts(ValueError):
    """The host table cannot be read; the message says which entry and why."""


def parse_hosts(text: str) -> dict[str, list[str]]:
    """Read `name=addr:port|addr:port,name=...`."""
    table: dict[str, list[str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, found, addresses = entry.partition("=")
        if not found or not name.strip():
            raise BadHosts(f"{entry!r} is not of the form host=address:port")
        table[name.strip().lower()] = checked_addresses(name, addresses.split("|"))
    return table


def checked_addresses(name: str, addresses: list[str]) -> list[str]:
    """Return the addresses, stripped; BadHosts if one is not `address:port`."""
    cleaned = [address.strip() for address in addresses]
    for address in cleaned:
        host, found, port = address.rpartition(":")
        if not found or not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise BadHosts(f"host {name!r}: {address!r} is not of the form address:port")
        _refuse_public(name, host.strip("[]"))
    if not cleaned:
        raise BadHosts(f"host {name!r} has no address")
    return cleaned


def _refuse_public(name: str, host: str) -> None:
    """Names pass (a container's neighbour is a name); a numeric address must be private or loopback."""
    try:
        address = ip_address(host)
    except ValueError:
        return
    if not (address.is_loopback or address.is_private):
        raise BadHosts(f"host {name!r}: {host} is a public address; the carrier never calls out to the world")


@dataclass
class HostTable:
    """Host names mapped to addresses, taken in turn."""

    entries: dict[str, list[str]]
    _turns: dict[str, int] = field(default_factory=dict)

    def replace(self, entries: Mapping[str, list[str]]) -> None:
        """Put a whole new table in place; BadHosts leaves the old one."""
        self.entries = {name.lower(): checked_addresses(name, addresses) for name, addresses in entries.items()}

    def address_for(self, url: SplitResult, after: str = "") -> str | None:
        """Next `address:port` for this URL's host, or None if nobody knows it; a retry goes on `after` its last one."""
        name = (url.hostname or "").lower()
        addresses = self.entries.get(f"{name}:{url.port}" if url.port else name) or self.entries.get(name)
        if not addresses:
            return None
        if after in addresses:
            return addresses[(addresses.index(after) + 1) % len(addresses)]
        turn = self._turns.get(name, 0)
        self._turns[name] = turn + 1
        return addresses[turn % len(addresses)]

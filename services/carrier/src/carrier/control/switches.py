"""Switches: faults, the host table, opt-out handling, and a clean start."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from carrier.faults import Fault, FaultOrder
from carrier.hosts import BadHosts
from carrier.plant import Plant


class OptOut(BaseModel):
    """Whether the carrier itself handles STOP words."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class Hosts(BaseModel):
    """Public hosts and where they really are."""

    model_config = ConfigDict(extra="forbid")

    hosts: dict[str, list[str]] = Field(examples=[{"hooks.example.test": ["127.0.0.1:8080", "127.0.0.1:8081"]}])


def routes(plant: Plant, api: APIRouter) -> None:
    """Serve switches."""

    @api.post("/faults", status_code=201)
    async def add_fault(order: FaultOrder) -> Fault:
        """Put a fault in force."""
        return plant.faults.add(order)

    @api.get("/faults")
    async def list_faults() -> dict[str, list[Fault]]:
        """List faults, spent ones too, with how often each happened."""
        return {"faults": plant.faults.active}

    @api.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        """Lift every fault."""
        plant.faults.active.clear()

    @api.delete("/faults/{fault_id}", status_code=204)
    async def remove_fault(fault_id: str) -> None:
        """Lift one fault."""
        if not plant.faults.remove(fault_id):
            raise HTTPException(404, f"There is no fault {fault_id}")

    @api.get("/hosts")
    async def get_hosts() -> Hosts:
        """Read the host table."""
        return Hosts(hosts=plant.hosts.entries)

    @api.put("/hosts")
    async def put_hosts(table: Hosts) -> Hosts:
        """Replace the host table."""
        try:
            plant.hosts.replace(table.hosts)
        except BadHosts as error:
            raise HTTPException(422, str(error)) from error
        return Hosts(hosts=plant.hosts.entries)

    @api.get("/opt-out")
    async def get_opt_out() -> OptOut:
        """Tell whether STOP words are handled here."""
        return OptOut(enabled=plant.switches.opt_out)

    @api.put("/opt-out")
    async def put_opt_out(switch: OptOut) -> OptOut:
        """Turn the handling of STOP words on or off."""
        plant.switches.opt_out = switch.enabled
        return switch

    @api.post("/reset")
    async def reset() -> dict[str, Any]:
        """Forget everything but the main account and its short codes, the ledger too."""
        await plant.reset()
        return {"reset": True}

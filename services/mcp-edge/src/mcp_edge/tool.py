"""What a token may ask for: one description serves tools over MCP and REST, and each tier sees only its own arguments.

Argument lists come from the orders and queries of the catalogue; nothing is accepted that is not listed.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from common.catalogue.provisioning import Tier
from common.errors import Rejected
from common.messages import PLATFORM
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, create_model

if TYPE_CHECKING:
    from mcp_edge.call import Call

About = Literal["caller", "agent", "agent_or_all", "organisation", "organisation_or_all", "installation"]
"""Whom a tool concerns, and so what the tiers above that must name."""

Effect = Literal["reads", "adds", "changes", "ends"]

_CONTROL = {"organisation", "agent", "idempotency_key", "not_after"}

_ID = r"^[A-Za-z0-9_-]{1,64}$"


class Arguments(BaseModel):
    """Named arguments; an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def asked(self) -> dict[str, Any]:
        """What is asked, without who asks and how."""
        return self.model_dump(exclude=_CONTROL)

    def canonical(self) -> str:
        """The same text for the same question."""
        return self.model_dump_json(exclude=_CONTROL)


class BadArguments(Rejected):
    """Arguments that do not fit; `fields` names each with its fault."""

    def __init__(self, detail: str, fields: dict[str, str]) -> None:
        super().__init__(detail, code="bad_arguments")
        self.fields = fields


Run = Callable[["Call", Any], Awaitable[BaseModel]]


@dataclass(frozen=True)
class Tool:
    """One thing to ask for. `core` names the tiers that are shown it without asking for more."""

    name: str
    title: str
    description: str
    about: About
    tiers: tuple[Tier, ...]
    result: type[BaseModel]
    run: Run
    arguments: type[Arguments] = Arguments
    effect: Effect = "reads"
    key: Literal["none", "given", "always"] = "none"
    """Whether it takes an idempotency key, and whether one is derived where none is given."""
    dated: bool = False
    leaves: bool = False
    """Whether it reaches people or providers outside."""
    core: tuple[Tier, ...] = ()
    waits: bool = False
    """Whether it may take long enough that its caller wants to hear of progress."""

    def offer(self, tier: Tier) -> Offer:
        """The tool as this tier sees it."""
        fields = {**_naming(self.about, tier), **self._asking()}
        named = _model(f"{self.name}_{tier}", self.arguments, fields)
        return Offer(self, tier, named, named.model_json_schema())

    def _asking(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if self.key != "none":
            said = _KEY + (_DERIVED if self.key == "always" else "")
            fields["idempotency_key"] = (str, Field(default="", max_length=200, description=said))
        if self.dated:
            fields["not_after"] = (AwareDatetime | None, Field(default=None, description=_NOT_AFTER))
        return fields


_KEY = "Names this intent: asked again with the same key, nothing happens twice."
_DERIVED = " Without one, the same arguments within ten minutes count as the same intent."
_NOT_AFTER = "Refuse instead of acting later than this time (ISO 8601 with offset)."


@dataclass(frozen=True)
class Offer:
    """A tool for one tier, with its argument model and schema built once."""

    tool: Tool
    tier: Tier
    model: type[Arguments]
    schema: dict[str, Any]

    def understand(self, given: Mapping[str, Any]) -> Arguments:
        """The arguments, checked. `BadArguments` says which one is wrong, and what there is."""
        _refuse_nul(given)
        try:
            return self.model.model_validate(given)
        except ValidationError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: ValidationError) -> BadArguments:
        fields = {_where(fault["loc"]): _fault(fault["type"], fault["msg"]) for fault in error.errors()}
        listed = "; ".join(f"{name}: {fault}" for name, fault in fields.items())
        known = ", ".join(self.model.model_fields) or "none"
        return BadArguments(f"{listed}. Arguments of {self.tool.name}: {known}", fields)


def fields_of(source: type[BaseModel], **described: str | tuple[Any, str]) -> type[Arguments]:
    """Arguments with the rules of `source`'s fields of these names, each with what to tell the caller about it.

    A pair gives a narrower type first. Fields of `source` that are not named keep their defaults.
    """
    fields: dict[str, Any] = {}
    for name, said in described.items():
        info = copy.copy(source.model_fields[name])
        kind, info.description = said if isinstance(said, tuple) else (info.annotation, said)
        fields[name] = (kind, info)
    return _model(f"{source.__name__}Arguments", Arguments, fields)


def _model(name: str, base: type[Arguments], fields: dict[str, Any]) -> type[Arguments]:
    return create_model(name, __base__=base, **fields)


def _naming(about: About, tier: Tier) -> dict[str, Any]:
    """What a tier must name because its token does not say it."""
    fields: dict[str, Any] = {}
    if tier == "operator" and about not in ("caller", "installation"):
        all_of_them = about == "organisation_or_all"
        said = "The organisation's id" + ("; leave out for the whole installation." if all_of_them else ".")
        fields["organisation"] = (str, Field(default=PLATFORM if all_of_them else ..., pattern=_ID, description=said))
    if tier != "agent" and about == "agent":
        fields["agent"] = (str, Field(pattern=_ID, description="The agent's id."))
    if tier != "agent" and about == "agent_or_all":
        said = "The agent's id; leave out for the whole organisation."
        fields["agent"] = (str, Field(default="", pattern=rf"^$|{_ID}", description=said))
    return fields


def _refuse_nul(given: Mapping[str, Any]) -> None:
    """No telephone carries it, and not every database stores it."""
    wrong = [name for name, value in given.items() if isinstance(value, str) and "\0" in value]
    if wrong:
        fault = "must not contain the character U+0000"
        raise BadArguments(f"{', '.join(wrong)} {fault}", dict.fromkeys(wrong, fault))


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "arguments"


def _fault(kind: str, message: str) -> str:
    return {"extra_forbidden": "unknown argument", "missing": "missing"}.get(kind, message)

"""The REST interface described: parameters, bodies and problems from the same models that check them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mcp_edge.desk import Desk
from mcp_edge.routes import Route
from mcp_edge.tool import Offer

_PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `code` is stable; `detail` says what would help.",
    "required": ["type", "status", "code", "title", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "retry_after": {"type": "number", "description": "Seconds to wait before asking again."},
        "idempotency_key": {"type": "string", "description": "Ask again with this key."},
        "fields": {"type": "object", "description": "Each wrong argument with its fault."},
    },
}
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 200},
    "description": "Names this intent: asked again with the same key, nothing happens twice.",
}


def describe(desk: Desk, route: Route) -> dict[str, Any]:
    """How this route is documented."""
    offer = _widest(desk, route.tool)
    tiers = ", ".join(offer.tool.tiers)
    return {
        "summary": offer.tool.title,
        "description": f"{offer.tool.description}\n\nTokens: {tiers}. The same as the tool `{offer.tool.name}`.",
        "operation_id": f"{offer.tool.name}_{'organisation' if route.whole else 'own'}",
        "response_model": offer.tool.result,
        "openapi_extra": _inputs(route, offer),
    }


def finish(build: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The document with how to authenticate and what refusals look like."""

    def whole() -> dict[str, Any]:
        document = build()
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {})["Problem"] = _PROBLEM
        document["security"] = [{"token": []}]
        return document

    return whole


def _widest(desk: Desk, tool: str) -> Offer:
    tiers = ("operator", "organisation", "agent")
    return next(offer for tier in tiers for (of, name), offer in desk.offers.items() if (of, name) == (tier, tool))


def _inputs(route: Route, offer: Offer) -> dict[str, Any]:
    named = re.findall(r"{(\w+)}", route.path)
    properties = {n: p for n, p in offer.schema["properties"].items() if n not in ("idempotency_key",)}
    if route.whole:
        properties.pop("agent", None)
    required = set(offer.schema.get("required", ()))
    with_body = route.method in ("POST", "PUT")
    in_query = [n for n in properties if n not in named and (not with_body or n == "organisation")]
    parameters = [_parameter(n, properties[n], "path", True) for n in named]
    parameters += [_parameter(n, properties[n], "query", n in required) for n in in_query]
    if offer.tool.key != "none":
        parameters.append(_KEY_HEADER)
    extra: dict[str, Any] = {"parameters": parameters, "responses": _refusals()}
    if with_body:
        body = {n: p for n, p in properties.items() if n not in named and n not in in_query}
        extra["requestBody"] = _body(body, [n for n in body if n in required])
    return extra


def _parameter(name: str, schema: dict[str, Any], place: str, required: bool) -> dict[str, Any]:
    said = {"name": name, "in": place, "required": required, "schema": schema}
    return {**said, "description": _said(name, schema)}


def _said(name: str, schema: dict[str, Any]) -> str:
    text = str(schema.get("description", ""))
    if name == "agent":
        return f"{text} `me` with a token of an agent."
    return f"{text} Operators only." if name == "organisation" else text


def _body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _refusals() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"default": {"description": "A refusal", "content": content}}

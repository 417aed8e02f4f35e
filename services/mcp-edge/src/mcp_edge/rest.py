"""The tools as REST under `/v1`: the same arguments, checked by the same models; refusals are problem bodies.

A path names the agent; a token of an agent may say `me`, and finds nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from common import problems
from common.errors import NotFound, Rejected, SwitchboardError
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from mcp_edge.desk import Desk
from mcp_edge.openapi import describe, finish
from mcp_edge.principal import Principal
from mcp_edge.refusal import more
from mcp_edge.routes import ROUTES, Route
from mcp_edge.tool import BadArguments

T = TypeVar("T")

_WITH_BODY = ("POST", "PUT")


def application(desk: Desk) -> FastAPI:
    """Every route, documented at `/v1/openapi.json`."""
    app = FastAPI(title="Switchboard", version="1", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None)
    for route in ROUTES:
        app.add_api_route(
            route.path,
            _endpoint(desk, route),
            methods=[route.method],
            status_code=route.status,
            **describe(desk, route),
        )
    app.add_exception_handler(HTTPException, _no_such_route)
    app.openapi = finish(app.openapi)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


def _endpoint(desk: Desk, route: Route) -> Callable[[Request], Awaitable[Response]]:
    tool = next(offer.tool for (_, name), offer in desk.offers.items() if name == route.tool)
    keyed = tool.key != "none" and route.method == "POST"

    async def endpoint(request: Request) -> Response:
        principal: Principal = request.scope["principal"]
        try:
            if (principal.tier, route.tool) not in desk.offers:
                raise Rejected("this is not open to your token's tier", code="forbidden")
            given = arguments(route, principal, request, await request.body())
            if keyed and (key := request.headers.get("idempotency-key")):
                given["idempotency_key"] = key
            performing = desk.perform("rest", principal, route.tool, given)
            result = await (_unless_gone(request, performing) if tool.waits else performing)
        except SwitchboardError as error:
            return refuse(error)
        return Response(result.model_dump_json(), route.status, media_type="application/json")

    return endpoint


def arguments(route: Route, principal: Principal, request: Request, body: bytes) -> dict[str, Any]:
    """What path, query and body say together. A name that the path gives may not be given again."""
    path, query = dict(request.path_params), dict(request.query_params)
    given = _json(body) if route.method in _WITH_BODY else {}
    twice = (set(given) & (set(path) | set(query))) | (set(path) & set(query))
    if route.whole:
        twice |= {"agent"} & (set(given) | set(query))
    if twice:
        raise BadArguments(f"not here: {', '.join(sorted(twice))}; the path says it", dict.fromkeys(twice, "not here"))
    if "agent" in path:
        path = _own(principal, path)
    return {**given, **query, **path}


def _own(principal: Principal, path: dict[str, Any]) -> dict[str, Any]:
    """An agent's token finds itself alone, and has no argument for it."""
    if principal.tier == "agent":
        if path["agent"] not in ("me", principal.agent):
            raise NotFound(f"no agent {path['agent'][:80]}", code="no_agent")
        return {name: value for name, value in path.items() if name != "agent"}
    if path["agent"] == "me":
        raise NotFound("`me` is for tokens of agents; name the agent", code="no_agent")
    return path


def _json(body: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Rejected(f"the body is not JSON in UTF-8: {error}", code="invalid") from None
    if not isinstance(given, dict):
        raise Rejected("the body must be a JSON object", code="invalid")
    return given


def refuse(error: SwitchboardError) -> Response:
    """The refusal as a problem body."""
    problem = problems.of(error, **more(error))
    return Response(problem.body, problem.status, headers=problem.headers)


async def _no_such_route(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    code, title = ("method_not_allowed", "No such method here") if status == 405 else ("not_found", "Not found")
    body = problems.problem(status, code, title, f"{title}; /v1/openapi.json lists what there is")
    return Response(body, status, headers={**headers, "content-type": problems.CONTENT_TYPE})


async def _unless_gone(request: Request, performing: Awaitable[BaseModel]) -> BaseModel:
    """A caller who left while waiting must not be handed messages."""
    work = asyncio.ensure_future(performing)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Rejected("the caller is gone", code="gone")
        return work.result()
    finally:
        gone.cancel()
        work.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""All REST routes in one router. Anything else under the API's path is a 404 in the provider's words."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from carrier.errors import not_found
from carrier.plant import Plant
from carrier.rest import accounts, available, incoming, media, messages
from carrier.rest.operation import Desk


async def nothing_here(request: Request) -> Response:
    """Answer for a path the API does not have."""
    return Response(orjson.dumps(not_found(request.url.path).body()), 404, media_type="application/json")


def build_router(plant: Plant) -> Router:
    """Collect the routes. Order matters: `.json` resources before the contents that share their path."""
    desk = Desk(plant)
    for resource in (accounts, available, incoming, messages, media):
        resource.routes(desk)
    incoming.short_code_routes(desk)
    return Router([*desk.routes, *media.content_routes(plant), Route("/{rest:path}", nothing_here)])

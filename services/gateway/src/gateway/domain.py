"""Decides whether a webhook is taken: proved by the owning account's secret, and for an address behind that route."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from common.catalogue.messages import SmsReceived, SmsStatusReported
from common.catalogue.values import Address
from common.directory import Credentials, Directory, Route
from common.errors import NotFound, Unavailable
from common.messages import UNROUTED

from gateway.providers.port import Provider, Webhook
from gateway.refusals import NotAuthentic


class Admission:
    """What the newest snapshots allow. `Unavailable` before there are any credentials to check with."""

    def __init__(
        self,
        directory: Directory,
        credentials: Credentials,
        providers: Mapping[str, Provider],
        can_verify: Callable[[], bool],
    ) -> None:
        self._directory, self._credentials, self._providers = directory, credentials, providers
        self._can_verify = can_verify

    def sms(self, route_id: str, webhook: Webhook) -> tuple[Provider, SmsReceived]:
        """The text that arrived, of the organisation that owns the route; unrouted when the snapshot has no route."""
        route = self._directory.routes.get(route_id)
        provider = self._prove(route, webhook)
        sms = provider.sms(webhook, route.organisation if route else UNROUTED, route_id)
        _belongs(route, sms.account, sms.to)
        return provider, sms

    def status(self, route_id: str, attempt: str, webhook: Webhook) -> SmsStatusReported | None:
        """What the provider says of a text we sent; None for a status that says nothing we know."""
        route = self._directory.routes.get(route_id)
        provider = self._prove(route, webhook)
        sender = provider.sender_of_ours(webhook)
        _belongs(route, provider.account(webhook), sender)
        return provider.status(webhook, route.organisation if route else UNROUTED, route_id, attempt)

    def _prove(self, route: Route | None, webhook: Webhook) -> Provider:
        if not self._can_verify():
            raise Unavailable("no credentials to check signatures with yet", code="starting", retry_after=2.0)
        provider = self._provider(route, webhook)
        account = route.account if route else provider.account(webhook)

        def secret(name: str) -> str:
            try:
                return self._credentials.secret(provider.name, name)
            except NotFound:
                raise NotAuthentic("unknown_account") from None

        provider.verify(webhook, account, secret)
        return provider

    def _provider(self, route: Route | None, webhook: Webhook) -> Provider:
        """The route tells; without one, whoever knows the request as its own. Nobody to ask is a closed door."""
        if route:
            found = self._providers.get(route.provider)
        else:
            found = next((one for one in self._providers.values() if one.recognises(webhook)), None)
        if found is None:
            raise NotAuthentic("no_verifier" if route else "missing_signature")
        return found


def _belongs(route: Route | None, account: str, address: Address) -> None:
    """A proved request for another's address or account is a mistake or a try: as if there were nothing here."""
    if route is None:
        return
    if account != route.account or address not in route.addresses:
        raise NotFound("there is no such address behind this route", code="mismatch")

"""Numbers at Twilio, over its 2010 REST API. Its purchase has no idempotency key: the caller looks first (`find`)."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
from common.errors import NotFound, Rejected, SwitchboardError, Unavailable, Unknown

from provisioning.providers.port import Account, OwnedNumber, Taken
from provisioning.settings import Settings

NAME = "twilio"
SECRET_FILE = "twilio.json"  # noqa: S105 - the file's name, not its content

_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_KINDS = ("Local", "Mobile")
"""Where numbers that text are looked for, in turn; a country lacks some kinds altogether (404)."""
_NOT_AVAILABLE = {21422, 21452}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def account(settings: Settings) -> Account | None:
    """The owner's account from its secret file; None without the file."""
    if not (settings.secrets / SECRET_FILE).exists():
        return None
    try:
        wire = orjson.loads(settings.secret(SECRET_FILE))
        sid, token = str(wire["account_sid"]), str(wire["auth_token"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise SystemExit(f"{settings.secrets / SECRET_FILE} is not {{account_sid, auth_token}} in JSON") from None
    return Account(NAME, sid, token, Twilio(sid, token, settings.twilio_api_url))


class Twilio:
    """One account. Opens its connections when first used."""

    def __init__(self, account_sid: str, auth_token: str, base_url: str, *, page: int = 200) -> None:
        self._base = f"{base_url}/2010-04-01/Accounts/{account_sid}"
        self._origin, self._page = base_url, page
        self._auth = (account_sid, auth_token)
        self._opened: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        opened, self._opened = self._opened, None
        if opened:
            await opened.aclose()

    async def search(self, country: str, area_code: str, limit: int = 20) -> list[str]:
        """Local numbers first, then mobile ones."""
        wanted = {"SmsEnabled": "true", "PageSize": str(limit)} | ({"AreaCode": area_code} if area_code else {})
        for kind in _KINDS:
            try:
                found = await self._call("GET", f"/AvailablePhoneNumbers/{country}/{kind}.json", params=wanted)
            except NotFound:
                continue
            if numbers := [str(row["phone_number"]) for row in found["available_phone_numbers"]]:
                return numbers[:limit]
        return []

    async def buy(self, number: str, *, name: str, key: str) -> OwnedNumber:
        """`key` has no place in this API; a repeat for the same number updates what the account has."""
        form = {"PhoneNumber": number, "FriendlyName": name}
        return _owned(await self._call("POST", "/IncomingPhoneNumbers.json", data=form))

    async def find(self, number: str) -> OwnedNumber | None:
        """By its E.164 value."""
        found = await self._call("GET", "/IncomingPhoneNumbers.json", params={"PhoneNumber": number})
        matching = [_owned(row) for row in found["incoming_phone_numbers"] if row["phone_number"] == number]
        return matching[0] if matching else None

    async def configure(self, provider_id: str, *, sms_url: str, fallback_url: str) -> None:
        """Set both addresses and their method."""
        form = {"SmsUrl": sms_url, "SmsFallbackUrl": fallback_url, "SmsMethod": "POST", "SmsFallbackMethod": "POST"}
        await self._call("POST", f"/IncomingPhoneNumbers/{provider_id}.json", data=form)

    async def release(self, provider_id: str) -> None:
        """Immediate, and without a way back."""
        try:
            await self._call("DELETE", f"/IncomingPhoneNumbers/{provider_id}.json")
        except NotFound:
            return

    async def list(self) -> list[OwnedNumber]:
        """All pages."""
        page: str | None = f"{self._base}/IncomingPhoneNumbers.json?PageSize={self._page}"
        numbers: list[OwnedNumber] = []
        while page:
            found = await self._send("GET", page)
            numbers += [_owned(row) for row in found["incoming_phone_numbers"]]
            following = found.get("next_page_uri")
            page = f"{self._origin}{following}" if following else None
        return numbers

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return await self._send(method, f"{self._base}{path}", **options)

    async def _send(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        """One request; its outcome as a body or as one of the three errors."""
        if self._opened is None:
            self._opened = httpx.AsyncClient(auth=self._auth, timeout=_TIMEOUT)
        try:
            response = await self._opened.request(method, url, **options)
            if response.status_code >= 400:
                raise _refusal(response, effect=method != "GET")
            return dict(orjson.loads(response.content)) if response.content else {}
        except _NEVER_LEFT as error:
            raise Unavailable(f"the provider cannot be reached: {type(error).__name__}", code="provider") from error
        except (httpx.HTTPError, orjson.JSONDecodeError) as error:
            raise _doubt(f"the provider's answer was lost: {type(error).__name__}", method != "GET") from error


def _owned(row: dict[str, Any]) -> OwnedNumber:
    return OwnedNumber(str(row["sid"]), str(row["phone_number"]), str(row.get("friendly_name") or ""))


def _doubt(text: str, effect: bool) -> SwitchboardError:
    """No answer leaves a doubt only where there may be an effect."""
    return Unknown(text, code="provider") if effect else Unavailable(text, code="provider")


def _refusal(response: httpx.Response, *, effect: bool) -> SwitchboardError:
    """What an error status means."""
    status, (code, message) = response.status_code, _body(response)
    if status == 429:
        return Unavailable("the provider asks us to slow down", code="provider", retry_after=_after(response))
    if status >= 500:
        return _doubt(f"the provider failed with {status}", effect)
    if status == 404:
        return NotFound(f"the provider knows no such thing: {message}", code="provider_404")
    if code in _NOT_AVAILABLE:
        return Taken(message)
    if status in (401, 403):
        return Rejected(f"the provider refuses our credentials ({status}): {message}", code="provider_credentials")
    return Rejected(f"the provider refuses: {message}", code=f"provider_{code or status}")


def _body(response: httpx.Response) -> tuple[int, str]:
    try:
        wire = orjson.loads(response.content)
        return int(wire.get("code") or 0), str(wire.get("message", ""))
    except (orjson.JSONDecodeError, AttributeError, ValueError):
        return 0, f"HTTP {response.status_code}"


def _after(response: httpx.Response) -> float:
    try:
        return min(max(float(response.headers.get("Retry-After", "1")), 0.1), 300.0)
    except ValueError:
        return 1.0

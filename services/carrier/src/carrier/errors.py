"""What the provider's API answers when it refuses: code, sentence, link and HTTP status."""

from collections.abc import Mapping


class ProviderError(Exception):
    """A refusal in the provider's own shape. Nothing was accepted."""

    def __init__(self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """Return the JSON body of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def not_found(resource: str) -> ProviderError:
    """Refuse a resource that does not exist, or not for this account."""
    return ProviderError(404, 20404, f"The requested resource {resource} was not found")


def unauthenticated() -> ProviderError:
    """Refuse missing or wrong credentials."""
    return ProviderError(401, 20003, "Authenticate", {"WWW-Authenticate": 'Basic realm="Twilio API"'})


def bad_parameter(message: str) -> ProviderError:
    """Refuse a parameter that has no code of its own."""
    return ProviderError(400, 20001, message)


def refused(code: int, message: str) -> ProviderError:
    """Refuse with HTTP 400 and a code of its own."""
    return ProviderError(400, code, message)

"""X-Twilio-Signature: what proves to a webhook's receiver that the owning account's carrier sent it."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urldefrag


def signature(token: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """Sign a request: HMAC-SHA1 over the URL without fragment, then each form parameter by name.

    A repeated name contributes each distinct value once, sorted. For GET pass no parameters: they are
    in the URL's query already.
    """
    text = urldefrag(url).url + "".join(name + value for name, value in sorted(set(params)))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()

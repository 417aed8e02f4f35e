"""Messaging TwiML: what a webhook's answer asks for. Refuses documents it cannot parse, with the debugger's code."""

from dataclasses import dataclass, field
from xml.etree import ElementTree

TEXT_TYPES = frozenset({"text/plain"})
XML_TYPES = frozenset({"text/xml", "application/xml", "text/html", "application/twiml+xml"})


class BadAnswer(Exception):
    """The answer cannot be carried out; `code` is what the debugger shows."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class SendText:
    """`<Message>`: a text to send back."""

    body: str
    media: tuple[str, ...] = ()
    to: str | None = None
    sender: str | None = None
    status_callback: str | None = None


@dataclass(frozen=True)
class Redirect:
    """`<Redirect>`: ask another URL; nothing after it runs."""

    url: str
    method: str = "POST"


@dataclass
class Script:
    """Verbs in order, and the warnings (12200) the parser left."""

    verbs: list[SendText | Redirect] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_answer(body: bytes, content_type: str) -> Script:
    """Understand a webhook's 2xx answer; BadAnswer if it is not TwiML or text."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return Script()
    if kind in TEXT_TYPES:
        return Script([SendText(body.decode("utf-8", "replace"))])
    if kind not in XML_TYPES:
        raise BadAnswer(12300, f"Invalid Content-Type: {kind or 'none given'}")
    return _script(_parsed(body))


def _parsed(body: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadAnswer(12100, "Document type declarations are not allowed")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - declarations, the dangerous part, are refused above
    except ElementTree.ParseError as error:
        raise BadAnswer(12100, f"Document parse failure: {error}") from error
    if root.tag != "Response":
        raise BadAnswer(12100, f"Root element is <{root.tag}>, not <Response>")
    return root


def _script(root: ElementTree.Element) -> Script:
    script = Script()
    for verb in root:
        if verb.tag == "Message":
            script.verbs.append(_message(verb))
        elif verb.tag == "Redirect":
            script.verbs.append(Redirect((verb.text or "").strip(), verb.get("method", "POST").upper()))
            break
        else:
            script.warnings.append(f"<{verb.tag}> is not a messaging verb")
    return script


def _message(verb: ElementTree.Element) -> SendText:
    body = "".join([verb.text or "", *(child.text or "" for child in verb if child.tag == "Body")]).strip()
    return SendText(
        body=body,
        media=tuple((child.text or "").strip() for child in verb if child.tag == "Media"),
        to=verb.get("to"),
        sender=verb.get("from"),
        status_callback=verb.get("statusCallback") or verb.get("action"),
    )

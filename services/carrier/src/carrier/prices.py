"""The carrier's list prices in USD. Carrier fees are never part of a message's price."""

from decimal import Decimal

CURRENCY = "USD"
FAILED = Decimal("0.001")
TEXT_IN = Decimal("0.0083")
MEDIA_IN = Decimal("0.0165")
MEDIA_OUT = Decimal("0.022")
TEXT_OUT = {
    "US": Decimal("0.0083"),
    "CA": Decimal("0.0083"),
    "GB": Decimal("0.0524"),
    "DE": Decimal("0.1090"),
    "NL": Decimal("0.1042"),
    "FR": Decimal("0.0798"),
    "AU": Decimal("0.0515"),
}
TEXT_OUT_ELSEWHERE = Decimal("0.0750")
NUMBER_MONTH = {"local": Decimal("1.15"), "mobile": Decimal("1.15"), "tollfree": Decimal("2.15")}
SHORT_CODE_MONTH = Decimal("1000.00")


def outbound(country: str, segments: int, media: int) -> Decimal:
    """Price of a text that reached the network, per segment; media is priced once a message."""
    return MEDIA_OUT if media else TEXT_OUT.get(country, TEXT_OUT_ELSEWHERE) * segments


def inbound(segments: int, media: int) -> Decimal:
    """Price of a text received."""
    return MEDIA_IN if media else TEXT_IN * segments


def month(kind: str) -> Decimal:
    """Rent of a number of this kind for a month."""
    return NUMBER_MONTH.get(kind, SHORT_CODE_MONTH)


def charged(amount: Decimal) -> str:
    """Write an amount as the API shows a charge: negative, five decimals."""
    return f"-{amount:.5f}"

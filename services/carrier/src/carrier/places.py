"""Where the carrier has numbers: prefixes with their places. Data only; `inventory.py` has the formula."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One prefix and the numbers after it: `digits` more digits, the first of them one of `leads`."""

    country: str
    kind: str
    prefix: str
    digits: int
    leads: str = "23456789"
    locality: str = ""
    region: str = ""
    postal: str = ""
    latitude: float | None = None
    longitude: float | None = None

    @property
    def area_code(self) -> str:
        """The prefix without its country code, for North America."""
        return self.prefix[2:] if self.prefix.startswith("+1") else ""


def _american(country: str, rows: str) -> list[Block]:
    """Read rows of `code locality region postal latitude longitude`; underscores stand for spaces."""
    blocks = []
    for code, locality, region, postal, lat, lon in (row.split() for row in rows.strip().splitlines()):
        place = locality.replace("_", " ")
        zip_code = postal.replace("_", " ")
        blocks.append(
            Block(country, "local", f"+1{code}", 7, "23456789", place, region, zip_code, float(lat), float(lon))
        )
    return blocks


COUNTRIES = {
    "US": "United States",
    "CA": "Canada",
    "GB": "United Kingdom",
    "DE": "Germany",
    "NL": "Netherlands",
    "FR": "France",
    "AU": "Australia",
}

# What numbers can do: (country, kind) -> capabilities. A fixed line in Europe has voice only.
AMERICAN = frozenset({"voice", "sms", "mms", "fax"})
EUROPEAN_FIXED = frozenset({"voice"})
EUROPEAN_MOBILE = frozenset({"voice", "sms"})
CAPABILITIES = {
    ("US", "local"): AMERICAN,
    ("CA", "local"): AMERICAN,
    ("US", "tollfree"): AMERICAN - {"fax"},
    ("CA", "tollfree"): AMERICAN - {"fax"},
}

US_ROWS = """
212 New_York NY 10001 40.7484 -73.9967
646 New_York NY 10011 40.7420 -74.0006
917 New_York NY 10002 40.7157 -73.9863
415 San_Francisco CA 94103 37.7726 -122.4099
628 San_Francisco CA 94110 37.7486 -122.4158
310 Santa_Monica CA 90401 34.0150 -118.4930
213 Los_Angeles CA 90012 34.0614 -118.2385
619 San_Diego CA 92101 32.7194 -117.1628
312 Chicago IL 60601 41.8858 -87.6181
773 Chicago IL 60614 41.9227 -87.6533
512 Austin TX 78701 30.2713 -97.7426
737 Austin TX 78702 30.2638 -97.7166
713 Houston TX 77002 29.7594 -95.3594
305 Miami FL 33130 25.7672 -80.2059
786 Miami FL 33131 25.7629 -80.1895
404 Atlanta GA 30303 33.7529 -84.3900
470 Atlanta GA 30308 33.7718 -84.3757
206 Seattle WA 98101 47.6114 -122.3305
617 Boston MA 02108 42.3572 -71.0637
857 Boston MA 02118 42.3362 -71.0729
303 Denver CO 80202 39.7491 -104.9946
720 Denver CO 80205 39.7587 -104.9666
602 Phoenix AZ 85003 33.4511 -112.0785
702 Las_Vegas NV 89101 36.1721 -115.1224
503 Portland OR 97201 45.4989 -122.6873
971 Portland OR 97205 45.5207 -122.7026
215 Philadelphia PA 19103 39.9513 -75.1741
267 Philadelphia PA 19106 39.9511 -75.1458
202 Washington DC 20001 38.9109 -77.0163
"""
CA_ROWS = """
416 Toronto ON M5H_2N2 43.6532 -79.3832
647 Toronto ON M5V_3L9 43.6426 -79.3871
437 Toronto ON M4W_1A8 43.6709 -79.3857
604 Vancouver BC V6B_1A1 49.2827 -123.1207
778 Vancouver BC V6C_2R7 49.2890 -123.1140
514 Montreal QC H3B_4W8 45.5017 -73.5673
438 Montreal QC H2Y_1C6 45.5088 -73.5540
403 Calgary AB T2P_2M5 51.0447 -114.0719
613 Ottawa ON K1P_1J1 45.4215 -75.6972
902 Halifax NS B3J_3K5 44.6488 -63.5752
"""
TOLL_FREE = ("833", "844", "855", "866", "877", "888")

BLOCKS: tuple[Block, ...] = (
    *_american("US", US_ROWS),
    *_american("CA", CA_ROWS),
    *(Block("US", "tollfree", f"+1{code}", 7) for code in TOLL_FREE[:4]),
    *(Block("CA", "tollfree", f"+1{code}", 7) for code in TOLL_FREE[4:]),
    Block("GB", "local", "+4420", 8, "7", "London", "London", "", 51.5074, -0.1278),
    Block("GB", "local", "+44161", 7, "23456789", "Manchester", "Greater Manchester", "", 53.4808, -2.2426),
    Block("GB", "mobile", "+447400", 6, "123456789"),
    Block("GB", "mobile", "+447401", 6, "123456789"),
    Block("GB", "tollfree", "+44808", 7, "123456789"),
    Block("DE", "local", "+4930", 8, "23456789", "Berlin", "Berlin", "", 52.5200, 13.4050),
    Block("DE", "local", "+4989", 8, "23456789", "München", "Bayern", "", 48.1351, 11.5820),
    Block("DE", "mobile", "+491521", 7),
    Block("DE", "mobile", "+491573", 7),
    Block("NL", "local", "+3120", 7, "23456", "Amsterdam", "Noord-Holland", "", 52.3676, 4.9041),
    Block("NL", "mobile", "+31610", 6),
    Block("NL", "mobile", "+31612", 6),
    Block("FR", "local", "+331", 8, "456789", "Paris", "Île-de-France", "", 48.8566, 2.3522),
    Block("FR", "mobile", "+33644", 6),
    Block("FR", "mobile", "+33755", 6),
    Block("AU", "local", "+612", 8, "89", "Sydney", "NSW", "", -33.8688, 151.2093),
    Block("AU", "mobile", "+61480", 6),
    Block("AU", "mobile", "+61481", 6),
)


def capabilities(country: str, kind: str) -> frozenset[str]:
    """What a number of this country and kind can do."""
    fixed = EUROPEAN_MOBILE if kind == "mobile" else EUROPEAN_FIXED
    return CAPABILITIES.get((country, kind), AMERICAN - {"fax", "voice"} if kind == "short" else fixed)


def place_of(number: str) -> Block | None:
    """Find the block a number falls into, whoever owns it; None outside the carrier's places."""
    return next((block for block in BLOCKS if number.startswith(block.prefix)), None)

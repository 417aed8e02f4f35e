"""The carrier's rules that need no server: signatures, segments, overrides, hosts, TwiML, opt-out words, inventory."""

from itertools import islice
from urllib.parse import urlsplit

import phonenumbers
import pytest
from carrier import prices
from carrier.hosts import BadHosts, HostTable, parse_hosts
from carrier.inventory import Filters, block_of, kinds_of, number_at, search
from carrier.optout import Wish, wish_in
from carrier.overrides import read_overrides
from carrier.places import BLOCKS, Block
from carrier.segments import count_segments
from carrier.settings import Settings
from carrier.signing import signature
from carrier.twiml import BadAnswer, Redirect, SendText, read_answer


def nobody_owns(_: str) -> bool:
    return False


def test_the_signature_is_the_one_the_official_client_computes() -> None:
    params = [("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234")]
    params += [("From", "+14158675309"), ("To", "+18005551212")]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, params) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_the_fragment_of_a_url_is_not_signed() -> None:
    assert signature("12345", "wss://relay.example.com/ws?call=1#rc=3") == "86MLWOseaH+sdo8HkUtWvEsckI8="


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),
    ],
)
def test_segments_follow_the_alphabet_and_never_split_a_character(body: str, segments: int) -> None:
    assert count_segments(body) == segments


def test_overrides_out_of_range_fall_back_to_the_defaults() -> None:
    url, overrides = read_overrides("https://a.test/x?y=1#rc=3&rp=5xx,rt&ct=99&tt=200")
    assert url == "https://a.test/x?y=1"
    assert (overrides.retries, overrides.connect_ms, overrides.total_ms) == (3, 5000, 200)
    assert overrides.retries_after("5xx")
    assert not overrides.retries_after("ct")


@pytest.mark.parametrize("table", ["a.test", "a.test=", "a.test=127.0.0.1", "a.test=8.8.8.8:80", "=127.0.0.1:80"])
def test_a_host_table_that_cannot_be_meant_is_refused(table: str) -> None:
    with pytest.raises(BadHosts):
        parse_hosts(table)


def test_the_addresses_of_a_host_take_turns() -> None:

    table = HostTable(parse_hosts("a.test=127.0.0.1:1|127.0.0.1:2"))
    url = urlsplit("https://A.test/x")
    assert [table.address_for(url) for _ in range(3)] == ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:1"]
    assert table.address_for(urlsplit("https://b.test/")) is None


def test_a_retry_goes_to_another_address_however_many_others_took_their_turns() -> None:
    table = HostTable(parse_hosts("a.test=127.0.0.1:1|127.0.0.1:2"))
    url = urlsplit("https://a.test/x")
    first = table.address_for(url) or ""
    table.address_for(url)
    assert table.address_for(url, after=first) == "127.0.0.1:2"


def test_the_carrier_does_not_listen_beyond_loopback_unless_told_to() -> None:
    with pytest.raises(ValueError, match="not loopback"):
        Settings(host="0.0.0.0")
    assert Settings(host="0.0.0.0", allow_bind=True).host == "0.0.0.0"


def test_twiml_says_what_to_send_and_stops_at_a_redirect() -> None:
    body = b'<Response><Message to="+1">hi<Media>https://m/1</Media></Message><Say/><Redirect>/b</Redirect><Message/></Response>'
    script = read_answer(body, "text/xml; charset=utf-8")
    assert script.verbs == [SendText("hi", ("https://m/1",), "+1"), Redirect("/b")]
    assert len(script.warnings) == 1


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"<Response>", "text/xml", 12100),
        (b"<Answer/>", "text/xml", 12100),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><Response/>', "text/xml", 12100),
        (b"{}", "application/json", 12300),
    ],
)
def test_an_answer_that_is_no_twiml_is_refused_with_the_debuggers_code(body: bytes, kind: str, code: int) -> None:
    with pytest.raises(BadAnswer) as refusal:
        read_answer(body, kind)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("body", "country", "kind", "wish"),
    [
        (" stop ", "US", "local", Wish.STOP),
        ("revoke", "CA", "local", Wish.STOP),
        ("STOP PLEASE", "US", "local", None),
        ("yes", "US", "local", Wish.START),
        ("yes", "US", "tollfree", None),
        ("info", "US", "tollfree", Wish.HELP),
        ("STOP", "US", "short", None),
        ("STOP", "GB", "mobile", None),
    ],
)
def test_only_a_whole_word_is_a_wish_and_only_where_the_network_listens(
    body: str, country: str, kind: str, wish: Wish | None
) -> None:
    assert wish_in(body, country, kind) is wish


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.country}-{block.prefix}")
def test_every_block_sells_distinct_valid_numbers_of_its_country(block: Block) -> None:
    sold = list(islice(filter(block_of, (number_at(block, i) for i in range(300))), 100))
    assert len(set(sold)) == 100
    for number in sold:
        parsed = phonenumbers.parse(number)
        assert phonenumbers.is_valid_number(parsed)
        assert phonenumbers.region_code_for_number(parsed) in (block.country, "US" if block.kind == "tollfree" else "")


def test_a_blocks_order_visits_every_number_once() -> None:
    block = next(block for block in BLOCKS if block.digits == 6)
    size = len(block.leads) * 10**5
    assert len({number_at(block, index) for index in range(size)}) == size


def test_a_search_finds_a_pattern_in_an_area() -> None:
    found = list(islice(search("US", "local", Filters(area_code="415", contains="4159*7"), 0, nobody_owns), 5))
    assert len(found) == 5
    assert all(number[2:6] == "4159" and number[7] == "7" for _, number in found)


def test_the_exchanges_of_fiction_are_never_sold() -> None:
    assert block_of("+14155550123") is None
    assert block_of("+14152345678") is not None


def test_there_are_no_mobile_numbers_in_america() -> None:
    assert "mobile" not in kinds_of("US")
    assert "mobile" in kinds_of("GB")


def test_a_charge_is_a_negative_decimal() -> None:
    assert prices.charged(prices.outbound("US", 2, 0)) == "-0.01660"

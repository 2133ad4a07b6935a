"""DPoP proofs: RFC 9449's own examples, then one spoiled thing at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oauth.dpop import DpopProofs, normalised, replay_key
from gateway.oauth.errors import OAuthError
from gateway.oauth.jose import base64url, canonical
from gateway.oauth.nonce import PERIOD_S, Nonces
from tests.gateway.oauth.conftest import BASE, KEY, OTHER_KEY, HandClock, SpentOnce, proof

RFC_HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
RFC_TOKEN_REQUEST = (
    RFC_HEADER
    + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2"
    "VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RFC_RESOURCE_REQUEST = (
    RFC_HEADER
    + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm9"
    "0ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


def test_the_token_request_of_rfc_9449_section_5() -> None:
    clock = HandClock(datetime.fromtimestamp(1562262616, UTC))
    found = DpopProofs("https://server.example.com", None, clock).check(RFC_TOKEN_REQUEST, method="POST", path="/token")
    assert found.thumbprint == RFC_JKT
    assert found.replay_key == replay_key(RFC_JKT, "-BwC3ESc6acc2lTc")


def test_the_resource_request_of_rfc_9449_section_7_1() -> None:
    clock = HandClock(datetime.fromtimestamp(1562262618, UTC))
    proofs = DpopProofs("https://resource.example.org", None, clock)
    told = {"method": "GET", "path": "/protectedresource"}
    assert proofs.check(RFC_RESOURCE_REQUEST, access_token=RFC_TOKEN, **told).thumbprint == RFC_JKT
    with pytest.raises(OAuthError, match="ath"):
        proofs.check(RFC_RESOURCE_REQUEST, access_token=RFC_TOKEN + "x", **told)


def plain(clock: HandClock) -> DpopProofs:
    return DpopProofs(BASE, None, clock)


def refused(proofs: DpopProofs, header: str | None, token: str | None = None) -> str:
    with pytest.raises(OAuthError) as caught:
        proofs.check(header, method="POST", path="/graphql", access_token=token)
    assert caught.value.status == 400
    return caught.value.code


SPOILED: dict[str, dict[str, Any]] = {
    "another type": {"header": {"typ": "JWT"}},
    "no type": {"header": {"typ": None}},
    "a type in capitals": {"header": {"typ": "DPOP+JWT"}},
    "no key": {"header": {"jwk": None}},
    "a key that is text": {"header": {"jwk": "AAAA"}},
    "a private key": {"header": {"jwk": KEY.private_jwk()}},
    "a secret as key": {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}},
    "another's key": {"header": {"jwk": OTHER_KEY.public_jwk()}},
    "an extension we must know": {"header": {"crit": ["exp"]}},
    "no method": {"without": "htm"},
    "another method": {"htm": "GET"},
    "the method in small letters": {"htm": "post"},
    "no address": {"without": "htu"},
    "an address that is a number": {"htu": 7},
    "an address that is a list": {"htu": [f"{BASE}/graphql"]},
    "another path": {"htu": f"{BASE}/oauth/token"},
    "another host": {"htu": "https://evil.example/graphql"},
    "another scheme": {"htu": "http://gw.example/graphql"},
    "another port": {"htu": "https://gw.example:8443/graphql"},
    "a host that begins like ours": {"htu": "https://gw.example.evil.example/graphql"},
    "a user before the host": {"htu": "https://gw.example@evil.example/graphql"},
    "our host as a user": {"htu": "https://user@gw.example/graphql"},
    "a path in capitals": {"htu": f"{BASE}/GraphQL"},
    "a longer path": {"htu": f"{BASE}/graphql/"},
    "a path that climbs": {"htu": f"{BASE}/x/../graphql"},
    "a path in percent signs": {"htu": f"{BASE}/%67raphql"},
    "a backslash": {"htu": "https://gw.example\\@evil.example/graphql"},
    "a blank": {"htu": f" {BASE}/graphql"},
    "no time": {"without": "iat"},
    "a time as text": {"iat": "1790000000"},
    "a truth for a time": {"iat": True},
    "too old": {"iat": int(HandClock().at.timestamp()) - 61},
    "of the future": {"iat": int(HandClock().at.timestamp()) + 61},
    "of no time": {"iat": 1e300},
    "no id": {"without": "jti"},
    "an empty id": {"jti": ""},
    "an id that is a number": {"jti": 1},
    "an endless id": {"jti": "j" * 257},
    "no hash of the token": {"token": None},
    "the hash of another token": {"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"},
    "a padded hash": {"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo="},
    "a hash that is a number": {"ath": 5},
    "a nonce nobody asked for": {"nonce": "n"},
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_proof_with_one_thing_spoiled_is_refused(what: str, clock: HandClock) -> None:
    spoiled = {"token": "the-token"} | SPOILED[what]
    assert refused(plain(clock), proof(clock, **spoiled), "the-token") == "invalid_dpop_proof"


@pytest.mark.parametrize(
    "header", [None, "", "x", "a.b.c", "twice", RFC_TOKEN_REQUEST + "," + RFC_TOKEN_REQUEST, "x" * 5_000]
)
def test_what_is_no_proof_at_all(header: str | None, clock: HandClock) -> None:
    assert refused(plain(clock), header) == "invalid_dpop_proof"


def test_a_header_seen_before_does_not_vouch_for_a_bad_signature(clock: HandClock) -> None:
    proofs, good = plain(clock), proof(clock)
    proofs.check(good, method="POST", path="/graphql")
    head, payload, signature = good.split(".")
    assert refused(proofs, f"{head}.{payload}.{base64url(bytes(64))}") == "invalid_dpop_proof"
    assert refused(proofs, f"{head}.{proof(clock, jti='j-2').split('.')[1]}.{signature}") == "invalid_dpop_proof"


@pytest.mark.parametrize("seconds", [-60, 0, 60])
def test_a_minute_either_way_is_well(seconds: int, clock: HandClock) -> None:
    made = proof(clock, iat=int(clock.now().timestamp()) + seconds)
    found = plain(clock).check(made, method="POST", path="/graphql")
    assert (
        found.until - clock.now()
    ).total_seconds() >= 60 + seconds  # remembered for as long as it could be shown again


@pytest.mark.parametrize(
    "htu",
    ["HTTPS://gw.example/graphql", "https://GW.Example/graphql", "https://gw.example:443/graphql",
     "https://gw.example/graphql?query=x", "https://gw.example/graphql#x"],
)  # fmt: skip
def test_spellings_of_our_own_address(htu: str, clock: HandClock) -> None:
    plain(clock).check(proof(clock, htu=htu), method="POST", path="/graphql")


def test_a_gateway_below_a_path_knows_its_address(clock: HandClock) -> None:
    proofs = DpopProofs("https://Gov.example:443/yimen", None, clock)
    proofs.check(proof(clock, htu="https://gov.example/yimen/graphql"), method="POST", path="/graphql")
    assert refused(proofs, proof(clock, htu="https://gov.example/graphql")) == "invalid_dpop_proof"


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_an_address(text: str) -> None:
    for url in (text, f"https://{text}", f"https://h/{text}"):
        once = normalised(url)
        assert once == "" or normalised(once) == once


def with_nonces(clock: HandClock, *, required: bool = True) -> tuple[DpopProofs, Nonces]:
    nonces = Nonces(b"s" * 32, clock)
    return DpopProofs(BASE, nonces, clock, nonce_required=required), nonces


def test_without_a_nonce_one_is_handed_out_and_with_it_the_proof_holds(clock: HandClock) -> None:
    proofs, _ = with_nonces(clock)
    with pytest.raises(OAuthError) as caught:
        proofs.check(proof(clock), method="POST", path="/graphql")
    assert caught.value.code == "use_dpop_nonce"
    assert caught.value.nonce is not None
    found = proofs.check(proof(clock, nonce=caught.value.nonce), method="POST", path="/graphql")
    assert found.next_nonce is None


def test_a_nonce_of_the_period_before_is_good_and_brings_the_next(clock: HandClock) -> None:
    proofs, nonces = with_nonces(clock)
    old = nonces.current()
    clock.forward(PERIOD_S)
    assert proofs.check(proof(clock, nonce=old), method="POST", path="/graphql").next_nonce == nonces.current() != old
    clock.forward(PERIOD_S)
    assert refused(proofs, proof(clock, nonce=old)) == "use_dpop_nonce"


@pytest.mark.parametrize("nonce", ["", "x", "x" * 32, 7, None, ["n"], "ｎ"])
def test_a_nonce_that_is_not_ours(nonce: Any, clock: HandClock) -> None:
    for required in (True, False):  # one that is sent is checked, asked for or not
        proofs, _ = with_nonces(clock, required=required)
        assert refused(proofs, proof(clock, nonce=nonce)) == "use_dpop_nonce"


def test_nonces_of_two_servers_have_nothing_in_common_and_of_two_replicas_all(clock: HandClock) -> None:
    ours, replica, other = Nonces(b"s" * 32, clock), Nonces(b"s" * 32, clock), Nonces(b"t" * 32, clock)
    assert replica.good(ours.current())
    assert not other.good(ours.current())
    assert len(canonical(ours.current())) >= 16  # 128 bits: nobody guesses one


def test_a_bad_proof_with_a_bad_nonce_is_told_of_neither_more_than_the_first(clock: HandClock) -> None:
    proofs, _ = with_nonces(clock)
    assert refused(proofs, proof(clock, htm="GET", nonce="x")) == "invalid_dpop_proof"  # step 4 comes before step 6
    assert refused(proofs, proof(clock, iat=0, nonce="x")) == "use_dpop_nonce"  # and step 6 before step 7


@pytest.mark.anyio
async def test_a_proof_is_accepted_once(clock: HandClock) -> None:
    proofs, replay, made = plain(clock), SpentOnce(), proof(clock)
    await proofs.accept(made, replay, method="POST", path="/graphql")
    with pytest.raises(OAuthError, match="replayed"):
        await proofs.accept(made, replay, method="POST", path="/graphql")
    await proofs.accept(proof(clock, key=OTHER_KEY), replay, method="POST", path="/graphql")  # another key, another jti
    assert len(replay.spent) == 2


@pytest.mark.anyio
async def test_a_refused_proof_spends_nothing(clock: HandClock) -> None:
    replay = SpentOnce()
    with pytest.raises(OAuthError):
        await plain(clock).accept(proof(clock, htm="GET"), replay, method="POST", path="/graphql")
    assert replay.spent == set()

"""A chain leads to an anchor, in every respect, or it is refused."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.authority import make_leaf, make_root
from credentials.errors import ChainInvalid
from credentials.x5c import (
    ISSUER_PURPOSE,
    LARGEST_CERTIFICATE,
    VERIFIER_PURPOSE,
    authority_keys,
    check_chain,
    entry,
    names_dns,
    names_of,
    x509_hash,
)
from tests.credentials.certificates import NOW, Made, Recipe, authority, rsa_key

ROOT = authority().under()
MIDDLE = authority("middle", path_length=0).under(ROOT)
LEAF = Recipe().under(ROOT)
DEEP = Recipe().under(MIDDLE)


def why(x5c: object, *anchors: Made, **how: object) -> str:
    with pytest.raises(ChainInvalid) as refused:
        check_chain(x5c, [one.der for one in anchors or (ROOT,)], NOW, **how)  # type: ignore[arg-type]  # bad on purpose
    return refused.value.why


def test_a_leaf_under_the_anchor_and_one_under_an_intermediate_are_believed() -> None:
    assert check_chain([LEAF.entry], [ROOT.der], NOW, purpose=ISSUER_PURPOSE).jwk["crv"] == "P-256"
    one = check_chain([DEEP.entry, MIDDLE.entry], [ROOT.der], NOW)
    assert one != check_chain([LEAF.entry], [authority("other").under().der, ROOT.der], NOW)
    check_chain([DEEP.entry], [MIDDLE.der], NOW)  # an anchor need not be a root


def test_our_own_authority_makes_what_is_believed_and_names_the_issuer() -> None:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = make_root(root_key, "https://Example.org/gov", "issuer", NOW)
    leaf = make_leaf(key.public_key(), root, root_key, "https://example.org/gov", ISSUER_PURPOSE, NOW)
    x5c, anchor = [entry(leaf)], root.public_bytes(Encoding.DER)
    check_chain(x5c, [anchor], NOW, purpose=ISSUER_PURPOSE)
    with pytest.raises(ChainInvalid, match="purpose"):
        check_chain(x5c, [anchor], NOW, purpose=VERIFIER_PURPOSE)
    assert names_of(x5c[0]) == ({"example.org"}, {"https://example.org/gov"})
    assert names_dns(x5c[0], "EXAMPLE.org")
    assert not names_dns(x5c[0], "example.org.evil")
    assert len(authority_keys(x5c)) == 1
    assert leaf.not_valid_after_utc <= root.not_valid_after_utc
    local = make_leaf(key.public_key(), root, root_key, "http://127.0.0.1:8000", ISSUER_PURPOSE, NOW)
    assert names_of(entry(local))[1] == {"http://127.0.0.1:8000"}


BAD: dict[str, Callable[[], str]] = {
    "anchor": lambda: why([LEAF.entry], authority("other").under()),
    "same name, other key": lambda: why([LEAF.entry], authority().under()),
    "no intermediate": lambda: why([DEEP.entry]),
    "wrong order": lambda: why([MIDDLE.entry, DEEP.entry]),
    "stranger between": lambda: why([DEEP.entry, Recipe(subject="middle").under(ROOT).entry]),
    "empty": lambda: why([]),
    "text": lambda: why(LEAF.entry),
    "numbers": lambda: why([1, 2]),
    "not base64": lambda: why(["***"]),
    "base64url": lambda: why([LEAF.entry.replace("/", "_") + "-"]),
    "not a certificate": lambda: why(["AAAA"]),
    "too many": lambda: why([LEAF.entry] * 6),
    "doubled": lambda: why([LEAF.entry, LEAF.entry]),
    "huge": lambda: why(["A" * (LARGEST_CERTIFICATE * 2)]),
    "self-signed leaf": lambda: why([Recipe(subject="alone").under().entry], Recipe(subject="alone").under()),
    "self-signed leaf that is the anchor": lambda: (lambda one: why([one.entry], one))(Recipe().under()),
    "anchor as leaf, not strict": lambda: why([ROOT.entry], haip=False),
    "root in the chain": lambda: why([LEAF.entry, ROOT.entry]),
    "expired": lambda: why([Recipe(ends=NOW - timedelta(seconds=1)).under(ROOT).entry]),
    "not yet": lambda: why([Recipe(begins=NOW + timedelta(seconds=1)).under(ROOT).entry]),
    "expired anchor": lambda: (lambda old: why([Recipe().under(old).entry], old))(
        authority(ends=NOW - timedelta(seconds=1)).under()
    ),
    "expired intermediate": lambda: (lambda old: why([Recipe().under(old).entry, old.entry]))(
        authority("middle", ends=NOW - timedelta(seconds=1)).under(ROOT)
    ),
    "authority as leaf": lambda: why([MIDDLE.entry]),
    "leaf as authority": lambda: why([Recipe(subject="below").under(LEAF).entry, LEAF.entry]),
    "no constraints": lambda: (lambda bare: why([Recipe().under(bare).entry, bare.entry]))(
        Recipe(subject="bare", ca=None, certify=True).under(ROOT)
    ),
    "too deep": lambda: (lambda deeper: why([Recipe().under(deeper).entry, deeper.entry, MIDDLE.entry]))(
        authority("deeper").under(MIDDLE)
    ),
    "authority that may not certify": lambda: (lambda odd: why([Recipe().under(odd).entry, odd.entry]))(
        authority("odd", certify=False, sign=True).under(ROOT)
    ),
    "leaf that may not sign": lambda: why([Recipe(sign=False).under(ROOT).entry]),
    "another purpose": lambda: why([Recipe(purpose="1.3.6.1.5.5.7.3.1").under(ROOT).entry], purpose=ISSUER_PURPOSE),
    "bad signature": lambda: why([_forged().entry]),
    "RSA leaf": lambda: why([Recipe(key=rsa_key()).under(ROOT).entry]),
    "P-384 leaf": lambda: why([Recipe(key=ec.generate_private_key(ec.SECP384R1())).under(ROOT).entry]),
    "critical and unknown": lambda: why([Recipe(extra=(_odd(),)).under(ROOT).entry]),
    "name constraints": lambda: (lambda narrow: why([Recipe().under(narrow).entry, narrow.entry]))(
        authority("narrow", extra=(_narrow(),)).under(ROOT)
    ),
    "no anchors": lambda: _without_anchors(),
}


def _forged() -> Made:
    made = Recipe().under(ROOT)
    der = bytearray(made.der)
    der[-10] ^= 1
    return Made(x509.load_der_x509_certificate(bytes(der)), made.key)


def _odd() -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True


def _narrow() -> tuple[x509.ExtensionType, bool]:
    return x509.NameConstraints([x509.DNSName("example.org")], None), True


def _without_anchors() -> str:
    with pytest.raises(ChainInvalid) as refused:
        check_chain([LEAF.entry], [], NOW)
    return refused.value.why


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_right_is_refused(bad: str) -> None:
    assert BAD[bad]()


def test_each_fault_is_told_by_its_own_name() -> None:
    named = {
        "root in the chain": "anchor_in_chain", "expired": "dates", "self-signed leaf": "self_signed",
        "authority as leaf": "leaf_is_authority", "leaf that may not sign": "key_usage", "RSA leaf": "key",
        "another purpose": "purpose", "critical and unknown": "critical", "too deep": "path_length",
        "leaf as authority": "not_an_authority", "too many": "length", "huge": "size", "doubled": "doubled",
    }  # fmt: skip
    assert {bad: BAD[bad]() for bad in named} == named


def test_a_root_in_the_chain_is_passed_over_where_haip_is_not_asked_for() -> None:
    check_chain([LEAF.entry, ROOT.entry], [ROOT.der], NOW, haip=False)
    check_chain([DEEP.entry, MIDDLE.entry, ROOT.entry], [ROOT.der], NOW, haip=False)
    # What is passed over proves nothing: another root of that name is no anchor.
    assert why([LEAF.entry, authority().under().entry], haip=False)


def test_an_authority_of_another_algorithm_may_certify_us() -> None:
    other = authority("rsa", key=rsa_key(), algorithm=hashes.SHA384()).under()
    check_chain([Recipe(algorithm=hashes.SHA384()).under(other).entry], [other.der], NOW)


def test_a_hash_of_a_leaf_is_what_openssl_gives() -> None:
    digest = hashlib.sha256(LEAF.der).digest()
    assert x509_hash(LEAF.entry) == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_bit_of_a_chain_may_be_turned(data: st.DataObject) -> None:
    der = bytearray(LEAF.der)
    place = data.draw(st.integers(0, len(der) * 8 - 1))
    der[place // 8] ^= 1 << place % 8
    with pytest.raises(ChainInvalid):
        check_chain([base64.b64encode(bytes(der)).decode()], [ROOT.der], NOW, purpose=ISSUER_PURPOSE)


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: raw.hex())), max_size=6))
def test_whatever_is_sent_is_refused_and_nothing_else_is_raised(x5c: list[str]) -> None:
    with pytest.raises(ChainInvalid):
        check_chain(x5c, [ROOT.der], NOW)


def test_the_module_asks_nobody_for_anything() -> None:
    source = Path("credentials/x5c.py").read_text("utf-8")
    assert not any(word in source for word in ("urllib", "http", "socket", "requests"))

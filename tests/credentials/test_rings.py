"""One contract for keys in files and keys in a module: made once, rotated without a failed verification, given up."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from credentials import ring as ring_module
from credentials.authority import make_leaf, make_root
from credentials.errors import CredentialsError, KeysUnavailable
from credentials.jose import parse, sign, verify
from credentials.key_box import KeyBox
from credentials.key_files import KeyFiles
from credentials.keys import KeyState, KeyUse, believed
from credentials.ring import FolderRing
from credentials.ring_changes import PUBLISHED_AHEAD, RingRefused, certificate_request, compromise, install, rotate
from credentials.x5c import ISSUER_PURPOSE, check_chain, der_of, names_of
from tests.credentials import softhsm
from tests.credentials.certificates import NOW

pytestmark = pytest.mark.anyio
URL = "https://sj.example.gov.cn/credentials"


@dataclass
class Hand:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass
class House:
    """Opens rings on one folder, as processes of one gateway would."""

    folder: Path
    box: Callable[[Path], KeyBox]
    now: Hand = field(default_factory=Hand)

    def ring(self, url: str = URL, *, look_s: float = 0.0, use: KeyUse = KeyUse.ISSUER) -> FolderRing:
        folder = self.folder / use
        return FolderRing(folder, self.box(folder), use, url, self.now, look_s=look_s)


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reason = softhsm.missing()
    if reason is not None:
        pytest.skip(reason)
    return softhsm.prepared(softhsm.folder(tmp_path_factory))


@pytest.fixture(params=["files", "module"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    if request.param == "files":
        return House(tmp_path, lambda folder: KeyFiles(folder, bytes(range(32))))
    module = request.getfixturevalue("token")
    from credentials.key_module import KeyModule

    box = KeyModule(module, softhsm.TOKEN, softhsm.PIN)  # one a process, as a login is the whole process's
    return House(tmp_path, lambda _: box)


async def states(ring: FolderRing) -> list[KeyState]:
    return [key.state for key in await ring.keys()]


async def test_many_who_open_it_at_once_agree_on_the_first_keys(house: House) -> None:
    rings = [house.ring() for _ in range(6)]
    signers = await asyncio.gather(*(one.signer() for one in rings))
    assert len({one.kid for one in signers}) == 1
    assert await states(rings[0]) == [KeyState.CURRENT, KeyState.NEXT]
    assert len({one.roots for one in rings}) == 1
    assert (await rings[0].keys())[0].alg == "ES256"


async def test_what_it_signs_verifies_by_kid_and_by_chain(house: House) -> None:
    ring = house.ring()
    signer = await ring.signer()
    made = parse(sign(signer, {"typ": "dc+sd-jwt", "kid": signer.kid, "x5c": list(signer.x5c)}, b"{}"))
    key = await ring.find(signer.kid)
    assert key is not None
    verify(made, key.public)
    verify(made, check_chain(made.header["x5c"], ring.roots, NOW, purpose=ISSUER_PURPOSE))
    assert names_of(signer.x5c[0]) == ({"sj.example.gov.cn"}, {URL})
    assert ring.roots[0] not in [der_of(one) for one in signer.x5c]
    assert await ring.find("unknown") is None


async def test_the_rings_of_two_uses_have_nothing_in_common(house: House) -> None:
    issuer, verifier = house.ring(), house.ring(use=KeyUse.VERIFIER)
    asks = await verifier.signer()
    assert asks.kid != (await issuer.signer()).kid
    for anchors in (issuer.roots, verifier.roots):
        with pytest.raises(CredentialsError):
            check_chain(asks.x5c, anchors, NOW, purpose=ISSUER_PURPOSE)


async def test_the_next_key_is_shown_before_it_signs_and_the_last_one_after(house: House) -> None:
    ring = house.ring()
    first, following = await ring.keys()
    with pytest.raises(RingRefused, match="too_early"):
        await rotate(ring, "op")
    house.now.at += PUBLISHED_AHEAD
    assert await rotate(ring, "op") == following.kid
    assert (await ring.signer()).kid == following.kid
    assert [(key.kid, key.state) for key in await ring.keys() if key.kid != following.kid][1:] == [
        (first.kid, KeyState.RETIRED)
    ]
    assert [one.kind for one in (await ring.state()).pending][-1] == "SIGNING_KEY_ROTATED"


async def test_rotation_under_load_fails_no_verification(house: House) -> None:
    """One process rotates three times; one signs and one verifies all the while, each by what it has seen."""
    signing, verifying, operator = (house.ring() for _ in range(3))
    kids = {(await signing.signer()).kid}
    over = asyncio.Event()

    async def load() -> int:
        count = 0
        while not over.is_set() or count < 20:
            signer = await signing.signer()
            kids.add(signer.kid)
            made = parse(sign(signer, {"kid": signer.kid, "x5c": list(signer.x5c)}, b"{}"))
            key = await verifying.find(signer.kid)
            assert key is not None
            assert believed(key, house.now.at)
            verify(made, key.public)
            verify(made, check_chain(made.header["x5c"], verifying.roots, NOW + timedelta(hours=2)))
            count += 1
        return count

    working = asyncio.create_task(load())
    for _ in range(3):
        house.now.at += PUBLISHED_AHEAD
        signs = await rotate(operator, "op")
        while signs not in kids and not working.done():
            await asyncio.sleep(0)
    over.set()
    assert await working > 0
    assert len(kids) == 4


async def test_who_looked_before_a_rotation_verifies_what_is_signed_after_it_and_the_other_way_round(
    house: House,
) -> None:
    old_view, new_view = house.ring(look_s=3600.0), house.ring()
    before = await old_view.signer()
    house.now.at += PUBLISHED_AHEAD
    await rotate(new_view, "op")
    after = await new_view.signer()
    for signer, view in ((after, old_view), (before, new_view)):
        made = parse(sign(signer, {"kid": signer.kid, "x5c": list(signer.x5c)}, b"{}"))
        key = await view.find(signer.kid)
        assert key is not None
        verify(made, key.public)
        verify(made, check_chain(made.header["x5c"], view.roots, house.now.at))


async def test_a_rotation_elsewhere_is_noticed_when_it_is_time_to_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = house.ring(look_s=2.0), house.ring()
    before = (await here.signer()).kid
    house.now.at += PUBLISHED_AHEAD
    after = await rotate(there, "op")
    assert (await here.signer()).kid == before
    ahead = ring_module.time.monotonic() + 2.1
    monkeypatch.setattr(ring_module.time, "monotonic", lambda: ahead)
    assert (await here.signer()).kid == after


async def test_a_key_given_up_signs_no_more_and_is_believed_before_its_cut_off_alone(house: House) -> None:
    ring = house.ring()
    stolen, following = await ring.keys()
    house.now.at += timedelta(hours=5)
    cut_off = NOW + timedelta(hours=2)
    assert await compromise(ring, stolen.kid, cut_off, "op") == following.kid
    key = await ring.find(stolen.kid)
    assert key is not None
    assert (key.state, key.cut_off) == (KeyState.COMPROMISED, cut_off)
    assert believed(key, cut_off - timedelta(seconds=1))
    assert not believed(key, cut_off)
    assert await states(ring) == [KeyState.CURRENT, KeyState.NEXT, KeyState.COMPROMISED]
    with pytest.raises(RingRefused, match="already"):
        await compromise(ring, stolen.kid, cut_off + timedelta(minutes=1), "op")
    await compromise(ring, stolen.kid, cut_off - timedelta(minutes=1), "op")  # it was stolen earlier than we thought
    with pytest.raises(RingRefused, match="future"):
        await compromise(ring, following.kid, house.now.at + timedelta(seconds=1), "op")
    with pytest.raises(RingRefused, match="unknown_key"):
        await compromise(ring, "nobody", cut_off, "op")


async def test_a_next_key_given_up_never_signs(house: House) -> None:
    ring = house.ring()
    current, following = await ring.keys()
    assert await compromise(ring, following.kid, NOW, "op") == current.kid
    house.now.at += PUBLISHED_AHEAD
    assert await rotate(ring, "op") not in (following.kid, current.kid)


async def test_a_bureaus_certificate_takes_the_place_of_ours_and_stays(house: House) -> None:
    ring = house.ring()
    request = x509.load_pem_x509_csr(await certificate_request(ring, None))
    assert request.is_signature_valid
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = make_root(root_key, "https://ca.example", "bureau", NOW)
    public = request.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    leaf = make_leaf(public, root, root_key, URL, ISSUER_PURPOSE, NOW)
    kid = await install(ring, [leaf, root], "op")
    assert kid == (await ring.keys())[1].kid
    house.now.at += PUBLISHED_AHEAD
    await rotate(ring, "op")
    signer = await house.ring("https://elsewhere.example").signer()  # ours would be made anew; a bureau's is not
    check_chain(signer.x5c, [root.public_bytes(Encoding.DER)], NOW)
    assert root.public_bytes(Encoding.DER) in ring.roots
    assert len(ring.roots) == 2  # what ours signed is believed still

    house.now.at += PUBLISHED_AHEAD
    with pytest.raises(RingRefused, match="uncertified"):
        await rotate(ring, "op")
    assert (await ring.signer()).kid == kid
    assert await rotate(ring, "op", uncertified=True) != kid

    stranger = make_leaf(root_key.public_key(), root, root_key, URL, ISSUER_PURPOSE, NOW)
    with pytest.raises(RingRefused, match="unknown_key"):
        await install(ring, [stranger, root], "op")
    with pytest.raises(RingRefused, match="chain"):
        await install(ring, [leaf], "op")
    other = make_root(root_key, "https://ca.example", "another", NOW)
    with pytest.raises(CredentialsError):
        await install(ring, [leaf, other], "op")


async def test_a_leaf_that_names_another_address_or_ends_soon_is_made_anew_over_the_same_key(house: House) -> None:
    before = await house.ring().signer()
    moved = await house.ring("https://new.example").signer()
    assert moved.kid == before.kid
    assert names_of(moved.x5c[0])[1] == {"https://new.example"}
    house.now.at += timedelta(days=3000)  # the root, too, ends too soon for another leaf
    ring = house.ring("https://new.example")
    late = await ring.signer()
    assert late.kid == before.kid
    assert len(ring.roots) == 2
    check_chain(late.x5c, ring.roots, house.now.at + timedelta(days=700))


async def test_a_command_that_knows_another_address_changes_no_certificate_and_what_it_makes_is_put_right(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = house.ring()
    before = await serving.signer()
    folder = house.folder / KeyUse.ISSUER
    command = FolderRing(
        folder, serving.box, KeyUse.ISSUER, "http://127.0.0.1:8000", house.now, look_s=0.0, renews=False
    )
    assert (await command.signer()).x5c == before.x5c
    house.now.at += PUBLISHED_AHEAD
    await rotate(command, "op")
    made = (await command.keys())[1]
    assert names_of(made.x5c[0])[1] == {"http://127.0.0.1:8000"}
    await serving.signer()
    ahead = ring_module.time.monotonic() + 61
    monkeypatch.setattr(ring_module.time, "monotonic", lambda: ahead)
    await serving.signer()
    now = await command.find(made.kid)
    assert now is not None
    assert names_of(now.x5c[0])[1] == {URL}


async def test_a_private_key_is_never_in_the_clear(house: House) -> None:
    ring = house.ring()
    signer = await ring.signer()
    assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700
    for path in ring.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"BEGIN PRIVATE" not in path.read_bytes()
        assert b"BEGIN EC" not in path.read_bytes()
    assert "Key" not in repr(signer).replace("BoxSigner", "")
    state = await ring.state()
    private = ring.box.open(state.keys[0].name)
    if type(private).__name__ == "ModuleKey":
        with pytest.raises(KeysUnavailable):
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(KeysUnavailable):
            private.private_numbers()


async def test_another_master_key_opens_nothing_and_makes_nothing_new(tmp_path: Path) -> None:
    house = House(tmp_path, lambda folder: KeyFiles(folder, bytes(32)))
    kid = (await house.ring().signer()).kid
    other = House(tmp_path, lambda folder: KeyFiles(folder, bytes(31) + b"1"))
    with pytest.raises(KeysUnavailable, match="decrypt"):
        await other.ring().signer()
    assert (await house.ring().signer()).kid == kid


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"[]", b"\xff", b'{"version": 2}'])
async def test_a_ring_that_cannot_be_read_is_not_replaced(tmp_path: Path, spoilt: bytes) -> None:
    house = House(tmp_path, lambda folder: KeyFiles(folder, bytes(32)))
    ring = house.ring()
    await ring.signer()
    (ring.folder / "ring.json").write_bytes(spoilt)
    for one in (ring, house.ring()):
        with pytest.raises(KeysUnavailable):
            await one.signer()
    assert (ring.folder / "ring.json").read_bytes() == spoilt


async def test_a_key_swapped_for_another_is_noticed(tmp_path: Path) -> None:
    house = House(tmp_path, lambda folder: KeyFiles(folder, bytes(32)))
    ring = house.ring()
    await ring.signer()
    file = ring.folder / "ring.json"
    said = json.loads(file.read_bytes())
    said["keys"][0]["name"], said["keys"][1]["name"] = said["keys"][1]["name"], said["keys"][0]["name"]
    file.write_text(json.dumps(said), "utf-8")
    with pytest.raises(KeysUnavailable, match="mismatch"):
        await house.ring().signer()


async def test_a_module_that_does_not_answer_is_said_in_a_word(tmp_path: Path, token: Path) -> None:
    from credentials.key_module import KeyModule

    for module, label, pin in ((token, "nobody's", softhsm.PIN), (tmp_path / "none.so", softhsm.TOKEN, softhsm.PIN)):
        with pytest.raises(KeysUnavailable) as refused:
            KeyModule(module, label, pin).make("00")
        assert str(tmp_path) not in str(refused.value)
        assert softhsm.PIN not in str(refused.value)


# python-pkcs11 complains while it clears up after the session that is gone; what we see of it is what is tested.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_module_that_was_restarted_is_logged_into_anew(tmp_path: Path, token: Path) -> None:
    from credentials.key_module import KeyModule

    box = KeyModule(token, softhsm.TOKEN, softhsm.PIN)
    house = House(tmp_path, lambda _: box)
    signer = await house.ring().signer()
    box._session.close()
    made = parse(sign(signer, {"kid": signer.kid, "x5c": list(signer.x5c)}, b"{}"))
    verify(made, check_chain(made.header["x5c"], house_roots(house), NOW))


def house_roots(house: House) -> tuple[bytes, ...]:
    said = json.loads((house.folder / "issuer" / "ring.json").read_bytes())
    return tuple(base64.b64decode(one["der"]) for one in said["roots"])

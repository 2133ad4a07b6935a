"""What an operator does with a ring: the next key takes over, a key is given up, a bureau's certificate is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.authority import make_request
from credentials.errors import CredentialsError
from credentials.keys import KeyState
from credentials.ring import PURPOSES, FolderRing
from credentials.ring_state import Kept, RingChange, RingState, Root
from credentials.x5c import check_chain, entry, public_key

PUBLISHED_AHEAD = timedelta(minutes=15)
"""How long a NEXT key must have been shown to others before it may sign."""


class RingRefused(CredentialsError):
    """`why`: unknown_key | too_early | uncertified | future | already | chain."""


async def rotate(ring: FolderRing, by: str, *, uncertified: bool = False) -> str:
    """NEXT signs from now on, CURRENT is RETIRED and verifies still; the kid of what signs.

    Raises RingRefused where NEXT was not shown long enough, or, unless `uncertified`, where it would put our own
    certificate in the place of a bureau's: whoever trusts the bureau alone could verify nothing any more.
    """
    now = ring.now()

    def step(state: RingState) -> RingState:
        following = _one(state, KeyState.NEXT)
        made = following.key.created_at
        if made is None or now - made < PUBLISHED_AHEAD:
            raise RingRefused("too_early")
        if _one(state, KeyState.CURRENT).installed and not following.installed and not uncertified:
            raise RingRefused("uncertified")
        state = _turned(ring, state)
        detail = {"use": str(ring.use), "compromised": False}
        return state.told(RingChange("SIGNING_KEY_ROTATED", following.key.kid, now, by, detail))

    return _one(await ring.change(step), KeyState.CURRENT).key.kid


async def compromise(ring: FolderRing, kid: str, cut_off: datetime, by: str) -> str:
    """What the key signed from `cut_off` on is not believed; another signs at once where it was the current one.

    An earlier cut-off replaces a later one, never the other way round. The kid of what signs now. Raises RingRefused.
    """
    now = ring.now()
    if cut_off > now:
        raise RingRefused("future")

    def step(state: RingState) -> RingState:
        kept = state.find(kid)
        if kept is None:
            raise RingRefused("unknown_key")
        if kept.key.cut_off is not None and kept.key.cut_off <= cut_off:
            raise RingRefused("already")
        was = kept.key.state
        if was is KeyState.CURRENT:
            state = _turned(ring, state)
        elif was is KeyState.NEXT:
            state, _ = ring.add_key(state, KeyState.NEXT)
        given_up = replace(kept.key, state=KeyState.COMPROMISED, cut_off=cut_off)
        state = state.put(replace(kept, key=given_up))
        detail = {"use": str(ring.use), "cut_off": cut_off.isoformat(), "was": str(was)}
        return state.told(RingChange("SIGNING_KEY_COMPROMISED", kid, now, by, detail))

    return _one(await ring.change(step), KeyState.CURRENT).key.kid


async def certificate_request(ring: FolderRing, kid: str | None) -> bytes:
    """PEM of a PKCS#10 request over one key, the next one where none is named. Raises RingRefused, KeysUnavailable."""
    state = await ring.state()
    kept = _one(state, KeyState.NEXT) if kid is None else state.find(kid)
    if kept is None:
        raise RingRefused("unknown_key")
    return make_request(ring.box.open(kept.name), ring.issuer_url).public_bytes(Encoding.PEM)


async def install(ring: FolderRing, certificates: Sequence[x509.Certificate], by: str) -> str:
    """A bureau's chain, leaf first and with its root, for the key it is over; the root joins our anchors. The kid.

    Raises RingRefused where the leaf is over no key of ours, or ChainInvalid where the chain does not hold.
    """
    now = ring.now()
    roots = [one for one in certificates if one.subject == one.issuer]
    chain = [one for one in certificates if one not in roots]
    if len(roots) != 1 or not chain:
        raise RingRefused("chain")
    x5c, root = tuple(entry(one) for one in chain), roots[0].public_bytes(Encoding.DER)
    check_chain(x5c, (root,), now, purpose=PURPOSES[ring.use])
    kid = public_key(chain[0]).thumbprint

    def step(state: RingState) -> RingState:
        kept = state.find(kid)
        if kept is None or kept.key.state not in (KeyState.CURRENT, KeyState.NEXT):
            raise RingRefused("unknown_key")
        state = state.put(replace(kept, key=replace(kept.key, x5c=x5c), installed=True))
        if root not in (one.der for one in state.roots):
            # Before ours, so that the newest of ours stays the last: it goes on certifying where no bureau does.
            state = replace(state, roots=(Root(root), *state.roots))
        detail = {"use": str(ring.use), "installed": True, "issuer": chain[-1].issuer.rfc4514_string()[:200]}
        return state.told(RingChange("SIGNING_KEY_CERTIFIED", kid, now, by, detail))

    await ring.change(step)
    return kid


def _turned(ring: FolderRing, state: RingState) -> RingState:
    """NEXT in place of CURRENT, and a new NEXT."""
    current, following = _one(state, KeyState.CURRENT), _one(state, KeyState.NEXT)
    state = state.put(replace(current, key=replace(current.key, state=KeyState.RETIRED)))
    state = state.put(replace(following, key=replace(following.key, state=KeyState.CURRENT)))
    state, _ = ring.add_key(state, KeyState.NEXT)
    return state


def _one(state: RingState, which: KeyState) -> Kept:
    kept = state.one(which)
    if kept is None:
        raise RingRefused("unknown_key")
    return kept

"""A ring of keys in a folder that every process and host shares: `ring.json` says which key does what, a box has the keys.

Whoever changes it holds the folder's lock and replaces the file whole; whoever reads looks at the file again every few
seconds. The first to come makes the first keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.authority import make_leaf, make_root
from credentials.errors import KeysUnavailable
from credentials.jose import ES256, Signer
from credentials.key_box import BoxSigner, KeyBox, public_of
from credentials.key_files import replace_file
from credentials.keys import KeyState, KeyUse, RingKey
from credentials.ring_state import Kept, RingChange, RingState, Root, decode, encode
from credentials.x5c import ISSUER_PURPOSE, VERIFIER_PURPOSE, der_of, entry, names_of

LOOK_S = 2.0
"""Seconds until a rotation by somebody else is noticed."""
PURPOSES = {KeyUse.ISSUER: ISSUER_PURPOSE, KeyUse.VERIFIER: VERIFIER_PURPOSE}
_RENEW = timedelta(days=400)
"""A leaf of ours that ends sooner is made anew, over the same key."""
_NEW_ROOT = timedelta(days=2 * 365)
_ORDER = (KeyState.CURRENT, KeyState.NEXT, KeyState.RETIRED, KeyState.COMPROMISED)
_REVIEW_S, _RETRY_S = 86_400.0, 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: tuple[int, int, int]
    state: RingState
    signer: BoxSigner


class FolderRing:
    """Implements `credentials.keys.KeyRing`. `issuer_url` is what leaves name; `now` says the time, aware."""

    def __init__(
        self,
        folder: Path,
        box: KeyBox,
        use: KeyUse,
        issuer_url: str,
        now: Callable[[], datetime],
        *,
        look_s: float = LOOK_S,
        renews: bool = True,
    ) -> None:
        """`renews`: whether certificates that do not fit are made anew: by what serves, and not by an operator's command,
        which may know another address than the gateway beside it."""
        self.folder, self.box, self.use, self.issuer_url, self.now = folder, box, use, issuer_url, now
        self._look_s, self._renews, self._unfit = look_s, renews, False
        self._seen: _Seen | None = None
        self._looked = self._reviewed = float("-inf")
        self._looking = asyncio.Lock()

    async def signer(self) -> Signer:
        return (await self._fresh()).signer

    async def keys(self) -> Sequence[RingKey]:
        found = [kept.key for kept in (await self._fresh()).state.keys]
        return sorted(found, key=lambda key: _ORDER.index(key.state))

    async def find(self, kid: str) -> RingKey | None:
        kept = (await self._fresh()).state.find(kid)
        return None if kept is None else kept.key

    async def state(self) -> RingState:
        return (await self._fresh()).state

    @property
    def roots(self) -> tuple[bytes, ...]:
        """The anchors (DER) what this ring signs leads to, as last seen."""
        return () if self._seen is None else tuple(root.der for root in self._seen.state.roots)

    async def change(self, step: Callable[[RingState], RingState]) -> RingState:
        """`step` on the state as it is, alone; what it returns is in force when this returns. Raises what it raises."""

        def alone() -> RingState:
            with self._locked():
                changed = step(self._read())
                self._write(changed)
                return changed

        changed = await asyncio.to_thread(alone)
        self._looked = float("-inf")
        return changed

    def add_key(self, state: RingState, as_: KeyState) -> tuple[RingState, Kept]:
        """Within `change`: a fresh key with a leaf of ours."""
        while True:
            name = secrets.token_hex(8)
            private = self.box.make(name)
            public = public_of(private.public_key())
            if public.thumbprint[0] != "-":  # nobody is to type a key's id that looks like an option
                break
        key = RingKey(public.thumbprint, ES256, public, (), as_, self.now())
        state, kept = self._certified(state, Kept(name, key), private.public_key())
        return state.put(kept), kept

    async def _fresh(self) -> _Seen:
        if self._seen is not None and time.monotonic() - self._looked < self._look_s:
            return self._seen
        async with self._looking:
            if self._seen is None or time.monotonic() - self._looked >= self._look_s:
                self._seen = await asyncio.to_thread(self._look)
                self._looked = time.monotonic()
            return self._seen

    def _look(self) -> _Seen:
        if time.monotonic() - self._reviewed >= (_RETRY_S if self._unfit else _REVIEW_S):
            self._review()
            self._reviewed = time.monotonic()
        try:
            stamp = self._stamp()
        except OSError:
            raise KeysUnavailable("read") from None
        if self._seen is not None and self._seen.stamp == stamp:
            return self._seen
        state = self._read()
        current, following = state.one(KeyState.CURRENT), state.one(KeyState.NEXT)
        if current is None or following is None:
            raise KeysUnavailable("current")
        # Somebody else's command may have certified for another address; it is put right long before that key signs.
        self._unfit = self._renews and not (self._fits(current) and self._fits(following))
        private = self.box.open(current.name)
        if public_of(private.public_key()) != current.key.public:
            raise KeysUnavailable("mismatch")
        return _Seen(stamp, state, BoxSigner(private, current.key.kid, current.key.x5c, current.key.alg))

    def _review(self) -> None:
        """Make what is missing, renew what runs out: whoever comes first, the others find it done."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            raise KeysUnavailable("folder") from None
        with self._locked():
            state = before = self._read() if self._file.exists() else RingState()
            for wanted in (KeyState.CURRENT, KeyState.NEXT):
                kept = state.one(wanted)
                if kept is None:
                    state, kept = self.add_key(state, wanted)
                    detail = {"use": str(self.use), "state": str(wanted), "first": not before.keys}
                    state = state.told(RingChange("SIGNING_KEY_MADE", kept.key.kid, self.now(), "yimen", detail))
                elif self._renews and not self._fits(kept):
                    state, kept = self._certified(state, kept, self.box.open(kept.name).public_key())
                    state = state.put(kept)
                    detail = {"use": str(self.use), "renewed": True}
                    state = state.told(RingChange("SIGNING_KEY_CERTIFIED", kept.key.kid, self.now(), "yimen", detail))
            if state != before:
                self._write(state)

    def _fits(self, kept: Kept) -> bool:
        if kept.installed:
            return True
        leaf = x509.load_der_x509_certificate(der_of(kept.key.x5c[0]))
        return self.issuer_url in names_of(kept.key.x5c[0])[1] and leaf.not_valid_after_utc - self.now() >= _RENEW

    def _certified(self, state: RingState, kept: Kept, public: ec.EllipticCurvePublicKey) -> tuple[RingState, Kept]:
        """With a leaf under our newest root; a new root where there is none or it ends too soon."""
        now = self.now()
        own = [root for root in state.roots if root.name is not None]
        if not own or x509.load_der_x509_certificate(own[-1].der).not_valid_after_utc - now < _NEW_ROOT:
            name = secrets.token_hex(8)
            made = make_root(self.box.make(name), self.issuer_url, str(self.use), now)
            own = [Root(made.public_bytes(Encoding.DER), name)]
            state = replace(state, roots=(*state.roots, *own))
        root = own[-1]
        root_key = self.box.open(root.name or "")
        certificate = x509.load_der_x509_certificate(root.der)
        leaf = make_leaf(public, certificate, root_key, self.issuer_url, PURPOSES[self.use], now)
        return state, replace(kept, key=replace(kept.key, x5c=(entry(leaf),)), installed=False)

    @property
    def _file(self) -> Path:
        return self.folder / "ring.json"

    def _stamp(self) -> tuple[int, int, int]:
        found = self._file.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> RingState:
        try:
            return decode(self._file.read_bytes())
        except OSError:
            raise KeysUnavailable("read") from None

    def _write(self, state: RingState) -> None:
        try:
            replace_file(self._file, encode(state))
        except OSError:
            raise KeysUnavailable("write") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, of all processes and of all hosts that mount the folder."""
        try:
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            raise KeysUnavailable("lock") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

"""What `yimen credentials keys` does: each command opens the store and the rings, does one thing, prints, records it."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from cryptography import x509

from credentials.errors import ChainInvalid, CredentialsError, KeysUnavailable
from credentials.keys import KeyUse
from credentials.ring import LOOK_S, FolderRing
from credentials.ring_changes import RingRefused, certificate_request, compromise, install, rotate
from credentials.x5c import der_of
from gateway.bootstrap.credential_keys import Rings, open_rings
from gateway.bootstrap.database import opened_store
from gateway.bootstrap.sure import is_sure
from gateway.clock import SystemClock
from gateway.errors import RequestRefused
from gateway.services.credentials.key_compromised import KeyCompromised
from gateway.services.credentials.renew_credential import renew_later
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.credentials.flips import flip
from gateway.store.credentials.issued import StoredIssued
from gateway.store.credentials.key_changes import StoredSignedWith, record_ring_changes
from gateway.store.subject_keys.columns import PersonalColumns

_WORDS = {
    "unknown_key": "没有这把密钥，或它已不再使用 there is no such key, or it is not in use any more",
    "too_early": "备用密钥公布不足 15 分钟，他人可能还不认识它 the next key was published less than 15 minutes ago",
    "uncertified": "备用密钥还没有机构证书：先 csr、install，或加 --uncertified "
    "the next key has no certificate of the bureau: csr and install first, or say --uncertified",
    "future": "时刻在将来 that moment is still to come",
    "already": "已按更早或同一时刻处理过 it was given up from that moment or an earlier one already",
    "chain": "文件须含叶证书和唯一的根证书 the file must hold the leaf and exactly one root",
}


async def list_keys(settings: Settings) -> int:
    async with _opened(settings) as (_, rings):
        for ring in (rings.issuer, rings.verifier):
            for key in await ring.keys():
                leaf = x509.load_der_x509_certificate(der_of(key.x5c[0]))
                since = f"  不信任自 not believed from {key.cut_off.isoformat()}" if key.cut_off else ""
                print(
                    f"{ring.use:8}  {key.state:11}  {key.alg}  {key.kid}  证书至 certificate until "
                    f"{leaf.not_valid_after_utc:%Y-%m-%d}  {leaf.issuer.rfc4514_string()}{since}"
                )
    return 0


async def rotate_key(settings: Settings, use: str, *, uncertified: bool) -> int:
    async with _opened(settings) as (store, rings):
        ring = _ring(rings, use)
        kid = await rotate(ring, _who(), uncertified=uncertified)
        await record_ring_changes(store.database, ring)
    print(f"现用密钥 signing key in use: {kid}\n各进程 {LOOK_S:.0f} 秒内换用 every process uses it within seconds")
    return 0


async def give_up_key(settings: Settings, use: str, kid: str, since: datetime | None, *, sure: bool) -> int:
    words = (
        "该密钥自此刻起所签的凭证将被撤销，无法恢复；输入密钥编号的前 6 位确认\n"
        "What this key signed from that moment on will be revoked, with no way back. Type the first 6 characters of its id:"
    )
    if not sure and not is_sure(words, kid[:6]):
        return 1
    async with _opened(settings) as (store, rings):
        ring, clock = _ring(rings, use), SystemClock()
        cut_off = since or clock.now()
        now_signs = await compromise(ring, kid, cut_off, _who())
        await record_ring_changes(store.database, ring)
        issued = StoredIssued(store.database, PersonalColumns(store.keys, store.subject_keys.ring), clock, flip)
        end = KeyCompromised(StoredSignedWith(store.database), issued, partial(renew_later, store.jobs, clock))
        ended = await end(kid, cut_off, actor_user=_who())
        # Other processes notice within LOOK_S; what they signed until then is ended by a second look.
        await asyncio.sleep(2 * LOOK_S)
        ended += await end(kid, cut_off, actor_user=_who())
    print(f"已停用 given up: {kid}\n撤销批次 batches revoked: {ended}\n现用密钥 signing key in use: {now_signs}")
    return 0


async def print_request(settings: Settings, use: str, kid: str | None) -> int:
    async with _opened(settings) as (_, rings):
        sys.stdout.write((await certificate_request(_ring(rings, use), kid)).decode())
    return 0


async def install_certificate(settings: Settings, use: str, file: Path) -> int:
    try:
        certificates = x509.load_pem_x509_certificates(await asyncio.to_thread(file.read_bytes))
    except (OSError, ValueError):
        raise RequestRefused("CERTIFICATE_FILE", f"{file.name}: 不是 PEM 证书 no PEM certificates") from None
    async with _opened(settings) as (store, rings):
        ring = _ring(rings, use)
        kid = await install(ring, certificates, _who())
        await record_ring_changes(store.database, ring)
    print(f"已安装 installed for {kid}; 根证书现在公布于 its root is now among /credentials/trust-anchors")
    return 0


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Store, Rings]]:
    """What the keys refuse becomes a sentence for whoever typed the command."""
    try:
        async with opened_store(settings) as store:
            rings = await open_rings(settings, store.keys, SystemClock(), look_s=0.0, renews=False)
            for ring in (rings.issuer, rings.verifier):
                await record_ring_changes(store.database, ring)
            yield store, rings
    except RingRefused as refused:
        raise RequestRefused("KEYS_REFUSED", _WORDS.get(refused.why, refused.why)) from None
    except ChainInvalid as refused:
        raise RequestRefused("CHAIN_INVALID", f"证书链不成立 the chain does not hold: {refused.why}") from None
    except KeysUnavailable as refused:
        raise RequestRefused("KEYS_UNAVAILABLE", f"密钥不可用 the keys cannot be used: {refused.why}") from None
    except CredentialsError as refused:
        raise RequestRefused("KEYS_REFUSED", refused.why) from None


def _ring(rings: Rings, use: str) -> FolderRing:
    return rings.issuer if use == KeyUse.ISSUER else rings.verifier


def _who() -> str:
    return f"cli:{getpass.getuser()}"

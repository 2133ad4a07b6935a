"""What `yimen ledger` does: each command opens the store, calls one service, prints."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from gateway.bootstrap.database import opened_store
from gateway.bootstrap.ledger import walk_of, witness_policy
from gateway.bootstrap.ledger_words import ASK_BEGIN, ASK_RETIRE, HALTED, HALTED_VIEW, WITNESS, told
from gateway.bootstrap.sure import is_sure
from gateway.clock import CIVIL, SystemClock
from gateway.errors import RequestRefused
from gateway.services.ledger.faults import Finding
from gateway.services.ledger.fsck import TAIL, Fsck, Progress
from gateway.services.ledger.mirror import Export, against_mirror
from gateway.services.ledger.ports import Shard
from gateway.services.ledger.walk import Health, Walk, following
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.ledger.backlog import waiting
from gateway.store.ledger.fsck import StoredRows
from gateway.store.ledger.fsck_records import StoredRecords
from ledger.audit.http import Http
from ledger.audit.source import Directory, Source
from ledger.errors import LedgerError

_MOST_EXHIBITS = 1000


async def show_status(settings: Settings) -> int:
    """Exit 1 where a shard is halted or witnesses are fewer than the quorum."""
    async with opened_store(settings) as store:
        walk = walk_of(settings, store)
        shards = await store.ledger.shards()
        if not shards:
            print("尚无日志，启动一次网关即建立 no ledger yet: start the gateway once")
            return 0
        for shard in shards:
            await _show_shard(store, shard)
        for year in following([shard.shard for shard in shards]):
            for key in await store.ledger.keys(year):
                print(f"{year}  次年公钥已公布，须交各见证方登记 announced; every witness must be told: {key}")
        print(f"待排序 waiting for an index: {await waiting(store.database):,}")
        if any(shard.halted for shard in shards if shard.active):
            print(HALTED_VIEW)
        await _show_witnesses(walk)
        well = {one.known.witness for one in await walk.witnesses() if one.health is Health.WELL}
        sealing = walk.policy.satisfied_by(well)
        if not sealing:
            print("见证不足法定数 there is no quorum of witnesses")
        return 0 if sealing and not any(shard.halted for shard in shards if shard.active) else 1


async def _show_shard(store: Store, shard: Shard) -> None:
    state = "在用 active" if shard.active else "已关闭 closed"
    print(f"{shard.shard}  {shard.origin}  {state}  {shard.size:,} 条 entries")
    if shard.halted is not None:
        print(f"  已停止 HALTED: {shard.halted}  {HALTED.get(shard.halted, '')}")
    kept = await store.ledger.published(shard.shard)
    if kept is None:
        print("  尚未发布检查点 no checkpoint published yet")
        return
    print(f"  检查点 checkpoint: {kept.size:,}  {_time(kept.at)}")
    for one in await store.ledger.checkpoints(shard.shard, before=None, limit=100):
        if one.sealed_at is not None:
            print(f"  已封存 sealed: {one.size:,}  {_time(one.sealed_at)}  {', '.join(sorted(one.cosignatures))}")
            return
    print("  近百个检查点均未封存 none of the last hundred checkpoints is sealed")


async def show_witnesses(settings: Settings) -> int:
    """Exit 1 where one of them is not well."""
    async with opened_store(settings) as store:
        walk = walk_of(settings, store)
        await _show_witnesses(walk)
        return int(any(one.health not in (Health.WELL, Health.NEW) for one in await walk.witnesses()))


async def _show_witnesses(walk: Walk) -> None:
    witnesses = await walk.witnesses()
    if not witnesses:
        print("未设见证方 no witnesses are set (ledger_witness_policy)")
    for one in witnesses:
        known = one.known
        if one.health is Health.WELL:
            said = f"正常 well: {known.size:,}  {_time(known.seen_at)}"
        elif one.health is Health.NEW:
            said = "尚未见证过 has not cosigned yet"
        else:
            fault = known.fault or ""
            said = f"{fault} {WITNESS.get(fault, '')} 自 since {_time(known.failing_since)}"
        print(f"  见证方 witness {known.witness}: {said}")


async def check_ledger(settings: Settings, *, full: bool, tail: int | None, mirror: str | None, as_json: bool) -> int:
    """Exit 1 for any grave finding, and for a log that is halted."""
    grave = 0
    async with opened_store(settings) as store:
        rows = StoredRows(store.database)
        fsck = Fsck(rows, witness_policy(settings))
        last = None if full else (tail or TAIL)
        async for finding in _findings(store, rows, fsck, last, mirror):
            grave += finding.grave
            _clear()
            print(json.dumps(asdict(finding), ensure_ascii=False) if as_json else told(finding), flush=True)
        _clear()
        if not as_json:
            sizes = ", ".join(f"{head.shard}: {head.size:,}" for head in await fsck.heads())
            words = "全部 all of it" if full else f"末尾 last {last:,}"
            print(f"已检查 checked ({words}): {sizes or '-'}")
            print("未发现问题 nothing wrong was found" if not grave else f"发现 {grave} 处错误 errors found: {grave}")
        halted = next((one.halted for one in await store.ledger.shards() if one.active and one.halted), None)
        if halted is not None:  # what is stored may fit together, and yet not be what witnesses saw
            print(f"日志已停止 the log is HALTED: {halted}  {HALTED.get(halted, '')}", file=sys.stderr)
    return int(grave > 0 or halted is not None)


async def _findings(
    store: Store, rows: StoredRows, fsck: Fsck, last: int | None, mirror: str | None
) -> AsyncIterator[Finding]:
    heads = await fsck.heads()
    for head in heads if last is None else heads[-1:]:
        async for finding in fsck.shard(head, last=last, progress=bar(f"{head.shard} 树 tree")):
            yield finding
    if last is None:
        records = StoredRecords(store.database, store.subjects.pid)
        async for finding in records.check(bar("记录 records")):
            yield finding
    for head in heads if mirror is not None else ():
        source = _source(f"{(mirror or '').rstrip('/')}/{head.shard}")
        try:
            async for finding in against_mirror(rows, head, source, bar(f"{head.shard} 镜像 mirror")):
                yield finding
        finally:
            source.close()


async def export_mirror(settings: Settings, directory: Path) -> int:
    async with opened_store(settings) as store:
        for shard in reversed(await store.ledger.shards()):
            try:
                size = await Export(store.ledger, directory)(shard, bar(f"{shard.shard} 文件 files"))
            except OSError as error:
                raise RequestRefused("LEDGER_MIRROR_UNWRITABLE", f"{directory}: {error.strerror}") from None
            _clear()
            print(f"{shard.shard}: " + ("尚未发布 nothing published yet" if size is None else f"{size:,} 条 entries"))
    return 0


async def show_vkeys(settings: Settings, shard: str | None) -> int:
    """Before the first start, too: it makes the log's key then, for a witness must know it before there is a checkpoint."""
    async with opened_store(settings) as store:
        await store.log.open(settings.ledger_name, str(SystemClock().now().astimezone(CIVIL).year))
        known = {one.shard for one in await store.ledger.shards()}
        if shard is not None and shard not in known:
            raise RequestRefused("LEDGER_SHARD_UNKNOWN", f"there is no shard {shard}; there are {sorted(known)}")
        print(await walk_of(settings, store).policy_text(shard), end="")
    return 0


async def announce_year(settings: Settings, year: str) -> int:
    async with opened_store(settings) as store:
        print(await store.log.shards.announce(settings.ledger_name, year))
    return 0


async def rotate_key(settings: Settings, *, finish: bool, sure: bool) -> int:
    async with opened_store(settings) as store:
        if finish and not sure and not is_sure(ASK_RETIRE, "retire"):
            return 1
        if finish:
            print(f"已停用旧密钥 retired: {await store.log.keys.finish_rotation()}")
        else:
            print(f"新密钥 new key: {await store.log.keys.begin_rotation()}")
            print(
                "两把密钥同时签名。交给见证方与审计方后再运行 both keys sign now; give it to witnesses and auditors, then: "
                "yimen ledger rotate-key --finish"
            )
    return 0


async def begin_shard(settings: Settings, *, reason: str, checkpoint: bytes | None, sure: bool) -> int:
    async with opened_store(settings) as store:
        if not sure and not is_sure(ASK_BEGIN, "begin"):
            return 1
        try:
            shard = await store.log.shards.begin_shard(
                settings.ledger_name,
                reason=reason,
                actor_user=f"cli:{getpass.getuser()}",
                witnessed=checkpoint,
            )
        except LedgerError as error:
            raise RequestRefused("LEDGER_CHECKPOINT_REFUSED", str(error)) from None
        print(f"新分片 new shard: {shard.shard}  {shard.origin}")
        print("请重启网关，并把新公钥交给见证方 restart the gateway, and give the new vkey to the witnesses:")
        print(await walk_of(settings, store).policy_text(shard.shard), end="")
    return 0


def read_checkpoint_file(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RequestRefused("LEDGER_CHECKPOINT_REFUSED", f"{file}: {error.strerror}") from None


async def show_exhibits(settings: Settings, exhibit_id: str | None) -> int:
    async with opened_store(settings) as store:
        kept = await store.ledger.exhibits(_MOST_EXHIBITS)
    if exhibit_id is None:
        for one, at, exhibit in kept:
            print(f"{one}  {_time(at)}  {exhibit.shard}  {exhibit.kind}  {exhibit.about}")
        if not kept:
            print("没有证物 no evidence of wrongdoing is kept", file=sys.stderr)
        return 0
    for one, at, exhibit in kept:
        if one == exhibit_id:
            print(json.dumps(asdict(exhibit) | {"id": one, "at": _time(at)}, ensure_ascii=False, indent=2))
            return 0
    raise RequestRefused("LEDGER_EXHIBIT_UNKNOWN", "there is no such exhibit")


def bar(what: str) -> Progress:
    """On a terminal; elsewhere nothing is drawn."""
    if not sys.stderr.isatty():
        return lambda _done, _of: None

    def draw(done: int, of: int) -> None:
        part = done / of if of else 1.0
        filled = int(part * 30)
        print(f"\r{what} [{'#' * filled}{'-' * (30 - filled)}] {part:4.0%} {done:,}/{of:,}", end="", file=sys.stderr)

    return draw


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _source(where: str) -> Source:
    try:
        return Http(where) if "://" in where else Directory(Path(where))
    except LedgerError as error:
        raise RequestRefused("LEDGER_MIRROR_UNKNOWN", str(error)) from None


def _time(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"

"""What `yimen receipts` and the gateway's own rounds do: the receipts in our records, and the logs of the gateways that gave
them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from adapters.egress import Channel
from adapters.egress_http import HttpEgress
from adapters.errors import AdapterError, SourceUnavailable
from adapters.other_gateway import is_gateway, ledger_policy, name_of
from adapters.registry import rule_of
from adapters.secrets import Secrets
from gateway.bootstrap.database import opened_store
from gateway.clock import Clock, SystemClock
from gateway.services.load_sources import read_sources
from gateway.services.onward import GoesAlong
from gateway.services.upstream_receipts import BAD, CheckReceipts, Found, OtherLog, Unheard, Verdict, WatchReceipts
from gateway.settings import Settings, environment
from gateway.store import Store
from gateway.store.alerts import StoredAlerts
from gateway.store.ledger.halting import SYSTEM_ORG
from gateway.store.upstream_receipts import StoredReceipts
from ledger.errors import Malformed
from ledger.policy import Policy, parse_policy

_log = structlog.get_logger(__name__)

ONWARD_KEY = "onward/organisation/v1"
_TIMEOUT_S = 10.0
_ABSENT = frozenset({404, 409, 410})


class ChannelLog:
    """Implements `OtherLog` by the source's own way out: to no other host than its manifest names."""

    def __init__(self, channel: Channel, endpoint: str, policy: Policy | None) -> None:
        here = urlsplit(endpoint)
        self._channel, self._base, self._policy = channel, f"{here.scheme}://{here.netloc}", policy

    @property
    def policy(self) -> Policy | None:
        return self._policy

    async def get(self, path: str) -> bytes | None:
        """See the port."""
        try:
            reply = await self._channel.send("GET", self._base + path, timeout_s=_TIMEOUT_S)
        except SourceUnavailable as error:
            raise Unheard(error.reason.value) from None
        if reply.status in _ABSENT:
            return None
        if reply.status != 200:
            raise Unheard(f"HTTP {reply.status}")
        return reply.body


async def check_receipts(settings: Settings, days: int, most: int, out: Path | None) -> int:
    """Exit 1 where a receipt is false, 3 where one could not be checked, 0 otherwise."""
    now = SystemClock().now()
    since = now - timedelta(days=days)
    async with opened_store(settings) as store, _logs(settings, _told) as logs:
        receipts = StoredReceipts(store.database)
        before = await receipts.good(since=since)
        found = await CheckReceipts(receipts, logs)(since=since, most=most, now=now)
    for one in found:
        print(_line(one))
    if out is not None:
        _write_out(out, found)
    said = Counter(one.verdict for one in found)
    print("回执 receipts: " + (", ".join(f"{verdict} {count}" for verdict, count in said.items()) or "0"))
    if before:
        print(f"此前已证实 proven before: {before}")
    if BAD & said.keys():
        print("有回执与对方日志不符，请通知检察院 a receipt is false: tell the procuratorate", file=sys.stderr)
        return 1
    return 3 if Verdict.UNREACHABLE in said else 0


async def find_receipt(settings: Settings, receipt_id: str) -> int:
    async with opened_store(settings) as store:
        found = await StoredReceipts(store.database).events_of(receipt_id)
    for one in found:
        print(f"{one.event_id}  {one.source} {one.said.get('recordedAt', '')}")
    if not found:
        print("没有记录 · nothing recorded")
    return 0 if found else 1


async def whose_reference(settings: Settings, reference: str) -> int:
    """References are not kept: each organisation's is made again and compared."""
    async with opened_store(settings) as store:
        along = GoesAlong(name_of(settings.base_url), store.keys.derive(ONWARD_KEY))
        token = reference.rpartition("/")[2]
        for one in await store.identities.organisations():
            if along.reference(one.org_id).rpartition("/")[2] == token:
                print(f"{one.org_id}  {one.name_zh}")
                return 0
    print("不是我方的引用 · not one of ours")
    return 1


def _write_out(directory: Path, found: Sequence[Found]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for one in found:
        if one.proof is not None:
            (directory / f"{one.kept.id}.tlog-proof").write_text(one.proof, encoding="utf-8")


def _line(one: Found) -> str:
    return f"{one.verdict:12} {one.level or '-':8} {one.kept.source:10} {one.kept.id}  {one.kept.event_id}  {one.detail}".rstrip()


def receipts_round(settings: Settings, store: Store, clock: Clock) -> Callable[[], Awaitable[object]]:
    """What `services.alarms.keep_watch` does every `receipt_check_s`. Manifests are read anew each time."""
    receipts, alerts = StoredReceipts(store.database), StoredAlerts(store.database, clock)

    async def once() -> None:
        async with _logs(settings, _logged) as logs:
            check = CheckReceipts(receipts, logs)
            await WatchReceipts(check, alerts, clock, every_s=settings.receipt_check_s, org_id=SYSTEM_ORG)()

    return once


def _told(source: str, error: Exception) -> None:
    print(f"{source}: ledger_policy: {error}", file=sys.stderr)


def _logged(source: str, error: Exception) -> None:
    _log.warning("receipt_keys_unusable", source=source, kind=type(error).__name__)


@asynccontextmanager
async def _logs(settings: Settings, told: Callable[[str, Exception], None]) -> AsyncIterator[Mapping[str, OtherLog]]:
    """By the code of the source. What a manifest lacks, or says wrongly, is told when the source is loaded."""
    egress = HttpEgress()
    logs: dict[str, OtherLog] = {}
    try:
        directory = settings.manifests_dir
        for manifest in read_sources(directory).sources:
            if not is_gateway(manifest):
                continue
            secrets = Secrets(environment(), directory)
            endpoint = secrets.plain_or_reference(manifest.endpoint)
            try:
                policy = ledger_policy(manifest, secrets)
                known = None if policy is None else parse_policy(policy)
            except (AdapterError, Malformed) as error:
                told(manifest.code, error)
                known = None
            logs[manifest.code] = ChannelLog(egress.open(rule_of(manifest, endpoint, secrets)), endpoint, known)
        yield logs
    finally:
        await egress.close()

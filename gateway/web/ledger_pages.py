"""The log for people: walk it, look at one entry and its proof, at checkpoints, witnesses, and the policy to check by."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from starlette.types import Scope

from gateway.consent.notice import Both, in_words
from gateway.services.ledger.ports import KeptCheckpoint, Level, Shard
from gateway.services.ledger.receipts import Receipts
from gateway.services.ledger.walk import PAGE, Walk, Walked, WitnessTold
from gateway.services.words import Words
from gateway.web.forms import FormInvalid, parse_form
from gateway.web.html import HTML, page
from gateway.web.ledger import FOR_EVER, PUBLIC, SHARD, TEXT, shard_of
from gateway.web.ledger_evidence import cosigned_at
from gateway.web.ledger_receipts import proof_file
from gateway.web.problems import JSON, Refusal, Reply, catalogue
from gateway.web.visit import see_other
from ledger.encoding import b64
from ledger.entry import KINDS, is_actor

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_OWN = {"person": "LEDGER_ACTOR_PERSON", "yimen": "LEDGER_ACTOR_YIMEN"}


class LedgerPages:
    """Each method answers one URL. Nothing here is personal, so no token is asked for."""

    def __init__(self, walk: Walk, receipts: Receipts, words: Words, base_url: str) -> None:
        self._walk, self._receipts, self._words, self._base_url = walk, receipts, words, base_url

    async def entries(self, scope: Scope) -> Reply:
        """`GET /ledger?shard=&kind=&body=&before=`"""
        asked = _asked(scope, {"shard", "kind", "body", "before"})
        shard, kind, body = await self._shard(asked), asked.get("kind"), asked.get("body")
        if (kind is not None and kind not in KINDS) or (body is not None and not is_actor(body)):
            raise Refusal("BAD_VALUE")
        found = await self._walk.page(shard, before=_before(asked), kind=kind, actor=body)
        kept = {name: value for name, value in asked.items() if name != "before"}
        without_body = {name: value for name, value in kept.items() if name != "body"}
        return page(
            "ledger_walk.html",
            entries=[await self._told(one) | {"of_body": _link(kept, body=one.entry.actor)} for one in found.entries],
            kinds=[(one, _kind(one)) for one in sorted(KINDS)],
            kind=kind,
            body=body,
            body_words=None if body is None else await self._actor(body),
            all_bodies=_link(without_body),
            shard=shard.shard,
            shards=[one.shard for one in await self._walk.shards()],
            origin=shard.origin,
            size=found.size,
            older=None if found.before is None else _link(kept, before=str(found.before)),
            halted=_words_of("LEDGER_HALTED") if shard.halted else None,
        )

    async def origin(self, scope: Scope) -> Reply:
        """`GET /ledger/{shard}`: what every note names as the log's origin, typed into a browser."""
        shard = shard_of(scope)
        await self._shard({"shard": shard})
        return see_other(_link({"shard": shard}))

    async def entry(self, scope: Scope) -> Reply:
        """`GET /ledger/{shard}/entries/{index}`"""
        found = await self._at(scope)
        proof = await self._receipts.proof(found)
        told = Walked.of(found.placed)
        kept = found.checkpoint
        return page(
            "ledger_entry.html",
            index=found.placed.number,
            shard=found.placed.shard,
            origin=found.origin,
            told=await self._told(told),
            public=None if told.entry.public is None else json.dumps(dict(told.entry.public), indent=1, ensure_ascii=False),
            raw=found.placed.entry.decode(),
            leaf=b64(found.placed.leaf_hash),
            size=0 if kept is None or proof is None else kept.size,
            steps=0 if proof is None else len(proof.path),
            state="SIGNED" if kept is None else self._state(kept),
            witnesses=[] if kept is None else [_cosigned(name, line) for name, line in kept.cosignatures.items()],
            of=len(self._walk.policy.witnesses),
        )  # fmt: skip

    async def proof(self, scope: Scope) -> Reply:
        """`GET /ledger/{shard}/entries/{index}/proof`"""
        found = await self._at(scope)
        return await proof_file(self._receipts, found, f"{found.placed.shard}-{found.placed.number}")

    async def raw(self, scope: Scope) -> Reply:
        """`GET /ledger/{shard}/entries/{index}/entry`: the bytes that are hashed."""
        found = await self._at(scope)
        name = f'attachment; filename="{found.placed.shard}-{found.placed.number}.json"'.encode()
        headers = [*PUBLIC, (b"cache-control", FOR_EVER), (b"content-disposition", name)]
        return Reply(200, found.placed.entry, JSON, headers)

    async def checkpoints(self, scope: Scope) -> Reply:
        """`GET /ledger/checkpoints?shard=&before=`"""
        asked = _asked(scope, {"shard", "before"})
        shard, before = await self._shard(asked), _before(asked)
        published = await self._walk.published(shard.shard)
        end = 0 if published is None else published.size + 1
        end = end if before is None else min(before, end)
        found = await self._walk.checkpoints(shard.shard, before=end) if end else ()
        told = [
            {"size": one.size, "at": in_words(one.at), "root": b64(one.root), "state": self._state(one),
             "count": len(one.cosignatures)}
            for one in found
        ]  # fmt: skip
        older = None
        if len(found) == PAGE:
            older = "/ledger/checkpoints?" + urlencode({"shard": shard.shard, "before": found[-1].size})
        of = len(self._walk.policy.witnesses)
        return page("ledger_checkpoints.html", shard=shard.shard, checkpoints=told, older=older, of=of)

    async def witnesses(self, scope: Scope) -> Reply:
        """`GET /ledger/witnesses`"""
        _asked(scope, set())
        shard, policy = await self._shard({}), self._walk.policy
        group = policy.groups.get(policy.quorum)
        exhibits = [
            {"at": in_words(at), "about": one.about, "kind": one.kind} for _, at, one in await self._walk.exhibits()
        ]
        return page(
            "ledger_witnesses.html",
            witnesses=[_witness(one) for one in await self._walk.witnesses()],
            exhibits=exhibits,
            keys={name: one.key.name for name, one in policy.witnesses.items()},
            of=len(policy.witnesses),
            needed=group[0] if group is not None else len(policy.witnesses),
            halted=_words_of("LEDGER_HALTED") if shard.halted else None,
        )

    async def policy(self, scope: Scope) -> Reply:
        """`GET /ledger/policy?format=text`"""
        asked = _asked(scope, {"format"})
        text, shard = await self._walk.policy_text(), await self._shard({})
        if asked.get("format", "html") not in ("html", "text"):
            raise Refusal("BAD_VALUE")
        if asked.get("format") == "text":
            name = (b"content-disposition", b'attachment; filename="policy.txt"')
            return Reply(200, text.encode(), TEXT, [*PUBLIC, name])
        return page("ledger_policy.html", policy=text, base_url=self._base_url, shard=shard.shard)

    async def verifier(self, scope: Scope) -> Reply:
        """`GET /ledger/verifier`: one file that works as well from a disk, where it comes with this build."""
        found = _verifier()
        if found is None:
            raise Refusal("NOT_FOUND")
        body, policy = found
        return Reply(200, body, HTML, [(b"content-security-policy", policy), (b"cache-control", b"no-cache")])

    async def _shard(self, asked: Mapping[str, str]) -> Shard:
        """Before the very first one has begun, an empty one: there is a log to come."""
        name = asked.get("shard")
        if name is None:
            return await self._walk.shard(None) or Shard("", "", active=True, size=0)
        found = await self._walk.shard(name) if SHARD.fullmatch(name) else None
        if found is None:
            raise Refusal("NOT_FOUND")
        return found

    async def _at(self, scope: Scope) -> Any:
        shard, index = shard_of(scope), scope["path_params"]["index"]
        found = await self._receipts.at(shard, int(index)) if _NUMBER.fullmatch(index) else None
        if found is None:
            raise Refusal("NOT_FOUND")
        return found

    async def _told(self, one: Walked) -> dict[str, Any]:
        body = await self._actor(one.entry.actor)
        return {
            "number": one.placed.number,
            "at": in_words(one.entry.time),
            "body": body,
            "kind": _kind(one.entry.kind),
        }

    async def _actor(self, actor: str) -> Both:
        return _words_of(_OWN[actor]) if actor in _OWN else await self._words.organisation(actor)

    def _state(self, kept: KeptCheckpoint) -> str:
        if kept.sealed_at is not None:
            return Level.SEALED.value
        return "PROVISIONAL" if self._walk.provisional(kept.cosignatures) else "SIGNED"


def _witness(one: WitnessTold) -> dict[str, Any]:
    known = one.known
    return {
        "name": known.witness,
        "health": one.health.value,
        "words": _words_of(f"LEDGER_WITNESS_{one.health.value}"),
        "fault": known.fault,
        "since": None if known.failing_since is None else in_words(known.failing_since),
        "seen": None if known.seen_at is None else in_words(known.seen_at),
        "size": known.size,
    }


def _cosigned(name: str, line: str) -> dict[str, Any]:
    at = cosigned_at(line)
    return {"name": name, "at": None if at is None else in_words(datetime.fromtimestamp(at, UTC))}


def _kind(kind: str) -> Both:
    return _words_of(f"LEDGER_KIND_{kind.upper()}")


def _words_of(code: str) -> Both:
    return Both(**catalogue()[code])


def _asked(scope: Scope, known: set[str]) -> dict[str, str]:
    try:
        asked = parse_form(scope["query_string"], fields=8)
    except FormInvalid:
        raise Refusal("BAD_VALUE") from None
    if asked.keys() - known:
        raise Refusal("BAD_VALUE")
    return asked


def _before(asked: Mapping[str, str]) -> int | None:
    given = asked.get("before")
    if given is not None and not _NUMBER.fullmatch(given):
        raise Refusal("BAD_VALUE")
    return None if given is None else int(given)


def _link(asked: Mapping[str, str], **changes: str) -> str:
    given = {**asked, **changes}
    return f"/ledger?{urlencode(given)}" if given else "/ledger"


@cache
def _verifier() -> tuple[bytes, bytes] | None:
    """The page, and a policy that lets its own script and style run and nothing else."""
    file = resources.files("gateway.web").joinpath("static", "verifier.html")
    if not file.is_file():
        return None
    body = file.read_bytes()

    def hashes(name: bytes) -> bytes:
        found = re.findall(rb"<%b(?:\s[^>]*)?>(.*?)</%b>" % (name, name), body, re.DOTALL)
        return b" ".join(b"'sha256-%b'" % base64.b64encode(hashlib.sha256(one).digest()) for one in found) or b"'none'"

    policy = b"default-src 'none'; script-src %b; style-src %b; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return body, policy % (hashes(b"script"), hashes(b"style"))

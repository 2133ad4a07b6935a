"""Kind "graphql": another GraphQL endpoint as a source, say another district's yimen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from adapters.asking import Deadline, together
from adapters.errors import Reason, SourceUnavailable
from adapters.graphql_answer import read_answers
from adapters.graphql_receipt import read_receipt
from adapters.graphql_request import GraphqlRequest, field_faults, read_request, root_of
from adapters.kind import Opening, spec_of
from adapters.manifest import AnswerSpec, SourceManifest
from adapters.onward import Onward
from adapters.other_gateway import first_purpose, is_gateway, option_faults
from adapters.sending import open_sending
from adapters.signing import Outgoing, check_auth
from adapters.source import Answer, Failed, Key, Lookup
from adapters.templates import KeyPartMissing

_HEADERS = {
    "accept": "application/graphql-response+json, application/json;q=0.9",
    "content-type": "application/json",
}
_OURS = 'another yimen is told our caller\'s purpose: onward = { purpose = "purpose" }, with that variable in @purpose'


class GraphqlKind:
    """See docs/guides/manifest.md, "graphql"."""

    name = "graphql"
    uses_http = True

    def check(self, manifest: SourceManifest) -> list[tuple[str, str]]:
        faults = check_auth(manifest.auth, ("none", "bearer", "oauth"))
        faults += option_faults(manifest.options)
        for position, answer in enumerate(manifest.answers):
            at = f"answers.{position}.request"
            request, of_request = read_request(answer, at)
            faults += of_request
            if is_gateway(manifest) != ("purpose" in request.onward.values()):
                faults.append((f"{at}.onward", _OURS if is_gateway(manifest) else "only with yimen = true"))
            for name in field_faults(_raw_names(answer)):
                faults.append((f"answers.{position}.fields", f"{name!r} is no GraphQL field"))
        return faults

    def open(self, opening: Opening) -> GraphqlSource:
        return GraphqlSource(opening)

    def per_key(self, answer: AnswerSpec) -> bool:
        return answer.request.get("batch", False) is not True


class GraphqlSource:
    """Asks one endpoint, for the granted fields and no others."""

    def __init__(self, opening: Opening) -> None:
        if opening.channel is None:
            raise ValueError("kind graphql needs a channel")
        self._manifest, self._now = opening.manifest, opening.now
        self._url, self._path = opening.endpoint, urlsplit(opening.endpoint).path
        self._sending = open_sending(opening)
        self._gate = asyncio.Semaphore(max(1, opening.manifest.limits.concurrency))
        self._gateway = is_gateway(opening.manifest)
        self._purpose = first_purpose(opening.manifest) if self._gateway else ""
        self._requests = {(answer.noun, answer.by): read_request(answer, "")[0] for answer in opening.manifest.answers}

    async def fetch(self, lookup: Lookup, *, timeout_s: float) -> Sequence[Answer]:
        spec = spec_of(self._manifest, lookup)
        request = self._requests[(spec.noun, spec.by)]
        deadline = Deadline.after(timeout_s)
        answers: dict[Key, Answer] = {}
        sendable: list[Key] = []
        for key in dict.fromkeys(lookup.keys):
            try:
                request.sent_variables((key,))
                sendable.append(key)
            except KeyPartMissing as missing:
                answers[key] = Failed(Reason.KEY_MISSING, detail=str(missing))
        groups = ([tuple(sendable)] if sendable else []) if request.batch else [(key,) for key in sendable]
        got = await together(lambda keys: self._ask(request, keys, lookup, deadline), groups)
        for keys, of_group in zip(groups, got, strict=True):
            answers.update(zip(keys, of_group, strict=True))
        return [answers[key] for key in lookup.keys]

    async def close(self) -> None:
        """The channel is not closed: it belongs to the registry."""
        await self._sending.close()

    async def _ask(
        self, request: GraphqlRequest, keys: Sequence[Key], lookup: Lookup, deadline: Deadline
    ) -> list[Answer]:
        document = request.document(lookup.fields, len(keys))
        sent = {"query": document, "variables": request.sent_variables(keys, lookup.onward, self._purpose)}
        body = json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            # Waiting for the gate counts too: those before us may have later deadlines.
            async with asyncio.timeout_at(deadline.at), self._gate:
                outgoing = Outgoing("POST", self._path, (), body)
                headers = _HEADERS if lookup.onward is None else _along(lookup.onward, deadline.left_s())
                reply = await self._sending.send(outgoing, self._url, headers, deadline.left_s)
        except SourceUnavailable as error:
            return [Failed(error.reason, error.retry_at, error.detail)] * len(keys)
        except TimeoutError:
            return [Failed(Reason.TIMEOUT, detail="the deadline passed")] * len(keys)
        roots = [f"k{position}" for position in range(len(keys))] if request.batch else [root_of(request.rows)[0]]
        now = self._now()
        answers = read_answers(request, reply, roots, lookup.fields, now)
        if not self._gateway:
            return answers
        receipt = read_receipt(reply, self._manifest.code, self._url, now)
        return [replace(answer, receipt=receipt) for answer in answers]


def _along(onward: Onward, left_s: float) -> Mapping[str, str]:
    """By whom the question comes, and how long we wait: less a tenth, for the answer has a way to go."""
    within = str(max(1, int(left_s * 900)))
    return {**_HEADERS, "yimen-via": ", ".join(onward.via), "yimen-within-ms": within}


def _raw_names(answer: AnswerSpec) -> list[str]:
    """Every raw name that may come to be asked for."""
    subject = answer.subject
    persons = (subject.id_no, subject.name, subject.birth_date) if subject is not None else ()
    return [*(f.raw for f in answer.fields), answer.record_id, answer.as_of, *answer.links.values(), *persons]

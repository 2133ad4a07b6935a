"""Answer one GraphQL request: decide, fetch, record, then release; in that order, for every caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from graphql import ExecutionResult

from adapters.onward import Onward
from gateway.caller import AccessEvent, Caller, CallerKind, Evidence, Metrics, Receipt, Subjects
from gateway.clock import Clock
from gateway.errors import GatewayError, RequestRefused
from gateway.federation.context import OperationContext
from gateway.federation.disputed import DisputedFacts
from gateway.federation.execute import run_plan
from gateway.federation.offering import NoDesk, OfferDesk
from gateway.federation.plan import Asked, RequestErrors
from gateway.policy.claim import claimed
from gateway.policy.decision import Mask, Policy, Purpose, Question
from gateway.services import public_errors
from gateway.services.client_limits import ClientLimits, Unlimited
from gateway.services.document_text import document_text
from gateway.services.events import run_event, source_events, while_in_force
from gateway.services.execute import GraphQLAnswer, GraphQLRequest
from gateway.services.observe import Watched
from gateway.services.onward import GoesAlong
from gateway.services.release import answered, encode, extend, grounds, receipt_of, refused_whole
from gateway.services.snapshots import Held, Snapshots
from gateway.services.tracing import UNTRACED, Tracing
from schema.expansion import LimitExceeded
from schema.mutation import CREDENTIAL

_log = structlog.get_logger(__name__)
_NO_TYPES: frozenset[str] = frozenset()
_NOTHING = Mask({}, (), (), "")
_OVER_LIMIT = Mask({}, ("client-limits",), (), "")
# What `@purpose` says is kept in evidence as it stands, so it must not be a place to put whatever one likes.
_PURPOSE_LENGTHS = {"code": 64, "caseNo": 100, "reference": 200}


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request that may run: planned, its purpose read, its mask decided."""

    asked: Asked
    question: Question | None
    mask: Mask


class RunQuery:
    """The one road every query, mutation and subscription takes."""

    def __init__(
        self,
        snapshots: Snapshots,
        *,
        evidence: Evidence,
        subjects: Subjects,
        clock: Clock,
        metrics: Metrics,
        deadline_s: float,
        batch_persons: int,
        trusted_documents: Mapping[str, str],
        trusted_only: bool = False,
        tracing: Tracing = UNTRACED,
        limits: ClientLimits | None = None,
        disputed: DisputedFacts | None = None,
        along: GoesAlong | None = None,
    ) -> None:
        self._snapshots = snapshots
        self._limits = limits or Unlimited()
        self._evidence = evidence
        self._subjects = subjects
        self._clock = clock
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._batch_persons = batch_persons
        self._trusted = trusted_documents
        self._trusted_only = trusted_only
        self._tracing = tracing
        self._disputed = disputed
        self._along = along
        self._desk: OfferDesk = NoDesk()

    def offers_at(self, desk: OfferDesk) -> None:
        """Where offers of credentials are made and kept. It stands on this very road for its facts, so it comes later."""
        self._desk = desk

    async def __call__(self, caller: Caller, request: GraphQLRequest) -> GraphQLAnswer:
        held = self._snapshots.take()
        try:
            with self._watched(held, request) as watched:
                try:
                    asked = self._plan(held, caller, request, watched)
                    if caller.admission is not None and not _is_recorded(asked):
                        caller = await self._let_in(caller)
                    ready = await self._judge(held, caller, asked, watched)
                except _Refused as refused:
                    watched.outcome = refused.code
                    return await self._refuse(caller, refused)
                if ready.asked.plan.kind == "subscription":
                    watched.outcome = "SUBSCRIPTION_NEEDS_STREAM"
                    return GraphQLAnswer(False, errors=public_errors.of_refusal("SUBSCRIPTION_NEEDS_STREAM"))
                return await self._run(held, caller, request, ready)
        finally:
            await self._snapshots.give_back(held)

    async def subscribe(self, caller: Caller, request: GraphQLRequest) -> AsyncIterator[GraphQLAnswer]:
        """One answer per event; each is recorded before it is yielded. Where another set of sources comes into force,
        a subscription begins anew on that one: decided again, and without holding the old one open.
        """
        caller = await self._let_in(caller)
        while True:
            held = self._snapshots.take()
            try:
                with self._watched(held, request) as watched:
                    try:
                        asked = self._plan(held, caller, request, watched)
                        ready = await self._judge(held, caller, asked, watched)
                    except _Refused as refused:
                        watched.outcome = refused.code
                        yield await self._refuse(caller, refused)
                        return
                    if ready.asked.plan.kind != "subscription":
                        yield await self._run(held, caller, request, ready)
                        return
                    async for answer in self._events(held, caller, request, ready):
                        yield answer
            finally:
                await self._snapshots.give_back(held)
            if not held.retired.is_set():
                return

    def _watched(self, held: Held, request: GraphQLRequest) -> Watched:
        return Watched(self._metrics, self._tracing, request.traceparent, held.snapshot.version[:16])

    async def _let_in(self, caller: Caller) -> Caller:
        """Where the store was not asked about this caller yet it is now, before anything is done that a record does not go
        with. Raises NotAdmitted."""
        if caller.admission is None:
            return caller
        await self._evidence.admit(caller.admission)
        return replace(caller, admission=None)

    def _plan(self, held: Held, caller: Caller, request: GraphQLRequest, watched: Watched) -> Asked:
        """Nothing is decided or fetched. Raises _Refused, of which nothing is recorded."""
        plans = held.plans
        if request.via and self._along is not None and self._along.name in request.via:
            raise _Refused(public_errors.of_refusal("ASKED_IN_A_CIRCLE"))
        try:
            text = document_text(request, self._trusted, trusted_only=self._trusted_only)
            asked = plans.prepare(text, request.operation_name, request.variables, caller.user_id)
            watched.kind, selection = asked.plan.kind, asked.selection
            if request.method == "GET" and asked.plan.kind != "query":
                raise _Refused(public_errors.of_refusal("MUTATION_IN_GET"))
            if not selection.facts.get(CREDENTIAL, _NO_TYPES) <= self._desk.types:
                raise RequestRefused("CREDENTIAL_UNKNOWN")  # any word could stand there: none goes into evidence
        except RequestRefused as error:
            raise _Refused(public_errors.of_limits(error)) from None
        except LimitExceeded as error:
            raise _Refused(public_errors.of_limit(error)) from None
        except RequestErrors as error:
            raise _Refused(public_errors.of_request(error, held.snapshot.schema.graphql)) from None
        if request.method == "GET" and selection.personal:
            raise _Refused(public_errors.of_refusal("PERSONAL_VARIABLES_IN_GET"))
        return asked

    async def _judge(self, held: Held, caller: Caller, asked: Asked, watched: Watched) -> _Ready:
        """Purpose, limits, policy; nothing is fetched. Raises _Refused."""
        selection, said = asked.selection, asked.said
        if said is None:
            if selection.protected:
                purpose = Purpose("", None, None)
                question = Question(caller, purpose, selection.facts, selection.asked, selection.implied)
                raise _Refused(public_errors.of_refusal("PURPOSE_MISSING"), question, _NOTHING)
            await self._admit(caller, asked.cost, Question(caller, Purpose("", None, None), {}))
            return _Ready(asked, None, _NOTHING)
        if any(len(said.get(name) or "") > most for name, most in _PURPOSE_LENGTHS.items()):
            raise _Refused(public_errors.of_refusal("PURPOSE_TOO_LONG"))
        claim = claimed(said, held.snapshot.purposes)
        if claim is None:
            raise _Refused(public_errors.of_refusal("PURPOSE_NOT_RECORDABLE"))
        watched.purpose = claim.code
        question = Question(caller, claim, selection.facts, selection.asked, selection.implied)
        return _Ready(asked, question, await self._decided(held, question, asked.cost))

    async def _decided(self, held: Held, question: Question, cost: int) -> Mask:
        """Limits, then policy. Raises _Refused, to be recorded."""
        await self._admit(question.caller, cost, question)
        mask = await _decide(held.policy, question)
        if mask.denied is not None:
            errors = public_errors.of_refusal(mask.denied, mask.rule_ids, mask.policy_version)
            raise _Refused(errors, question, mask)
        return mask

    async def _admit(self, caller: Caller, cost: int, question: Question) -> None:
        """The client's rate and budget, before anything is decided or fetched. Raises _Refused, to be recorded."""
        try:
            await self._limits.admit(caller, cost)
        except RequestRefused as error:
            raise _Refused(public_errors.of_limits(error), question, _OVER_LIMIT) from None

    async def _run(self, held: Held, caller: Caller, request: GraphQLRequest, ready: _Ready) -> GraphQLAnswer:
        context = self._context(held, ready, request)
        try:
            result = await run_plan(
                held.snapshot.schema.graphql, ready.asked, context, request.variables, request.operation_name
            )
        finally:
            context.close()
        for (noun, state), count in context.states_by_noun.items():
            self._metrics.part(noun, state, count)
        return await self._release(held, ready, context, result)

    async def _events(
        self, held: Held, caller: Caller, request: GraphQLRequest, ready: _Ready
    ) -> AsyncIterator[GraphQLAnswer]:
        context = self._context(held, ready, request)
        try:
            stream = await source_events(held.snapshot.schema.graphql, ready.asked.plan.document, context, request)
            if isinstance(stream, ExecutionResult):
                yield await self._release(held, ready, context, stream)
                return
            async for event in while_in_force(stream, held.retired):
                answer = await self._event(held, caller, request, ready, event)
                yield answer
                if not answer.executed:
                    return
        finally:
            context.close()

    async def _event(
        self, held: Held, caller: Caller, request: GraphQLRequest, ready: _Ready, event: Any
    ) -> GraphQLAnswer:
        """Decided anew, as if it had been asked for by itself: purpose, limits, persons, consents. What ended since the
        last event is refused here, and the refusal recorded."""
        if ready.question is not None:
            try:
                ready = replace(ready, mask=await self._decided(held, ready.question, ready.asked.cost))
            except _Refused as refused:
                return await self._refuse(caller, refused)
        context = self._context(held, ready, request)
        try:
            result = await run_event(held.snapshot.schema.graphql, ready.asked.plan.document, context, request, event)
            return await self._release(held, ready, context, result)
        finally:
            context.close()

    async def _release(
        self, held: Held, ready: _Ready, context: OperationContext, result: ExecutionResult
    ) -> GraphQLAnswer:
        """Encode, record, and only then hand out. No record, no release."""
        errors = public_errors.of_execution(result.errors or (), held.snapshot.schema.graphql)
        for error in result.errors or ():
            if error.original_error is not None and not isinstance(error.original_error, GatewayError | ValueError):
                _log.warning("field_failed", kind=type(error.original_error).__name__)
        data = result.data
        extensions: dict[str, Any] = {"snapshot": held.snapshot.version[:16]}
        body = encode(data, errors)
        if ready.question is not None:
            caller = ready.question.caller
            events = answered(ready.question, ready.mask, context, body, self._clock.now())
            extensions["receipt"] = receipt_of(await self._recorded(caller, events))
            extensions["policy"] = _grounds(ready.mask, context)
            if caller.kind is not CallerKind.OFFICER:  # whom supervisors watch, and nobody counts
                shown = [subject for subject, _ in context.met.shown]
                refused = [subject for subject, _ in context.met.refused]
                await self._limits.note(caller, [*shown, *refused], shown, denied=False)
        # With errors the door adds their texts, so it encodes again; without, these very bytes leave.
        return GraphQLAnswer(True, data, errors, extensions, None if errors else extend(body, extensions))

    async def _refuse(self, caller: Caller, refused: _Refused) -> GraphQLAnswer:
        """An authenticated refusal that policy made is recorded; a malformed request is only counted."""
        extensions: dict[str, Any] = {}
        if refused.question is None or refused.mask is None:
            await self._let_in(caller)
        else:
            body = encode(None, refused.errors)
            event = refused_whole(refused.question, refused.mask, body, self._clock.now())
            receipt = await self._recorded(caller, (event,))
            if refused.mask is not _OVER_LIMIT:  # those are counted where they are refused
                await self._limits.note(caller, (), (), denied=True)
            extensions = {"receipt": receipt_of(receipt)}
        return GraphQLAnswer(False, errors=refused.errors, extensions=extensions)

    async def _recorded(self, caller: Caller, events: Sequence[AccessEvent]) -> Receipt:
        """With what lets the caller in, where that is still to be asked: one commit (ADR 0021). Raises NotAdmitted."""
        if caller.admission is not None:
            return await self._evidence.record_all(events, admission=caller.admission)
        if len(events) == 1:
            return await self._evidence.record(events[0])
        return await self._evidence.record_all(events)

    def _context(self, held: Held, ready: _Ready, request: GraphQLRequest) -> OperationContext:
        within_s = self._deadline_s if request.within_s is None else min(self._deadline_s, request.within_s)
        return OperationContext(
            held.snapshot,
            policy=held.policy,
            question=ready.question,
            mask=ready.mask,
            subjects=self._subjects,
            batch_persons=self._batch_persons,
            now=self._clock.now(),
            deadline=asyncio.get_running_loop().time() + within_s,
            disputed=self._disputed,
            desk=self._desk,
            onward=self._onward(held, ready, request),
        )

    def _onward(self, held: Held, ready: _Ready, request: GraphQLRequest) -> Onward | None:
        """None where no gateway is among the sources: nothing goes along then."""
        if self._along is None or ready.question is None or not held.snapshot.asks_gateways:
            return None
        return self._along(ready.question, request.via)


class _Refused(RequestRefused):
    """Not to be run; `question` is there where it was policy that said so, and then it is recorded."""

    def __init__(
        self,
        errors: tuple[Mapping[str, Any], ...],
        question: Question | None = None,
        mask: Mask | None = None,
    ) -> None:
        super().__init__(str(errors[0]["extensions"]["code"]))
        self.errors = errors
        self.question = question
        self.mask = mask


def _is_recorded(asked: Asked) -> bool:
    """Whether a record will tell of it, whatever becomes of it, and nothing is done before that which costs anybody."""
    if asked.plan.kind != "query":
        return False
    return asked.said is not None or asked.selection.protected


async def _decide(policy: Policy, question: Question) -> Mask:
    try:
        return await policy.decide(question)
    except Exception:
        _log.exception("policy_failed")
        return replace(_NOTHING, denied="POLICY_UNAVAILABLE")


def _grounds(mask: Mask, context: OperationContext) -> dict[str, Any]:
    rules, basis = grounds(mask, context)
    return {"rules": list(rules), "basis": list(basis), "version": mask.policy_version[:16]}

"""One answer spec and one set of asked fields, compiled: what to ask for, and a raw row into a canonical one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeAlias

from adapters.dates import as_utc, is_plausible, midnight, read_instant
from adapters.identity import normalise_id
from adapters.manifest import AnswerSpec
from adapters.matching import SURE, Asked, Unmatchable, Verdict, judge
from adapters.source import MINOR, Match, Quality, Row, Value
from adapters.texts import Doubts, plain_text
from adapters.values import Convert, converter, raw_converter

Get: TypeAlias = Callable[[Mapping[str, object]], object]

_PERSON = frozenset({"idNo", "name"})


class RowMapper:
    """Made once per (spec, fields), used for every row; holds nothing of any row."""

    def __init__(self, spec: AnswerSpec, fields: frozenset[str]) -> None:
        self.spec = spec
        own = {mapping.name: mapping for mapping in spec.fields}
        plan: list[tuple[str, str, Convert]] = []
        for name in sorted(fields):
            if name in own:
                plan.append((name, own[name].raw, converter(own[name])))
            elif (mapping := own.get(name.removesuffix("Raw"))) is not None:
                plan.append((name, mapping.raw, raw_converter(mapping)))
        # Without a person in the key there is nobody to match: the key itself says whose the row is.
        self._subject = subject = spec.subject if _PERSON.intersection(spec.by) else None
        named = (subject.id_no, subject.name, subject.birth_date) if subject else ()
        needed = {raw for _, raw, _ in plan} | {spec.record_id, spec.as_of, *named, *spec.links.values()}
        self.raw_fields = frozenset(needed - {""})
        self._flat = not any("." in raw for raw in self.raw_fields)
        self._lag = timedelta(days=spec.lag_days)
        self._plan = [(name, raw, _getter(raw), convert) for name, raw, convert in plan]
        self._links = [(name, _getter(raw)) for name, raw in spec.links.items()]
        self._id, self._name, self._birth = (_getter(raw) for raw in (named or ("", "", "")))
        self._record_id, self._as_of = _getter(spec.record_id), _getter(spec.as_of)
        self._id_label = _label(plan, subject.id_no if subject else "")
        self._name_label = _label(plan, subject.name if subject else "")

    def __call__(self, raw: Row, asked: Asked, as_of: datetime, fetched_at: datetime) -> Row | None:
        """The canonical row; None if it is about someone else. Raises Unmatchable if it cannot be read at all."""
        values = raw.values
        if self.raw_fields and self.raw_fields.isdisjoint(values) and not self._any_nested(values):
            raise Unmatchable  # not one field of the agreed format: the format has changed under us
        doubts: Doubts = []
        subject = self._subject
        if subject is not None:
            verdict = judge(
                self._id(values),
                self._name(values),
                self._birth(values),
                asked,
                has_name=bool(subject.name),
            )
            if verdict is None:
                return None
            if verdict is not SURE:
                self._note(verdict, doubts)
                if verdict.match is Match.REVIEW:
                    when = self._dated(values, as_of, fetched_at, [])
                    return Row(self._of_a_minor(values), "", when, Match.REVIEW, tuple(doubts), {}, verdict.hint)
        found: dict[str, Value] = {}
        if self._flat:
            get = values.get
            for name, source, _, convert in self._plan:
                found[name] = convert(get(source), doubts)
        else:
            for name, _, reach, convert in self._plan:
                found[name] = convert(reach(values), doubts)
        record_id = self._record_id(values)
        if type(record_id) is not str:
            record_id = plain_text(record_id, "", doubts) or ""
        if self.spec.as_of or raw.as_of is not None:
            as_of_row = self._dated(values, raw.as_of - self._lag if raw.as_of else as_of, fetched_at, doubts)
        else:
            as_of_row = as_of
        quality = tuple(dict.fromkeys(doubts)) if doubts else ()
        links = {name: _link(name, reach(values)) for name, reach in self._links} if self._links else {}
        return Row(found, record_id, as_of_row, Match.AUTO, quality, links, origin=raw.origin)

    def _of_a_minor(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """All that is kept of a row a human must look at: without it nobody could tell that it has to be hidden."""
        marks = [convert(reach(values), []) for name, _, reach, convert in self._plan if name == MINOR]
        return {MINOR: True} if True in marks else {}

    def _note(self, verdict: Verdict, doubts: Doubts) -> None:
        review = verdict.match is Match.REVIEW  # its flags belong to no field, for no field leaves
        doubts.extend(("" if review else self._id_label, doubt) for doubt in verdict.id_doubts)
        doubts.extend(("" if review else self._name_label, doubt) for doubt in verdict.name_doubts)

    def _dated(
        self, values: Mapping[str, Value], as_of: datetime, fetched_at: datetime, doubts: Doubts
    ) -> datetime | None:
        """The row's own date, where the spec names one: None if it states none, for then its age is not known."""
        if not self.spec.as_of:
            return as_of
        raw = self._as_of(values)
        instant: datetime | None
        if isinstance(raw, date) and is_plausible(raw.year) and raw.year != 9999:
            instant = as_utc(raw) if isinstance(raw, datetime) else midnight(raw)
        else:
            text = plain_text(raw, "", doubts)
            instant, doubt = read_instant(text) if text else (None, None)
            if doubt is Quality.DATE_BAD:
                doubts.append(("", doubt))
        # A department's clock ahead of ours must not keep its records fresh for longer.
        return None if instant is None else min(instant, fetched_at)

    def _any_nested(self, values: Mapping[str, Value]) -> bool:
        return not self._flat and any(_getter(raw)(values) is not None for raw in self.raw_fields)


def _getter(raw: str) -> Get:
    """How to reach raw field `raw`: under its own name, or along its dots through nested objects."""
    if not raw:
        return lambda values: None
    if "." not in raw:
        return lambda values: values.get(raw)
    steps = raw.split(".")

    def walk(values: Mapping[str, object]) -> object:
        if raw in values:
            return values[raw]
        here: object = values
        for step in steps:
            if not isinstance(here, Mapping):
                return None
            here = here.get(step)
        return here

    return walk


def _label(plan: list[tuple[str, str, Convert]], raw: str) -> str:
    """The asked canonical field made from `raw`; "" where it was not asked for: no flag names an ungranted field."""
    return next((name for name, source, _ in plan if raw and source == raw), "")


def _link(name: str, raw: object) -> str | None:
    text = plain_text(raw, "", [])
    number = normalise_id(text) if name == "idNo" else None
    return number.value18 if number else text

"""One answer spec and one set of asked fields, compiled: what to ask for, and a raw row into a canonical one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeAlias

from adapters.dates import as_utc, is_plausible, midnight, read_instant
from adapters.identity import normalise_id
from adapters.manifest import AnswerSpec
from adapters.matching import SURE, Asked, Unmatchable, Verdict, judge
from adapters.row_source import Column, RowPlan
from adapters.source import MINOR, Match, Quality, Row, Value
from adapters.texts import Doubts, plain_text
from adapters.values import converter, raw_converter

Get: TypeAlias = Callable[[Mapping[str, object]], object]

_PERSON = frozenset({"idNo", "name"})


class RowMapper:
    """Made once per (spec, fields), used for every row; holds nothing of any row."""

    def __init__(self, spec: AnswerSpec, fields: frozenset[str]) -> None:
        self.spec = spec
        own = {mapping.name: mapping for mapping in spec.fields}
        columns: list[Column] = []
        for name in sorted(fields):
            if name in own:
                columns.append(Column(name, own[name], False, converter(own[name])))
            elif (mapping := own.get(name.removesuffix("Raw"))) is not None:
                columns.append(Column(name, mapping, True, raw_converter(mapping)))
        # Without a person in the key there is nobody to match: the key itself says whose the row is.
        self._subject = subject = spec.subject if _PERSON.intersection(spec.by) else None
        named = (subject.id_no, subject.name, subject.birth_date) if subject else ("", "", "")
        needed = {one.mapping.raw for one in columns} | {spec.record_id, spec.as_of, *named, *spec.links.values()}
        self.raw_fields = frozenset(needed - {""})
        self._flat = not any("." in raw for raw in self.raw_fields)
        self._lag = timedelta(days=spec.lag_days)
        self._minor = [(_getter(one.mapping.raw), one.convert) for one in columns if one.name == MINOR]
        self._id, self._name, self._birth = (_getter(raw) for raw in named)
        self._as_of = _getter(spec.as_of)
        self._id_label = _label(columns, subject.id_no if subject else "")
        self._name_label = _label(columns, subject.name if subject else "")
        # Whether a row is surely about a person if it repeats ID and name, or the ID alone; see `matching.judge`.
        self.by_name = subject is not None and bool(subject.name) and "name" in spec.by
        self.by_id = subject is not None and bool(subject.id_no) and "idNo" in spec.by
        self.by_nothing = subject is None
        self.plan = RowPlan(
            columns=columns,
            id_no=subject.id_no if subject else "",
            person=subject.name if subject and self.by_name else "",
            record_id=spec.record_id,
            links=spec.links,
            link=_link,
            reach=_getter,
            dated=self._dated if spec.as_of else None,
            raw_fields=self.raw_fields,
        )
        self._build, self.sure, whole = self.plan.functions()
        # A batch whose keys are persons' and nothing else can be read as a whole.
        self.whole = whole if self.by_id and _PERSON.issuperset(spec.by) else None
        self.lag, self.id_no = self._lag, subject.id_no if subject else ""
        self.id_at = spec.by.index("idNo") if self.by_id else -1
        self.name_at = spec.by.index("name") if "name" in spec.by else -1

    def when(self, raw: Row, as_of: datetime) -> datetime:
        """As of when the row is unless it states it itself: as its channel knows, or like the whole answer."""
        return raw.as_of - self._lag if raw.as_of else as_of

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
        return self._build(values, self.when(raw, as_of), fetched_at, raw.origin, doubts)

    def _of_a_minor(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """All that is kept of a row a human must look at: without it nobody could tell that it has to be hidden."""
        marks = [convert(reach(values), []) for reach, convert in self._minor]
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


def _label(columns: list[Column], raw: str) -> str:
    """The asked canonical field made from `raw`; "" where it was not asked for: no flag names an ungranted field."""
    return next((one.name for one in columns if raw and one.mapping.raw == raw), "")


def _link(name: str, raw: object) -> str | None:
    text = plain_text(raw, "", [])
    number = normalise_id(text) if name == "idNo" else None
    return number.value18 if number else text

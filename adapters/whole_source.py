"""The source of the function that makes all answers of a batch at once, written like that of `adapters.row_source` and with
the same names: the records come apart into columns, each is made canonical as a whole, and one loop puts rows together.

Only for the plain case: each record names another of those asked for, letter by letter, under names that stand at its top.
For anything else it raises, and nobody has lost anything: the records are then read one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

from adapters.source import Absent, Answer, Found, FoundDraft
from adapters.whole_columns import Amiss, addresses, dates, each, known, record_ids, texts


class WholeBatch(Protocol):
    """Fills `answers`, which has a place for each key, with a Found for every record. Raises whatever it meets first.

    `places`: ID number -> the place of its key; `names`: by place. `when` is the as_of of rows that state none.
    """

    def __call__(
        self,
        records: Sequence[Mapping[str, Any]],
        places: Mapping[str, int],
        names: Sequence[str | None],
        when: Any,
        fetched_at: Any,
        answers: list[Answer],
    ) -> None: ...


def whole_source(
    columns: Sequence[tuple[str, str, str]],
    *,
    id_no: str,
    person: str,
    record_id: str,
    links: Mapping[str, str],
    dated: bool,
    names: dict[str, Any],
) -> str:
    """Python. `columns`: canonical name, raw name, and how it is read ("text", "address", "known", "each"); the n-th's
    converter stands in `names` as `convert<n>`, its memory as `known<n>`. What is needed besides is put there."""
    raws = sorted({id_no, *(raw for _, raw, _ in columns), *links.values(), *filter(None, (person, record_id))})
    place_of = {raw: f"r{number}" for number, raw in enumerate(raws)}
    names |= {
        "Amiss": Amiss,
        "Found": Found,
        "addresses": addresses,
        "as_they_are": record_ids,
        "dates": dates,
        "each": each,
        "found_draft": FoundDraft,
        "new": object.__new__,
        "pick": itemgetter(*raws, *raws[: len(raws) == 1]),  # of one name alone it would give no tuple
        "raws": tuple(raws),
        "texts": texts,
        "values_known": known,
    }
    unpacked = ", ".join([*place_of.values(), *["_"] * (len(raws) == 1)])
    lines = [
        "def whole(records, places, names, when, fetched_at, answers):",
        "    try:",
        f"        {unpacked} = zip(*map(pick, records))",
        "    except KeyError:",
        f"        {', '.join(place_of.values())}, = zip(*[tuple(map(record.get, raws)) for record in records])",
        f"    at = list(map(places.__getitem__, {place_of[id_no]}))",
        "    if len(set(at)) != len(at): raise Amiss",
    ]
    if person:
        lines.append(f"    if {place_of[person]} != tuple(map(names.__getitem__, at)): raise Amiss")
    for number, (_, raw, way) in enumerate(columns):
        lines.append(f"    c{number} = {_made(number, place_of[raw], way)}")
    loop, values = ["at"], ["place"]
    for number, (name, raw) in enumerate(links.items()):
        lines.append(f"    l{number} = [link({name!r}, raw) for raw in {place_of[raw]}]")
        loop.append(f"l{number}")
        values.append(f"k{number}")
    if record_id:
        lines.append(f"    ids = as_they_are({place_of[record_id]})")
        loop.append("ids")
        values.append("record_id")
    if dated:
        lines.append("    stated = dates(dated, records, when, fetched_at)")
        loop.append("stated")
        values.append("its_own")
    loop += [f"c{number}" for number in range(len(columns))]
    values += [f"v{number}" for number in range(len(columns))]
    shown = ", ".join(f"{name!r}: v{number}" for number, (name, _, _) in enumerate(columns))
    linked = ", ".join(f"{name!r}: k{number}" for number, name in enumerate(links))
    lines += [
        f"    for {', '.join(values)}, in zip({', '.join(loop)}):",
        "        row = new(draft)",
        f"        row.values = {{{shown}}}",
        f"        row.record_id = {'record_id' if record_id else repr('')}",
        f"        row.as_of = {'its_own' if dated else 'when'}",
        "        row.match = AUTO",
        "        row.quality = ()",
        f"        row.links = {f'{{{linked}}}' if linked else 'NO_LINKS'}",
        "        row.review_hint = row.origin = ''",
        "        row.__class__ = Row",
        "        answer = new(found_draft)",
        "        answer.rows = (row,)",
        "        answer.as_of = when",
        "        answer.fetched_at = fetched_at",
        "        answer.incomplete = answer.none_as_of = answer.receipt = None",
        "        answer.__class__ = Found",
        "        answers[place] = answer",
        "",
    ]
    return "\n".join(lines)


def _made(number: int, raw: str, way: str) -> str:
    if way == "text":
        return f"texts({raw}, convert{number})"
    if way == "address":
        return f"addresses({raw}, convert{number})"
    if way == "known":
        return f"values_known({raw}, known{number}, convert{number})"
    return f"each({raw}, convert{number})"


class Whole:
    """The answers to certain keys, for a kind that has all their records in hand.

    `id_no` and `raw_fields` are raw names: where a record says whose it is, and all that may be needed of it.
    """

    __slots__ = ("_batch", "_lag", "_names", "_places", "id_no", "raw_fields")

    def __init__(
        self,
        batch: WholeBatch,
        lag: Any,
        places: Mapping[str, int],
        names: Sequence[str | None],
        id_no: str,
        raw_fields: frozenset[str],
    ) -> None:
        self._batch, self._lag, self._places, self._names = batch, lag, places, names
        self.id_no, self.raw_fields = id_no, raw_fields

    def __call__(self, records: Sequence[Mapping[str, Any]], fetched_at: Any) -> Sequence[Answer] | None:
        """One answer a key. None where it takes further thought: nothing is said about any of them then.

        `records` is all the department has on these keys.
        """
        when = fetched_at - self._lag
        answers: list[Answer] = [Absent(when, fetched_at)] * len(self._places)
        if len(records) > len(answers):
            return None  # two of one person, at least; they may be many, and others want their turn between them
        if records:
            try:
                self._batch(records, self._places, self._names, when, fetched_at, answers)
            except Exception:  # whatever it is, who reads them one by one meets it again and says what it means
                return None
        return answers

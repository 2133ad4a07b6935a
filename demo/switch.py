"""The switches: what a visitor does to the departments of a running demo from a second terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from demo.department import Faults
from demo.places import Places
from demo.talk import NoAnswer, ask

NOT_SWITCHED = ("SD",)
"""Real gateways: they have no fault page."""


def departments(card: Mapping[str, Any]) -> dict[str, str]:
    """Code -> URL of everything with switches; AZBJ_FS and AZBJ_N are one department."""
    return {source["code"]: source["url"] for source in card["sources"] if source["code"] not in NOT_SWITCHED}


def wanted_faults(words: Sequence[str]) -> dict[str, object] | None:
    """`closed slow=3` -> {"closed": True, "slow": 3.0}; None for `none`. Raises ValueError for what it does not know."""
    if list(words) == ["none"]:
        return None
    wanted: dict[str, object] = {}
    for word in words:
        name, _, amount = word.replace("-", "_").partition("=")
        wanted[name] = float(amount) if amount else True
    Faults().changed(wanted)
    return wanted


def set_faults(places: Places, card: Mapping[str, Any], code: str, words: Sequence[str]) -> Iterator[str]:
    """Replace the faults of one department, or of `all`; says what each has now. Raises ValueError, NoAnswer."""
    known = departments(card)
    wanted = wanted_faults(words)
    if code != "all" and code not in known:
        raise ValueError(f"没有部门 {code} / no department {code}; known: {', '.join(known)}, all")
    for each, url in known.items():
        if code in (each, "all"):
            faults = ask(places, "DELETE", f"{url}/_fault")
            if wanted is not None:
                faults = ask(places, "PUT", f"{url}/_fault", wanted)
            yield _line(each, faults)


def show_faults(places: Places, card: Mapping[str, Any]) -> Iterator[str]:
    for code, url in departments(card).items():
        yield _line(code, _or_none(places, f"{url}/_fault"))


def show_counters(places: Places, card: Mapping[str, Any]) -> Iterator[str]:
    for code, url in departments(card).items():
        calls = _or_none(places, f"{url}/_counters")
        said = "不应答 / no answer" if calls is None else ", ".join(f"{name}: {n}" for name, n in calls.items()) or "0"
        yield f"{code:<8} {said}"


def _or_none(places: Places, url: str) -> Any:
    try:
        return ask(places, "GET", url)
    except NoAnswer:
        return None


def _line(code: str, faults: Mapping[str, Any] | None) -> str:
    if faults is None:
        return f"{code:<8} 不应答 / no answer"
    active = [name if value is True else f"{name}={value:g}" for name, value in faults.items() if value]
    return f"{code:<8} {', '.join(active) or '正常 / well'}"

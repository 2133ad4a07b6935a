"""`yimen verify`: one credential against a kit, with no network and no gateway. Nothing is loaded that it does not need."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from credentials.checked import Checked, Outcome, Verdict
from credentials.errors import CredentialsError
from credentials.kit import LONGEST as LONGEST_KIT
from credentials.kit import Kit, read_kit
from credentials.trust import Trust
from credentials.verifying import Binding, verify

EXIT = {Verdict.GOOD: 0, Verdict.BAD: 1, Verdict.UNKNOWN: 2}
_CHINA = timezone(timedelta(hours=8))
_DEFAULT_KIT = Path("yimen-kit.jwt")
_LONGEST = 1_048_576
_WORDS = Path(__file__).parents[1] / "web/static/verify/words.json"
_MANUAL = """\
核验一份凭证：不连网，只凭核验包。 Verify one credential offline, by a kit alone.

  yimen verify FILE --kit yimen-kit.jwt          一份凭证或一次出示 / a credential, or what a wallet showed
  yimen verify - --kit KIT --nonce 482913        从标准输入；核对码须相符 / from stdin; the code must be the one given
  yimen verify --fetch-kit https://HOST --kit KIT  取新的核验包（唯一连网的用法）/ fetch a fresh kit: all that uses a network

退出码 / exit codes: 0 可信 good; 1 不可信 not good (or the kit is none); 2 无法确定：状态不明或记录过期 not known: no status, or too old.
"""


def _now() -> datetime:
    return datetime.now(UTC)


def main(words: Sequence[str], clock: Callable[[], datetime] = _now) -> int:
    """The exit code, see EXIT; what was found is printed."""
    given = _parser().parse_args(words)
    if given.fetch_kit is not None:
        return _fetch(given.fetch_kit, given.kit or _DEFAULT_KIT)
    if given.file is None:
        _parser().error("FILE")
    try:
        kit = _kit(given.kit)
    except (CredentialsError, OSError, UnicodeDecodeError) as error:
        print(_say("KIT_BROKEN", why=error.why if isinstance(error, CredentialsError) else error), file=sys.stderr)
        return 1
    try:
        text = "".join(_read(given.file, _LONGEST).split())
    except (OSError, UnicodeDecodeError) as error:
        print(error, file=sys.stderr)
        return 1
    now = clock()
    binding = None
    if given.nonce is not None or given.aud is not None:
        binding = Binding(given.aud or (kit.audience if kit is not None else ""), given.nonce)
    age = None if given.max_age is None else timedelta(hours=given.max_age)
    checked = verify(
        text,
        trust=kit.trust if kit is not None else Trust(),
        now=now,
        status=kit.statuses if kit is not None else None,
        binding=binding,
        status_max_age=age,
    )
    print(_as_json(checked, kit, now) if given.json else _as_text(checked, kit, now))
    return EXIT[checked.verdict]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "yimen verify", description=_MANUAL, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="the credential's text; - is standard input")
    parser.add_argument("--kit", type=Path, metavar="KIT", help="the kit's file, or a folder with it (yimen-kit.jwt)")
    parser.add_argument("--nonce", metavar="N", help="the code the key binding must carry")
    parser.add_argument(
        "--aud", metavar="A", help="for whom the key binding must be made; default: the kit's issuer's page"
    )
    parser.add_argument("--max-age", type=float, metavar="HOURS", help="older status lists than this count as unknown")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument(
        "--fetch-kit", metavar="URL", help="the issuer's address; writes KIT, checked against the one there was"
    )
    return parser


def _kit(path: Path | None) -> Kit | None:
    if path is None:
        path = _DEFAULT_KIT
        if not path.is_file():
            return None
    if path.is_dir():
        path /= _DEFAULT_KIT.name
    return read_kit(_read(str(path), LONGEST_KIT))


def _read(name: str, most: int) -> str:
    """Raises OSError, UnicodeDecodeError. What is longer is cut, and so no credential."""
    if name == "-":
        return sys.stdin.buffer.read(most).decode()
    with Path(name).open("rb") as file:
        return file.read(most).decode()


def _fetch(url: str, path: Path) -> int:
    from gateway.bootstrap.verify_fetch import KitUnreached, fetch_kit

    if path.is_dir():
        path /= _DEFAULT_KIT.name
    try:
        kit = fetch_kit(url, path)
    except CredentialsError as error:
        print(_say("KIT_KEPT", why=error.why), file=sys.stderr)
        return 1
    except KitUnreached as error:
        print(_say("KIT_UNREACHED", why=error), file=sys.stderr)
        return 1
    print(_say("KIT_FETCHED", path=path, issuer=kit.issuer, at=_moment(kit.made_at)))
    return 0


def _as_json(checked: Checked, kit: Kit | None, now: datetime) -> str:
    issuer, status = checked.issuer, checked.status
    told: dict[str, Any] = {
        "verdict": checked.verdict.value,
        "reasons": list(checked.reasons),
        "checks": [{"name": one.name, "outcome": one.outcome.value, "why": one.why} for one in checked.checks],
        "format": checked.format,
        "vct": checked.vct,
        "issuer": None if issuer is None else {"id": issuer.identifier, "name": issuer.name, "road": issuer.road},
        "claims": checked.claims,
        "disclosed": [list(path) for path in checked.disclosed],
        "valid_from": _iso(checked.valid_from),
        "valid_until": _iso(checked.valid_until),
        "status": None
        if status is None
        else {
            "value": status.value,
            "as_of": _iso(status.as_of),
            "age_s": int(status.age_s(now)),
            "stale": status.stale,
        },
        "kit": None
        if kit is None
        else {"issuer": kit.issuer, "made_at": _iso(kit.made_at), "age_s": int(kit.age_s(now))},
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


def _as_text(checked: Checked, kit: Kit | None, now: datetime) -> str:
    lines = [_say(checked.verdict.value)]
    lines += [f"  - {_reason(one.why)}" for one in checked.checks if one.outcome in (Outcome.FAILED, Outcome.UNKNOWN)]
    if checked.issuer is not None:
        lines.append(f"{_say('WHAT')}: {_type_name(checked, kit)}")
        named = (checked.issuer.name, checked.issuer.identifier)
        lines.append(f"{_say('ISSUER')}: {', '.join(one for one in named if one)}")
        lines.append(f"{_say('VALID')}: " + _say("VALID_FROM_TO", **_span(checked)))
        lines.append(f"{_say('STATUS')}: {_status(checked, now)}")
        lines.append(f"{_say('HOLDER')}: {_holder(checked)}")
        lines.append(f"{_say('CLAIMS')}:")
        lines += [f"  {label}: {value}" for label, value in _claims(checked, kit)] or [f"  {_say('CLAIMS_NONE')}"]
    if kit is not None:
        lines.append(_say("KIT_LOADED", issuer=kit.issuer, at=_moment(kit.made_at), age=_age(kit.age_s(now))))
    return "\n".join(lines)


def _type_name(checked: Checked, kit: Kit | None) -> str:
    known = kit.trust.types.get(checked.vct or "") if kit is not None and kit.trust.types is not None else None
    if known is None:
        return checked.vct or checked.format
    return " ".join(str(one["name"]) for one in known.metadata.get("display", ()) if isinstance(one, dict))


def _claims(checked: Checked, kit: Kit | None) -> list[tuple[str, str]]:
    """By the type's own words where it has any, else by name."""
    known = kit.trust.types.get(checked.vct or "") if kit is not None and kit.trust.types is not None else None
    subject = checked.claims.get("credentialSubject", checked.claims)
    if not isinstance(subject, dict):
        return []
    labels = {}
    for claim in known.metadata.get("claims", ()) if known is not None else ():
        labels[claim["path"][0]] = " ".join(str(one["label"]) for one in claim.get("display", ()))
    further = [path[0] for path in checked.disclosed if len(path) == 1 and path[0] not in labels]
    return [(labels.get(name) or str(name), _value(subject[name])) for name in (*labels, *further) if name in subject]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return _say("YES" if value else "NO")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _status(checked: Checked, now: datetime) -> str:
    seen = checked.status
    if seen is None:
        return _say("STATUS_NONE")
    code = f"STATUS_{seen.value}" if seen.value < 3 else "STATUS_OTHER"
    return _say(code, value=seen.value) + " " + _say("AS_OF", at=_moment(seen.as_of), age=_age(seen.age_s(now)))


def _holder(checked: Checked) -> str:
    bound = next((one for one in checked.checks if one.name == "key_binding"), None)
    if checked.binding is None or bound is None:
        return _say("HOLDER_NONE")
    return _say("HOLDER_CODE" if bound.outcome is Outcome.PASSED else "HOLDER_NOT_ASKED")


def _span(checked: Checked) -> dict[str, Any]:
    return {
        "from": "—" if checked.valid_from is None else _moment(checked.valid_from),
        "until": "—" if checked.valid_until is None else _moment(checked.valid_until),
    }


def _reason(why: str) -> str:
    code = f"WHY_{why}"
    return _say(code) if code in _words() else why


def _age(seconds: float) -> tuple[str, str]:
    for code, unit, least in (("DAYS", 86_400, 172_800), ("HOURS", 3600, 7200), ("MINUTES", 60, 120)):
        if seconds >= least:
            return _pair(code, n=int(seconds // unit))
    return _pair("SECONDS", n=int(seconds))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(_CHINA):%Y-%m-%d %H:%M}"


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _say(code: str, **values: Any) -> str:
    zh, en = _pair(code, **values)
    return zh if zh == en else f"{zh} {en}"


def _pair(code: str, **values: Any) -> tuple[str, str]:
    zh, en = _words()[code]
    first = {name: value[0] if isinstance(value, tuple) else value for name, value in values.items()}
    second = {name: value[1] if isinstance(value, tuple) else value for name, value in values.items()}
    return zh.format_map(first), en.format_map(second)


_LOADED: dict[str, list[str]] = {}


def _words() -> dict[str, list[str]]:
    """The texts of the verifier's page: one catalogue for both."""
    if not _LOADED:
        _LOADED.update(json.loads(_WORDS.read_text("utf-8")))
    return _LOADED

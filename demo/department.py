"""The ground every simulated department stands on: clock, counters, limits, faults and the admin pages.

CONTRACT for demo/departments/<name>.py: one module a department (AZBJ drops both registers), listed in
`demo.departments.TABLE`, with two names:

    PROFILE = Profile(code="LGB", zh="禅城区流管办", latency_s=0.4, rps=20.0)
    def build(department: Department, options: Options) -> Starlette: ...

`build` returns the department's own application, with a `lifespan` of its own if it needs one. The caller adds the admin
routes (`/_health`, `/_fault`, `/_facts`, `/_counters`) and a handler for `Refusal`, so `build` must not. Every operation starts with

    try:
        await department.enter("residence/query", key=id_no)
    except Refusal as refusal:      # closed | down | too_many: say it in this department's own words
        ...

which counts, waits the normal latency and applies the faults every department shares. `half_page`, `garbage` and `stale`
are for the department to play: look at `department.faults` when answering. `department.now()` is the department's clock,
`clock_skew` included: check signatures against it. `department.people` holds the invented people. A department that is
files or a database rather than a server acts when its faults change: `department.on_fault(callback)`.

Its manifest is demo/manifests/<name>.toml.in, a string.Template: `${LGB_URL}` (every department's address),
`${JY_DIR}` (its `options.directory`), `${PKI}` (ca.pem, yimen.pem, yimen-key.pem) and `${SECRETS}/<name>`, which makes
the secret: the department reads the same word with `options.secret("<name>")`. `$$` is one dollar sign.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

from demo.edits import Edit
from demo.people import Register, register

SHANGHAI = ZoneInfo("Asia/Shanghai")

_SWITCHED_ON: Mapping[str, float] = {"slow": 5.0, "stale": 10.0, "clock_skew": 3600.0}
_SPOKEN = {"too_many": "429"}  # a field's name -> what a visitor calls it
_KEPT_KEYS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is normal for one department (domain-brief, section 4)."""

    code: str
    zh: str
    latency_s: float = 0.0
    rps: float | None = None  # requests a second; the bucket holds as many
    hours: tuple[str, str] | None = None  # ("05:00", "23:00"), Asia/Shanghai; kept only with Options.real_hours
    tls: str = "none"  # none | server | mutual


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one department is run. `directory` is where a file or database department keeps what it gives out."""

    seed: int = 1
    count: int = 1000  # generated people besides the cast
    now: datetime | None = None  # the demo clock starts here and ticks; None = the real time
    latency: float = 1.0  # factor on every normal latency; tests use 0
    real_hours: bool = False
    limits: bool = True  # False: no rate limit, for measuring
    directory: Path = Path("var/demo/drops")
    pki: Path = Path("var/demo/pki")
    secrets: Mapping[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """The shared secret `name` ("lgb_token"); without a secrets directory a fixed word for tests."""
        return self.secrets.get(name, f"demo-{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong just now. Set and cleared at run time, kept nowhere."""

    closed: bool = False
    down: bool = False
    too_many: bool = False  # spoken "429"
    half_page: bool = False
    garbage: bool = False
    slow: float = 0.0  # seconds on top of the normal latency
    stale: float = 0.0  # days the department's data lags behind
    clock_skew: float = 0.0  # seconds the department's clock is ahead

    def changed(self, wanted: Mapping[str, object]) -> Faults:
        """With the named faults set; `true` for one with an amount takes a usual amount.

        Raises ValueError for a name or an amount it does not know, naming the ones it does.
        """
        spoken = {_SPOKEN.get(f.name, f.name): f.name for f in fields(self)}
        values: dict[str, bool | float] = {}
        for name, value in wanted.items():
            if name not in spoken:
                raise ValueError(f"没有故障 {name} / no fault {name}; known: {', '.join(sorted(spoken))}")
            attribute = spoken[name]
            if isinstance(value, bool):
                values[attribute] = _SWITCHED_ON[attribute] * value if attribute in _SWITCHED_ON else value
            elif isinstance(value, (int, float)) and attribute in _SWITCHED_ON:
                values[attribute] = float(value)
            else:
                raise ValueError(
                    f"fault {name} takes true, false" + (" or a number" if attribute in _SWITCHED_ON else "")
                )
        return replace(self, **values)  # type: ignore[arg-type]  # each checked by name and kind above

    def spoken(self) -> dict[str, bool | float]:
        """Every fault by the name a visitor uses."""
        return {_SPOKEN.get(name, name): value for name, value in asdict(self).items()}

    def active(self) -> tuple[str, ...]:
        return tuple(name for name, value in self.spoken().items() if value)


class Refusal(Exception):
    """The department does not answer: `kind` is closed, down or too_many."""

    def __init__(self, kind: str, *, retry_after_s: float | None = None, opens_at: datetime | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.opens_at = opens_at  # for closed: aware, Asia/Shanghai


class Counters:
    """Calls by operation, and how often each key was asked for, so that a test can see repetition."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._keys: Counter[tuple[str, str]] = Counter()

    def count(self, operation: str, key: str | None = None) -> None:
        self._calls[operation] += 1
        if key is not None and (len(self._keys) < _KEPT_KEYS or (operation, key) in self._keys):
            self._keys[operation, key] += 1

    def calls(self) -> dict[str, int]:
        return dict(self._calls)

    def most_asked(self) -> dict[str, int]:
        """For each operation: how often its most asked key was asked. 1 means no key was repeated."""
        most: dict[str, int] = {}
        for (operation, _), times in self._keys.items():
            most[operation] = max(times, most.get(operation, 0))
        return most

    def clear(self) -> None:
        self._calls.clear()
        self._keys.clear()


class Bucket:
    """A token bucket: `rate` a second, at most one second's worth saved up."""

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._size = max(1.0, rate)
        self._tokens, self._at = self._size, clock()

    def take(self) -> float:
        """0 when the request may pass, else the seconds until it might."""
        now = self._clock()
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class Department:
    """One department at work; its faults and counters are its own."""

    def __init__(self, profile: Profile, options: Options, people: Register | None = None) -> None:
        self.profile, self.options = profile, options
        self.code = profile.code
        self.people = people if people is not None else register(options.seed, options.count)
        self.counters = Counters()
        self.faults = Faults()
        self.edits: dict[str, Edit] = {}  # ID number -> what a visitor changed
        self._listeners: list[Callable[[Faults], None]] = []
        self._bucket = Bucket(profile.rps) if profile.rps and options.limits else None
        self._started = datetime.now(SHANGHAI)

    def now(self) -> datetime:
        """The department's own idea of the present, Asia/Shanghai, with its clock skew if that fault is on."""
        real = datetime.now(SHANGHAI)
        told = real if self.options.now is None else self.options.now.astimezone(SHANGHAI) + (real - self._started)
        return told + timedelta(seconds=self.faults.clock_skew)

    def set_faults(self, faults: Faults) -> None:
        self.faults = faults
        for listener in self._listeners:
            listener(faults)

    def on_fault(self, listener: Callable[[Faults], None]) -> None:
        """Call `listener` at every change of the faults."""
        self._listeners.append(listener)

    def opens_at(self) -> datetime | None:
        """When it opens again if it is closed now, else None. A closed switch without hours opens at 05:00."""
        now = self.now()
        start, end = (time.fromisoformat(text) for text in self.profile.hours or ("05:00", "23:00"))
        kept = self.options.real_hours and self.profile.hours is not None
        if not self.faults.closed and not (kept and not start <= now.time() < end):
            return None
        opening = datetime.combine(now.date(), start, SHANGHAI)
        return opening if opening > now else opening + timedelta(days=1)

    async def enter(self, operation: str, *, key: str | None = None) -> None:
        """Count one operation, wait as long as this department takes, and apply the faults all share.

        Raises Refusal: down at once, closed and too_many before any waiting; slow adds its seconds.
        """
        self.counters.count(operation, key)
        if self.faults.down:
            raise Refusal("down")
        if opens_at := self.opens_at():
            raise Refusal("closed", opens_at=opens_at)
        if self.faults.too_many:
            raise Refusal("too_many", retry_after_s=1.0)
        if self._bucket is not None and (wait := self._bucket.take()):
            raise Refusal("too_many", retry_after_s=wait)
        if pause := self.profile.latency_s * self.options.latency + self.faults.slow:
            await asyncio.sleep(pause)

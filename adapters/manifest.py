"""What a source's TOML file says, as frozen values. `adapters.manifest_reader` makes them from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

EMPTY: Mapping[str, Any] = MappingProxyType({})


class ShareClass(StrEnum):
    """政务数据共享: 无条件 / 有条件 / 不予共享."""

    U = "U"
    C = "C"
    N = "N"


class Sensitivity(StrEnum):
    """How careful policy and logs must be with a field; the default is GENERAL."""

    PUBLIC = "PUBLIC"
    GENERAL = "GENERAL"
    PERSONAL = "PERSONAL"
    SENSITIVE = "SENSITIVE"
    LOCATION = "LOCATION"


@dataclass(frozen=True, slots=True)
class Text:
    """A text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a manifest, where it stands and how to mend it. Line 0: the whole file or folder."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How we behave towards one source; the defaults suit a small departmental system."""

    timeout_s: float = 1.5  # one request, all tries together
    connect_timeout_s: float = 0.5
    concurrency: int = 8  # requests under way at once
    rate_per_s: float | None = None  # requests a second, None = no limit
    burst: int = 1  # requests that may leave at once when the rate has been idle
    batch_size: int = 100  # keys in one request of a batch endpoint
    max_response_bytes: int = 4 * 1024 * 1024
    retries: int = 1  # further tries of one read
    retry_ratio: float = 0.1  # the retry budget: retries per first try, over the last minute
    hedge_after_s: float | None = None  # a second request if the first is silent this long
    cache_s: float = 0.0  # answers may be shown again for so long; 0 = never
    breaker_failures: int = 5  # consecutive failures that open the breaker
    breaker_open_s: float = 5.0  # then a single probe is let through


@dataclass(frozen=True, slots=True)
class Hours:
    """Service hours, civil time of `timezone`. `open` holds ("05:00", "23:00") pairs; empty = always."""

    open: tuple[tuple[str, str], ...] = ()
    timezone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """The entry of the sharing catalogue (GB/T 21063 style)."""

    provider: Text
    items: Text
    update_cycle: str  # REALTIME | DAILY | WEEKLY | MONTHLY
    share_class: ShareClass
    condition: Text | None = None  # required for C
    legal_ground: Text | None = None  # required for N
    sensitivity: Sensitivity = Sensitivity.PERSONAL


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How one canonical field is made from the department's words.

    `type`: text | int | float | bool | date | datetime | month | code | list.
    `clean`: none | name | id | address | uscc. `codes` maps raw codes to canonical enum names; a raw value that is
    not there becomes UNMAPPED with the raw value beside it, in `<field>Raw`.
    `rank` is the authority of this source for this field: the smallest wins, None = the answer's rank.
    """

    name: str
    raw: str  # the department's field; dots walk into nested objects
    type: str = "text"
    clean: str = "none"
    codes: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    rank: int | None = None
    separator: str = ""  # for type "list"
    masked: bool = False  # leaves the adapter masked in any case (say, a landlord's name)


@dataclass(frozen=True, slots=True)
class Subject:
    """Raw fields that say whom a row is about, for matching; absent parts are ""."""

    id_no: str = ""
    name: str = ""
    birth_date: str = ""


@dataclass(frozen=True, slots=True)
class AnswerSpec:
    """One noun a source answers, by one key.

    `request` is the kind's own part (see docs/guides/manifest.md); the kind checks it.
    `as_of` names the raw field that dates a row; `lag_days` dates it otherwise (fetched minus lag).
    `links`: canonical key name -> raw field, so that other nouns can hang on a row.
    """

    noun: str
    by: tuple[str, ...]
    request: Mapping[str, Any]
    fields: tuple[FieldMapping, ...]
    rank: int = 100
    record_id: str = ""  # raw field
    subject: Subject | None = None  # None: the noun is not about a person, rows match by key alone
    as_of: str = ""
    lag_days: float = 0.0
    stale_after_s: float | None = None
    links: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    probe: tuple[str, ...] = ()  # a sample key for the live probe of `yimen sources check`


@dataclass(frozen=True, slots=True)
class FieldDecl:
    """A field of a noun that no Python file declares. `type`: String | Int | Float | Boolean | Date | DateTime."""

    name: str
    type: str
    title: Text
    sensitivity: Sensitivity = Sensitivity.GENERAL
    filterable: bool = False
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class LinkDecl:
    """How a declared noun hangs on another: `on`.`name` answers this noun's records by `by`."""

    on: str  # the noun (or "person") that gets the field
    name: str  # the field's name there
    by: tuple[str, ...]  # key names, which must be among the other noun's links (person: idNo, name)
    title: Text


@dataclass(frozen=True, slots=True)
class NounDecl:
    """A noun that exists in no Python file."""

    name: str  # lowerCamel, the root field's name
    type_name: str  # UpperCamel, the record type's name
    title: Text
    keys: tuple[tuple[str, ...], ...]  # key sets the root field accepts, say (("parcelNo",),)
    fields: tuple[FieldDecl, ...]
    links: tuple[LinkDecl, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """One source, as its file says; credentials are still references ("env:NAME" or "file:PATH")."""

    code: str
    title: Text
    kind: str  # rest | soap | sql | file_drop | graphql
    endpoint: str  # URL, SQLAlchemy URL or directory; may itself be a reference
    catalogue: CatalogueEntry
    answers: tuple[AnswerSpec, ...]
    nouns: tuple[NounDecl, ...] = ()
    auth: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    tls: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # ca / cert / key: "file:PATH"
    allow_hosts: tuple[str, ...] = ()  # besides the endpoint's own host
    allow_plain_http: bool = False
    limits: Limits = field(default_factory=Limits)
    hours: Hours = field(default_factory=Hours)
    options: Mapping[str, Any] = field(default_factory=lambda: EMPTY)  # the kind's own, say encoding or wsdl
    file: str = ""

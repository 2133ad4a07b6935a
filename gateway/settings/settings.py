"""What an operator may set: environment over settings file over default, and every fault at once.

With `manifests` beside it the only reader of os.environ. `yimen settings` prints `describe()`; docs/guides/operate.md carries the same table.
"""

# ruff: noqa: RUF009  (`setting` is a dataclass field, made once)
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.errors import SettingsInvalid
from gateway.settings import parsing
from gateway.settings.credentials import CredentialSettings
from gateway.settings.demo_key import demo_master_key
from gateway.settings.described import PREFIX, Described, described, setting
from gateway.settings.limits import Limits
from gateway.settings.reading import FILE_VARIABLE, gather

LIMIT = "limit_"
CREDENTIAL = "credential_"


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings, checked as a whole. Its repr holds no secret."""

    database_url: str = setting(
        parsing.database,
        "sqlite:///var/yimen.db",
        "数据库：SQLite 文件（默认，单进程）或 PostgreSQL",
        "database: an SQLite file (one process) or PostgreSQL",
        secret=True,
    )
    database_pool: int = setting(
        parsing.number(int, 3, 200),
        8,
        "每个进程的数据库连接数（PostgreSQL），其一专用于访问记录，其一专用于令牌校验",
        "PostgreSQL connections per process, one of them for access events alone, one for the door",
    )
    database_timeout_s: float = setting(
        parsing.number(float, 0.1, 60), 5.0, "数据库语句及锁等待时限（秒）", "seconds a statement or a lock may take"
    )
    manifests_dir: Path = setting(parsing.path, Path("manifests"), "数据源清单目录", "folder of the source manifests")
    state_dir: Path = setting(
        parsing.path, Path("var"), "运行状态目录（投递文件索引、演示密钥）", "folder for this gateway's own state"
    )
    host: str = setting(
        parsing.text(r"[0-9A-Za-z.:_-]+", "a host name or address"), "127.0.0.1", "监听地址", "address to listen on"
    )
    port: int = setting(
        parsing.number(int, 0, 65535), 8000, "监听端口，0 为自动选取", "port to listen on; 0 picks a free one"
    )
    workers: int = setting(
        parsing.workers,
        1,
        "工作进程数，大于 1 须用 PostgreSQL；auto 即每个处理器核一个（SQLite 时为一个）",
        "worker processes; above 1 needs PostgreSQL; auto is one per core (one with SQLite)",
    )
    public_url: str | None = setting(
        parsing.url, None, "对外访问地址，默认由 host 和 port 得出", "URL others reach us at; default http://host:port"
    )
    allowed_hosts: str | None = setting(
        parsing.text(r"\*|[0-9A-Za-z.\-\[\]:]+(,[0-9A-Za-z.\-\[\]:]+)*", "host names with commas between, or *"),
        None,
        "请求可用的其他主机名（逗号分隔），除本机和 public_url 外",
        "further host names requests may be sent to, besides this machine and public_url; commas between",
    )
    master_key: bytes | None = setting(
        parsing.key,
        None,
        "主密钥，32 字节 base64；除演示外必填，建议用 YIMEN_MASTER_KEY_FILE",
        "master key, 32 bytes in base64; required outside the demo, best as YIMEN_MASTER_KEY_FILE",
        secret=True,
    )
    previous_master_key: bytes | None = setting(
        parsing.key,
        None,
        "更换前的主密钥；启动一次后数据密钥即改用新主密钥，随后删除此项",
        "the master key before a change; after one start every data key is wrapped anew and this is removed",
        secret=True,
    )
    demo: bool = setting(
        parsing.boolean, False, "演示模式：可用演示账号，自动生成主密钥", "demo: demo accounts, a generated master key"
    )
    demo_accounts_file: Path | None = setting(
        parsing.path, None, "演示账号文件（仅演示）", "file of demo officers' logins; demo only"
    )
    oidc_providers_file: Path | None = setting(
        parsing.path, None, "外部身份平台（OIDC）清单文件", "file of the OIDC providers officers may log in through"
    )
    session_idle_s: float = setting(
        parsing.number(float, 60, 86_400), 1800.0, "登录会话闲置时限（秒）", "seconds a login session may be idle"
    )
    session_s: float = setting(
        parsing.number(float, 300, 86_400), 36_000.0, "登录会话总时限（秒）", "seconds a login session may last"
    )
    trusted_proxies: str | None = setting(
        parsing.text(r"[0-9A-Fa-f.:/]+(,[0-9A-Fa-f.:/]+)*", "addresses or networks with commas between"),
        None,
        "可信反向代理的地址或网段（逗号分隔），其 X-Forwarded-For 才被采信",
        "addresses or networks of proxies whose X-Forwarded-For is believed; commas between",
    )
    access_token_s: int = setting(
        parsing.number(int, 30, 3600), 600, "访问令牌有效期（秒）", "seconds an access token lasts"
    )
    dpop_nonces: str = setting(
        parsing.choice("everywhere", "token", "off"),
        "everywhere",
        "何处要求 DPoP 随机数：everywhere 全部，token 仅授权端点，off 不要求",
        "where DPoP proofs need a nonce of ours: everywhere, at the authorization server (token), or nowhere (off)",
    )
    client_certificate_header: str | None = setting(
        parsing.text(r"[0-9A-Za-z-]+", "the name of a header"),
        None,
        "反向代理转交客户端证书的请求头；不设即不用 mTLS",
        "header in which the proxy passes the client's certificate on; unset = no mTLS",
    )
    client_certificate_trusted: bool = setting(
        parsing.boolean,
        False,
        "确认反向代理会剥除外来的该请求头",
        "said by the operator: the proxy strips that header from what comes in",
    )
    introspection: bool = setting(parsing.boolean, False, "允许内省查询", "whether introspection is answered")
    graphiql: bool = setting(parsing.boolean, False, "提供 GraphiQL 页面", "whether the GraphiQL page is served")
    trusted_documents_dir: Path | None = setting(parsing.path, None, "可信查询文档目录", "folder of trusted documents")
    trusted_documents_only: bool = setting(
        parsing.boolean, False, "只接受可信查询文档", "whether anything but a trusted document is refused"
    )
    limits: Limits = field(default_factory=Limits)
    log_level: str = setting(
        parsing.choice("debug", "info", "warning", "error"), "info", "日志级别", "least level logged"
    )
    log_format: str = setting(parsing.choice("json", "console"), "json", "日志格式", "json lines, or console text")
    consent_days: int = setting(
        parsing.number(int, 1, 1096), 180, "个人同意的最长期限（天）", "longest a person's consent may last, in days"
    )
    consent_answer_days: int = setting(
        parsing.number(int, 1, 30), 7, "征求同意的答复期限（天）", "days a person has to answer a request for consent"
    )
    person_device_days: int = setting(
        parsing.number(int, 0, 90),
        14,
        "记住个人设备的天数，0 为每次都要验证码",
        "days a person's device is remembered; 0 = a code every time",
    )
    drain_s: float = setting(
        parsing.number(float, 0, 300), 10.0, "停机时等待在途请求的秒数", "seconds running requests get when we stop"
    )
    drain_announce_s: float = setting(
        parsing.number(float, 0, 300),
        0.0,
        "停机前照常服务、但 /readyz 已报 503 的秒数，供负载均衡转走流量",
        "seconds we serve on after a stop was asked for, with /readyz saying 503, so that a balancer sends the next ones elsewhere",
    )
    break_glass_minutes: int = setting(
        parsing.number(int, 1, 240), 30, "紧急查询一次开放的分钟数", "minutes an emergency access stays open"
    )
    alarm_poll_s: float = setting(
        parsing.number(float, 0, 3600),
        1.0,
        "从留痕中提取预警的间隔（秒），0 为关闭",
        "seconds between looks at the evidence for alarms; 0 = off",
    )
    receipt_check_s: float = setting(
        parsing.number(float, 0, 86_400),
        3600.0,
        "核对其他网关回执的间隔（秒），0 为关闭",
        "seconds between checks of the receipts other gateways gave us; 0 = off",
    )
    reload_poll_s: float = setting(
        parsing.number(float, 0, 3600),
        2.0,
        "检查清单变化的间隔（秒），0 为关闭",
        "seconds between looks for changed manifests; 0 = off",
    )
    otlp_endpoint: str | None = setting(
        parsing.url,
        None,
        "OpenTelemetry 追踪接收地址（需 tracing 附加包）",
        "OTLP/HTTP endpoint for traces; needs the tracing extra",
    )
    messages_url: str | None = setting(
        parsing.url,
        None,
        "短信等通知的发送服务地址（Standard Webhooks 签名）；演示中不设则进收件箱页",
        "where messages to persons are sent by signed POST (Standard Webhooks); unset in the demo = its inbox page",
    )
    client_requests_per_minute: int = setting(
        parsing.number(int, 1, 1_000_000),
        1200,
        "合作方和系统客户端每分钟的查询次数",
        "requests a minute of a partner's or a system's client; a client may have its own",
    )
    client_cost_per_minute: int = setting(
        parsing.number(int, 1, 100_000_000),
        120_000,
        "此类客户端每分钟的查询代价总额",
        "cost a minute of such a client, in cost units",
    )
    client_subjects_per_day: int = setting(
        parsing.number(int, 1, 10_000_000),
        20_000,
        "合作方客户端每日可查询的人数，超过即暂停",
        "different persons a day of a partner's client; more suspends it",
    )
    messages_secret: bytes | None = setting(
        parsing.key,
        None,
        "通知签名密钥，32 字节 base64；建议用 YIMEN_MESSAGES_SECRET_FILE",
        "key that signs those messages, 32 bytes in base64; best as YIMEN_MESSAGES_SECRET_FILE",
        secret=True,
    )

    ledger_origin: str | None = setting(
        parsing.text(r"[0-9A-Za-z][0-9A-Za-z.:_/-]*[0-9A-Za-z]", "a host name and path, without scheme"),
        None,
        "存证日志的名称（不含协议），其后加年份；默认由对外访问地址得出",
        "name of the ledger, without scheme; the year is added; default: host of public_url, then /ledger",
    )
    ledger_witness_policy: Path | None = setting(
        parsing.path,
        None,
        "见证方清单（C2SP tlog-policy 格式）；不设即无见证",
        "file of the witnesses and their quorum, in the form of C2SP tlog-policy; unset = no witnesses",
    )
    ledger_checkpoint_s: float = setting(
        parsing.number(float, 0.01, 60),
        0.2,
        "两次检查点之间的最短间隔（秒）",
        "least seconds between two checkpoints of the ledger",
    )
    ledger_witness_s: float = setting(
        parsing.number(float, 0.01, 3600),
        1.0,
        "两次见证之间的最短间隔（秒）；有事项等待时立即进行",
        "least seconds between two rounds of witnesses; at once where something waits to be sealed",
    )
    ledger_seal_wait_s: float = setting(
        parsing.number(float, 0, 30),
        2.0,
        "授予类操作等待见证的最长时间（秒），过后先答复、后补证明",
        "longest wait for witnesses before a grant is answered; the proof then follows",
    )
    ledger_quorum_window_s: float = setting(
        parsing.number(float, 10, 30 * 86_400),
        3600.0,
        "见证不足法定数超过此时长（秒）即停止高价值操作",
        "seconds without a quorum of witnesses after which consents and policy changes stop",
    )
    ledger_announce_days: int = setting(
        parsing.number(int, 1, 200),
        31,
        "每年年底前多少天公布下一年日志的公钥，以便见证方提前登记",
        "days before the year ends at which the key of next year's ledger is announced, so that witnesses are ready",
    )
    ledger_alert_delay_s: float = setting(
        parsing.number(float, 0, 86_400),
        600.0,
        "预警写入存证日志前的最长随机延迟（秒），以免打草惊蛇",
        "longest random delay before an alert shows in the ledger, so that it tips nobody off",
    )
    subject_keys_url: str | None = setting(
        parsing.database,
        None,
        "个人密钥库：与主库及其备份分开存放；默认为状态目录中的 SQLite 文件，多台主机须用 PostgreSQL",
        "store of the persons' keys, apart from the database and its backups; default: an SQLite file in state_dir; "
        "several hosts need PostgreSQL",
        secret=True,
    )
    subject_keys_mirror: Path | None = setting(
        parsing.path,
        None,
        "个人密钥库的备份目录；销毁一经写入才算完成",
        "folder of the backup of the persons' keys; a destruction is done only once it is done there",
    )

    credentials: CredentialSettings = field(default_factory=CredentialSettings)

    @property
    def base_url(self) -> str:
        """What links are built on, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def ledger_name(self) -> str:
        """The origin of every shard, but for "/" and the shard."""
        return self.ledger_origin or f"{self.base_url.partition('://')[2]}/ledger"

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite:")

    @property
    def processes(self) -> int:
        """How many worker processes there are."""
        if self.workers != parsing.AUTO:
            return self.workers
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return 1 if self.sqlite else min(64, cores)

    @classmethod
    def from_process(cls, **command_line: object) -> Settings:
        """From this process's environment and the file YIMEN_SETTINGS names; what the command line says goes first."""
        given = {PREFIX + name.upper(): str(value) for name, value in command_line.items() if value is not None}
        named = os.environ.get(FILE_VARIABLE)
        return cls.load({**os.environ, **given}, Path(named) if named else None)

    @classmethod
    def load(cls, environ: Mapping[str, str], file: Path | None) -> Settings:
        """Raises SettingsInvalid with every fault found. In the demo, makes the master key where there is none."""
        faults: list[str] = []
        given = gather(describe(), environ, file, faults)
        values: dict[str, Any] = {}
        for known in describe():
            if known.name in given:
                where, raw = given[known.name]
                try:
                    values[known.name] = known.parse(raw)
                except parsing.Fault as fault:
                    faults.append(f"{where}: {known.name} {fault}")
        limits, credentials = Limits(**_taken(values, LIMIT)), CredentialSettings(**_taken(values, CREDENTIAL))
        settings = cls(**values, limits=limits, credentials=credentials)
        faults += _faults_together(settings, given)
        if faults:
            raise SettingsInvalid(tuple(faults))
        if settings.master_key is None:
            settings = replace(settings, master_key=demo_master_key(settings.state_dir))
        return settings


def environment() -> Mapping[str, str]:
    """What `env:NAME` in a manifest may name: this process's environment, less our own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def describe() -> tuple[Described, ...]:
    """Every setting there is, in the order of the guide."""
    return (*described(Settings), *described(CredentialSettings, CREDENTIAL), *described(Limits, LIMIT))


def _taken(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What belongs to a part of the settings, taken out of `values`, under its name there."""
    return {name.removeprefix(prefix): values.pop(name) for name in tuple(values) if name.startswith(prefix)}


def _faults_together(settings: Settings, given: Mapping[str, object]) -> Iterator[str]:
    """What only shows when settings are seen side by side."""
    if settings.workers > 1 and settings.sqlite:
        yield "workers: more than one worker needs PostgreSQL; set database_url, or workers to 1"
    if settings.master_key is None and "master_key" not in given and not settings.demo:
        yield "master_key: required; set YIMEN_MASTER_KEY_FILE to a file holding 32 random bytes in base64"
    if settings.previous_master_key is not None and settings.previous_master_key == settings.master_key:
        yield "previous_master_key: is the same as master_key"
    if settings.demo_accounts_file is not None and not settings.demo:
        yield "demo_accounts_file: demo accounts are for the demo only; set demo, or remove this"
    if settings.client_certificate_header is not None and not settings.client_certificate_trusted:
        yield "client_certificate_header: whoever reaches us past the proxy could send it; set client_certificate_trusted"
    if settings.session_idle_s > settings.session_s:
        yield "session_idle_s: is more than session_s"
    for network in (settings.trusted_proxies or "").split(","):
        if network and not parsing.is_network(network):
            yield f"trusted_proxies: {network} is no address or network"
    for name in ("demo_accounts_file", "oidc_providers_file"):
        named = getattr(settings, name)
        if named is not None and not named.is_file():
            yield f"{name}: {named} is not a file"
    if settings.trusted_documents_only and settings.trusted_documents_dir is None:
        yield "trusted_documents_only: needs trusted_documents_dir"
    if (settings.messages_url is None) != (settings.messages_secret is None):
        yield "messages_url: goes with messages_secret, one is nothing without the other"
    for name in ("manifests_dir", "trusted_documents_dir"):
        path = getattr(settings, name)
        if name in given and path is not None and not path.is_dir():
            yield f"{name}: {path} is not a folder"

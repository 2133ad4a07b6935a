"""What an operator may set about credentials; names begin with `credential_`."""

# ruff: noqa: RUF009  (`setting` is a dataclass field, made once)
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.settings import parsing
from gateway.settings.described import setting


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """Of one issuer; every process of it needs the same."""

    profile: str = setting(
        parsing.choice("open", "haip", "both"),
        "both",
        "凭证签发与出示的规格：open 允许匿名钱包（浏览器钱包需要），haip 仅高保障规格，both 两者",
        "open lets anonymous wallets in (the browser wallet needs it), haip is high assurance alone, both is both",
    )
    issuer_zh: str = setting(
        parsing.text(r"\S.{0,59}", "a name of up to 60 characters"),
        "一门电子证明",
        "签发单位的名称，钱包和出示页上显示，例如：佛山市禅城区司法局",
        "name of the issuing body in Chinese, as wallets show it",
    )
    issuer_en: str = setting(
        parsing.text(r"\S.{0,99}", "a name of up to 100 characters"),
        "yimen electronic certificates",
        "签发单位的英文名称",
        "its English name",
    )
    keys_dir: Path | None = setting(
        parsing.path,
        None,
        "凭证签名密钥目录（加密文件），默认在状态目录中；多台主机须共享",
        "folder of the encrypted keys credentials are signed with; default: in state_dir; hosts share it",
    )
    pkcs11_module: Path | None = setting(
        parsing.path,
        None,
        "PKCS#11 模块（密码机）；设后密钥不在文件中",
        "PKCS#11 module that holds the keys instead of files",
    )
    pkcs11_token: str | None = setting(
        parsing.text(r"[ -~]{1,32}", "a token label"), None, "密码机令牌标签", "label of the token in that module"
    )
    pkcs11_pin: str | None = setting(
        parsing.text(r"[ -~]{4,64}", "a PIN"),
        None,
        "密码机 PIN；建议用 YIMEN_CREDENTIAL_PKCS11_PIN_FILE",
        "its PIN, best as YIMEN_CREDENTIAL_PKCS11_PIN_FILE",
        secret=True,
    )
    types_dir: Path | None = setting(
        parsing.path,
        None,
        "附加凭证类型文件目录；随产品的类型总是可用",
        "folder of further credential types; those of the product are always there",
    )
    trust_dir: Path | None = setting(
        parsing.path,
        None,
        "附加信任锚（PEM 根证书）目录，用于核验其他签发者的凭证",
        "folder of further trust anchors (PEM roots) for credentials others issued",
    )
    wallet_providers_file: Path | None = setting(
        parsing.path,
        None,
        "可信钱包提供方清单文件（JSON），其证明用于高保障钱包的身份验证",
        "JSON file of wallet providers whose attestations authenticate their wallets (HAIP)",
    )
    attested_types: str | None = setting(
        parsing.text(r"[a-z][a-z0-9-]*(,[a-z][a-z0-9-]*)*", "credential types with commas between"),
        None,
        "须由可信钱包提供方证明密钥存储方式的凭证类型（逗号分隔）；浏览器钱包不能领取这些类型",
        "credential types whose keys a trusted wallet provider must attest, commas between; no browser wallet gets these",
    )
    offer_days: float = setting(
        parsing.number(float, 0.01, 90), 7.0, "领取链接有效天数", "days a link to a credential may be used"
    )
    tx_tries: int = setting(
        parsing.number(int, 1, 20),
        5,
        "领取码可输错次数，超过即作废",
        "wrong transaction codes after which an offer is burnt",
    )
    tx_digits: int = setting(parsing.number(int, 4, 12), 6, "领取码位数", "digits of a transaction code")
    batch: int = setting(
        parsing.number(int, 2, 50), 10, "一次最多签发份数（每份一把密钥）", "credentials of one request, one a key"
    )
    token_s: int = setting(
        parsing.number(int, 60, 3600), 900, "钱包访问令牌有效期（秒）", "seconds a wallet's access token lasts"
    )
    deferred_days: int = setting(
        parsing.number(int, 1, 60), 7, "等待来源恢复的最长天数", "days a request may wait for a source"
    )
    status_ttl_s: int = setting(
        parsing.number(int, 1, 86_400), 30, "状态列表可缓存的秒数", "seconds a status list may be cached"
    )
    status_size: int = setting(
        parsing.number(int, 1024, 4_000_000),
        131_072,
        "每个状态列表的容量；越大越不易关联",
        "entries of a status list; more hide each one better",
    )
    recheck_s: float = setting(
        parsing.number(float, 1, 30 * 86_400),
        86_400.0,
        "复查事实的最长间隔（秒）；类型文件可更短",
        "longest seconds between two looks at the facts of a credential; a type's file may say less",
    )
    presentation_s: int = setting(
        parsing.number(int, 30, 3600), 300, "出示请求有效期（秒）", "seconds a request to show something is open"
    )
    dispute_days: int = setting(
        parsing.number(int, 1, 90), 20, "异议答复期限（天）", "days in which a dispute about a fact is answered"
    )

"""The organisations, posts and officers of the demo, as `yimen identities import` takes them. All invented."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

AGENCY, ZUMIAO, COURT, CITY_COURT = "CC-AGENCY", "CC-JO-ZUMIAO", "CC-COURT", "FS-COURT"
PROCURATORATE, POLICE, PRISON, SHUNDE = "CC-PROC", "CC-POLICE", "FS-PRISON", "SD-AGENCY"
BANK, EMPLOYER, INSURER, LEGAL_AID = "MABANK", "MINGDA", "FS-INSURER", "CC-LEGALAID"
OFFICES = {  # a justice office as registers write it -> its organisation
    "祖庙司法所": ZUMIAO,
    "石湾司法所": "CC-JO-SHIWAN",
    "张槎司法所": "CC-JO-ZHANGCHA",
    "南庄司法所": "CC-JO-NANZHUANG",
}


_OFFICE_USCC = ("114406040070550019", "11440604007055002C", "114406040070550092", "11440604007055011A")


@dataclass(frozen=True, slots=True)
class Body:
    org_id: str
    name_zh: str
    name_en: str
    uscc: str
    kind: str
    jurisdiction: str = ""
    parent_id: str = ""
    purposes: tuple[str, ...] = ()  # of a partner; bodies that act by duty have them by their posts


@dataclass(frozen=True, slots=True)
class Post:
    org_id: str
    code: str
    title_zh: str
    title_en: str
    roles: tuple[str, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clerk:
    """An officer with an account in the demo; `story` says what there is to see with it."""

    login: str
    name: str
    org_id: str
    posts: tuple[str, ...]
    story: str
    id_no: str = ""
    external: bool = False  # logs in at the OIDC provider too


_CORRECTION = ("CC_RECEPTION", "CC_TRANSFER", "CC_PLAN", "CC_HELP", "CC_SUPERVISION")
_HANDLING = (*_CORRECTION, "CREDENTIAL_OFFER")  # of who handles cases, not of who watches


def bodies() -> tuple[Body, ...]:
    """Chancheng's side of the demo, its partners and its neighbour."""
    offices = (
        Body(
            org_id,
            f"佛山市禅城区{name}",
            f"Justice office {org_id[6:].title()}",
            uscc,
            "JUSTICE_OFFICE",
            "440604",
            AGENCY,
        )
        for (name, org_id), uscc in zip(OFFICES.items(), _OFFICE_USCC, strict=True)
    )
    return (
        Body(AGENCY, "佛山市禅城区司法局", "Chancheng justice bureau", "114406040070555557", "CORRECTION_AGENCY", "440604"),
        *offices,
        Body(CITY_COURT, "佛山市中级人民法院", "Foshan intermediate court", "11440600007055003M", "COURT", "440600"),
        Body(COURT, "佛山市禅城区人民法院", "Chancheng court", "11440604007055004J", "COURT", "440604"),
        Body(PROCURATORATE, "佛山市禅城区人民检察院", "Chancheng procuratorate", "11440604007055005M", "PROCURATORATE", "440604"),
        Body(POLICE, "佛山市公安局禅城分局", "Foshan police, Chancheng", "11440604007055006Q", "POLICE", "440604"),
        Body(PRISON, "广东省佛山监狱", "Foshan prison", "124400000070550070", "PRISON", "440000"),
        Body(SHUNDE, "佛山市顺德区司法局", "Shunde justice bureau", "11440606007055008U", "CORRECTION_AGENCY", "440606"),
        Body(BANK, "佛山市禅城惠民银行", "Huimin bank, Foshan", "91440600MABANK001M", "BANK", purposes=("LOAN_SERVICE",)),
        Body(EMPLOYER, "佛山市禅城区明达纺织有限公司", "Mingda textiles", "91440604MA5TEXT12M", "EMPLOYER", purposes=("EMPLOYMENT",)),
        Body(INSURER, "佛山市安民保险有限公司", "Anmin insurance", "91440600MAJN5UR014", "INSURER", purposes=("INSURANCE_SERVICE",)),
        Body(LEGAL_AID, "佛山市禅城区法律援助处", "Chancheng legal aid centre", "114406040070550107", "LEGAL_AID", "440604"),
    )  # fmt: skip


def posts() -> tuple[Post, ...]:
    offices = (
        Post(org_id, "JUSTICE_OFFICER", "司法所工作人员", "Justice officer", ("JUSTICE_OFFICER",), _HANDLING)
        for org_id in OFFICES.values()
    )
    return (
        *offices,
        Post(AGENCY, "CORRECTION_OFFICER", "社区矫正专职人员", "Correction officer", ("JUSTICE_OFFICER",), _HANDLING),
        Post(ZUMIAO, "SUPERVISOR", "司法所所长", "Head of the justice office", ("SUPERVISOR",), ()),
        Post(AGENCY, "SUPERVISOR", "监督科", "Supervision section", ("SUPERVISOR",), _CORRECTION),
        Post(AGENCY, "SYSTEM_KEEPER", "信息中心", "Information centre", ("IDENTITY_ADMIN",), ()),
        Post(AGENCY, "RULES_SECTION", "法制科", "Rules section", ("POLICY_OWNER",), ()),
        Post(AGENCY, "RULES_REVIEW", "法制审核", "Review of rules", ("POLICY_APPROVER",), ()),
        Post(AGENCY, "DATA_PROTECTION", "个人信息保护负责人", "Data protection officer", ("DPO",), ()),
        Post(COURT, "ENFORCEMENT_JUDGE", "刑罚执行法官", "Judge", ("JUDGE",), ("COURT_EXECUTION", "COURT_REVOCATION", "CASE_HANDLING")),
        Post(CITY_COURT, "ENFORCEMENT_JUDGE", "刑罚执行法官", "Judge", ("JUDGE",), ("COURT_EXECUTION", "COURT_REVOCATION")),
        Post(PROCURATORATE, "PROSECUTOR", "刑事执行检察官", "Prosecutor", ("PROSECUTOR",), ("PROC_SUPERVISION", "CASE_HANDLING")),
        Post(POLICE, "POLICE_OFFICER", "民警", "Police officer", ("POLICE_OFFICER",), ("POLICE_ASSISTANCE", "CASE_HANDLING")),
        Post(PRISON, "HANDOVER_OFFICER", "刑罚执行科", "Hand-over officer", ("PRISON_OFFICER",), ("PRISON_HANDOVER",)),
        Post(LEGAL_AID, "AID_LAWYER", "法律援助律师", "Legal aid lawyer", ("LEGAL_AID_OFFICER",), ("LEGAL_AID_SERVICE",)),
    )  # fmt: skip


def clerks() -> tuple[Clerk, ...]:
    """Officers of the five bodies, a supervisor, and one of the second application."""
    return (
        Clerk("officer-lin", "林晓", ZUMIAO, ("JUSTICE_OFFICER",), "祖庙司法所, 经办张三 / handles Zhang San", external=True),
        Clerk("officer-zhou", "周凯", ZUMIAO, ("JUSTICE_OFFICER",), "李梅的前夫, 查她和查自己都会被拒 / Li Mei's former husband: refused her and himself", "440604198604040051"),
        Clerk("officer-chen", "陈芬", AGENCY, ("CORRECTION_OFFICER",), "区社区矫正机构 / the county agency"),
        Clerk("supervisor-he", "何建", ZUMIAO, ("SUPERVISOR",), "祖庙司法所所长, 看预警和本所的查询记录 / head of the office: its alerts and accesses"),
        Clerk("keeper-wu", "吴平", AGENCY, ("SYSTEM_KEEPER",), "导入机构和人员 / imports identities"),
        Clerk("rules-fang", "方正", AGENCY, ("RULES_SECTION",), "起草共享规则 / proposes changes of the sharing rules"),
        Clerk("rules-yu", "余审", AGENCY, ("RULES_REVIEW",), "审核共享规则, 与起草人不得为同一人 / approves them; never the same person"),
        Clerk("dpo-deng", "邓护", AGENCY, ("DATA_PROTECTION",), "个人信息保护负责人, 看合作方预警 / data protection: alerts about partners"),
        Clerk("judge-liang", "梁法", COURT, ("ENFORCEMENT_JUDGE",), "禅城法院 / Chancheng court"),
        Clerk("judge-ou", "欧正", CITY_COURT, ("ENFORCEMENT_JUDGE",), "佛山中院 / Foshan intermediate court"),
        Clerk("prosecutor-mai", "麦清", PROCURATORATE, ("PROSECUTOR",), "检察监督, 看被封存记录的查询 / supervision; sees what was asked of sealed records"),
        Clerk("police-guan", "关勇", POLICE, ("POLICE_OFFICER",), "禅城公安 / Chancheng police"),
        Clerk("prison-luo", "罗杰", PRISON, ("HANDOVER_OFFICER",), "佛山监狱 / Foshan prison"),
        Clerk("lawyer-su", "苏文", LEGAL_AID, ("AID_LAWYER",), "法律援助处(第二个应用) / legal aid, the second application"),
    )  # fmt: skip


def identity_files() -> dict[str, str]:
    """organisations.csv, posts.csv and officers.csv."""
    return {
        "organisations.csv": table(
            ("org_id", "name_zh", "name_en", "uscc", "kind", "jurisdiction", "parent_id", "purposes"),
            (
                (b.org_id, b.name_zh, b.name_en, b.uscc, b.kind, b.jurisdiction, b.parent_id, ";".join(b.purposes))
                for b in bodies()
            ),
        ),
        "posts.csv": table(
            ("org_id", "code", "title_zh", "title_en", "roles", "purposes"),
            ((p.org_id, p.code, p.title_zh, p.title_en, ";".join(p.roles), ";".join(p.purposes)) for p in posts()),
        ),
        "officers.csv": table(
            ("login", "name", "org_id", "posts", "id_no"),
            ((c.login, c.name, c.org_id, ";".join(c.posts), c.id_no) for c in clerks()),
        ),
    }


def shunde_files() -> dict[str, str]:
    """What Shunde's own gateway knows: itself, and Chancheng's agency, whose client asks it."""
    both = [body for body in bodies() if body.org_id in (AGENCY, SHUNDE)]
    return {
        "organisations.csv": table(
            ("org_id", "name_zh", "name_en", "uscc", "kind", "jurisdiction"),
            ((b.org_id, b.name_zh, b.name_en, b.uscc, b.kind, b.jurisdiction) for b in both),
        )
    }


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A CSV file's text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue()

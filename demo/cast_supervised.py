"""The cast who serve a sentence in the community now; stories from the scenarios the product must walk."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from demo.facts import (
    BusinessFact,
    CaseFact,
    CoDefendant,
    InsuranceFact,
    JudgmentFact,
    MonitoringFact,
    Person,
    PoliceAddress,
    ResidenceFact,
)

FACTORY, FACTORY_NAME = "91440604MA5TEXT12M", "佛山市禅城区明达纺织有限公司"
SHOP, SHOP_NAME = "92440604MA4UTEXT17", "佛山市禅城区三记五金店"
LOGISTICS, LOGISTICS_NAME = "91440606MA4W8F6D1M", "佛山市顺德区顺达物流有限公司"
COURT = "佛山市禅城区人民法院"


def insured(unit: str, unit_name: str, first: date, last: str, months: int) -> tuple[InsuranceFact, ...]:
    """The three kinds an ordinary employee has."""
    return tuple(
        InsuranceFact(
            unit_uscc=unit,
            unit_name=unit_name,
            kind=kind,
            first_paid_on=first,
            last_month=last,
            months_paid_24=months,
        )
        for kind in ("PENSION", "UNEMPLOYMENT", "MEDICAL")
    )


WU_DA_YONG = CoDefendant(name="吴大勇", id_no="440604198409090010")
ZHANG_SAN = CoDefendant(name="张三", id_no="440606199003070017")

_ZS_CASE_NO = "(2026)粤0604刑初123号"
_ZS_CASE = CaseFact(
    dxbh="4406042026100017",
    case_no=_ZS_CASE_NO,
    case_type="PROBATION",
    decision_doc_no="(2026)粤0604刑初123号判决书",
    effective_on=date(2026, 10, 8),
    start_on=date(2026, 10, 8),
    end_on=date(2028, 10, 7),
    crime_category="PROPERTY",
    charge="盗窃罪",
    penalty="FIXED_TERM",
    penalty_months=14,
    add_penalties=("罚金",),
    level="ORDINARY",
    state="SUPERVISED",
    held_by=("GDSJ",),
)
_ZS_JUDGMENT = JudgmentFact(
    doc_no="(2026)粤0604刑初123号判决书",
    doc_type="JUDGMENT",
    title="刑事判决书",
    issuer=COURT,
    case_no=_ZS_CASE_NO,
    issued_on=date(2026, 9, 27),
    effective_on=date(2026, 10, 8),
    probation_months=24,
    co_defendants=(WU_DA_YONG,),
)
_ZS_NOTICE = JudgmentFact(
    doc_no="(2026)粤0604刑初123号执行通知书",
    doc_type="EXEC_NOTICE",
    title="执行通知书",
    issuer=COURT,
    case_no=_ZS_CASE_NO,
    issued_on=date(2026, 10, 9),
    effective_on=date(2026, 10, 8),
)
_ZS_CORRECTION = JudgmentFact(
    doc_no="(2026)粤0604刑初123号之一裁定书",
    doc_type="CORRECTION",
    title="更正裁定书",
    issuer=COURT,
    case_no=_ZS_CASE_NO,
    issued_on=date(2026, 10, 20),
    effective_on=date(2026, 10, 20),
    supersedes="(2026)粤0604刑初123号判决书",
)


def zhang_san_017() -> Person:
    return Person(
        id_no="440606199003070017",
        name="张三",
        sex="MALE",
        birth_date=date(1990, 3, 7),
        key="zhang-san-017",
        note="主线: 顺德迁往禅城, 缓刑24个月, 2026-10-08生效; 五类来源都有记录 / main path: Shunde to Chancheng, probation 24 months",
        hukou_admin="440606",
        hukou_address="广东省佛山市顺德区大良街道云路社区环市北路18号",
        phone="13800000017",
        residences=(
            ResidenceFact(
                reg_no="LG440604202610280017",
                admin="440604001",
                address="广东省佛山市禅城区祖庙街道福宁路36号之一502房",
                residence_type="WORK",
                registered_on=date(2026, 10, 28),
                landlord="黄伟强",
            ),
        ),
        police_address=PoliceAddress(
            admin="440604", address="广东省佛山市禅城区祖庙街道福宁路36号之一502房", since=date(2026, 10, 28)
        ),
        insurance=(
            *insured(FACTORY, FACTORY_NAME, date(2024, 12, 1), "2026-10", 22),
            InsuranceFact(
                unit_uscc=LOGISTICS,
                unit_name=LOGISTICS_NAME,
                kind="PENSION",
                status="ENDED",
                first_paid_on=date(2021, 3, 1),
                last_month="2024-11",
                months_paid_24=1,
            ),
        ),
        businesses=(BusinessFact(uscc=SHOP, name=SHOP_NAME, role="OPERATOR", est_on=date(2022, 5, 18), share=1.0),),
        cases=(
            _ZS_CASE,
            replace(
                _ZS_CASE,
                execution_admin="440606",
                agency="佛山市顺德区社区矫正管理局",
                office="大良司法所",
                state="TRANSFERRING",
                held_by=("SD",),
            ),
        ),
        judgments=(_ZS_JUDGMENT, _ZS_NOTICE, _ZS_CORRECTION),
    )


def wu_da_yong() -> Person:
    """Co-defendant in 张三's judgment: the same document names both, a reader of one never sees the other."""
    return Person(
        id_no=WU_DA_YONG.id_no,
        name=WU_DA_YONG.name,
        sex="MALE",
        birth_date=date(1984, 9, 9),
        key="wu-da-yong",
        note="张三案同案被告, 判决同一份, 不得互相泄露 / co-defendant in one judgment, must not leak",
        hukou_address="广东省佛山市禅城区石湾街道榴苑路7号",
        phone="13800000010",
        judgments=(replace(_ZS_JUDGMENT, probation_months=36, co_defendants=(ZHANG_SAN,)),),
        cases=(
            replace(
                _ZS_CASE,
                dxbh="4406042026100018",
                end_on=date(2029, 10, 7),
                penalty_months=20,
                level="STRICT",
                office="石湾司法所",
                held_by=("GDSJ",),
            ),
        ),
    )


def wang_xiao_ming() -> Person:
    case_no = "(2026)粤0604刑初88号"
    return Person(
        id_no="440604200909120036",
        name="王小明",
        sex="MALE",
        birth_date=date(2009, 9, 12),
        key="wang-xiao-ming",
        note="犯罪时16岁, 记录封存 / 16 at the offence, sealed",
        hukou_address="广东省佛山市禅城区张槎街道大富路5号",
        phone="13800000036",
        cases=(
            CaseFact(
                dxbh="4406042026080036",
                case_no=case_no,
                case_type="PROBATION",
                decision_doc_no=case_no + "判决书",
                effective_on=date(2026, 8, 14),
                start_on=date(2026, 8, 14),
                end_on=date(2027, 8, 13),
                crime_category="SOCIAL_ORDER",
                charge="寻衅滋事罪",
                penalty="CRIMINAL_DETENTION",
                penalty_months=5,
                prohibitions=("禁止进入网吧等营业性场所",),
                level="LENIENT",
                office="张槎司法所",
                minor_at_offence=True,
            ),
        ),
        judgments=(
            JudgmentFact(
                doc_no=case_no + "判决书",
                doc_type="JUDGMENT",
                title="刑事判决书",
                issuer=COURT,
                case_no=case_no,
                issued_on=date(2026, 8, 3),
                effective_on=date(2026, 8, 14),
                probation_months=12,
            ),
        ),
    )


def chen_ming() -> Person:
    case_no = "(2026)粤0604刑初77号"
    dxbh = "4406042026060015"
    return Person(
        id_no="430121198502200015",
        name="陈明",
        sex="MALE",
        birth_date=date(1985, 2, 20),
        key="chen-ming",
        note=(
            "居住冲突: 流管办禅城, 公安自10-20在南海; 社保无记录(平台零工)不等于失业 / residence CONFLICT: LGB Chancheng, "
            "police Nanhai since 10-20; gig worker, no insurance record"
        ),
        hukou_admin="430121",
        hukou_address="湖南省长沙市长沙县星沙街道开元路2号",
        phone="13800000015",
        residences=(
            ResidenceFact(
                reg_no="LG440604202503010015",
                admin="440604003",
                address="广东省佛山市禅城区南庄镇吉利村二街9号301",
                residence_type="WORK",
                registered_on=date(2025, 3, 1),
                permit_no="440604985022001",
                permit_valid_to=date(2026, 9, 30),
                landlord="罗桂芳",
            ),
        ),
        police_address=PoliceAddress(
            admin="440605", address="广东省佛山市南海区桂城街道海五路11号", since=date(2026, 10, 20)
        ),
        cases=(
            CaseFact(
                dxbh=dxbh,
                case_no=case_no,
                case_type="PROBATION",
                decision_doc_no=case_no + "判决书",
                effective_on=date(2026, 6, 15),
                start_on=date(2026, 6, 15),
                end_on=date(2027, 12, 14),
                crime_category="PUBLIC_SECURITY",
                charge="危险驾驶罪",
                penalty="CRIMINAL_DETENTION",
                penalty_months=4,
                add_penalties=("罚金",),
                prohibitions=("禁止饮酒后驾驶",),
                level="STRICT",
                office="南庄司法所",
            ),
        ),
        judgments=(
            JudgmentFact(
                doc_no=case_no + "判决书",
                doc_type="JUDGMENT",
                title="刑事判决书",
                issuer=COURT,
                case_no=case_no,
                issued_on=date(2026, 6, 3),
                effective_on=date(2026, 6, 15),
                probation_months=18,
            ),
        ),
        monitoring_orders=(
            MonitoringFact(
                order_no="禅社矫监〔2026〕7号",
                dxbh=dxbh,
                legal_ground=1,
                approved_by="佛山市禅城区司法局",
                from_on=date(2026, 7, 1),
                to_on=date(2026, 9, 30),
                device_id="860400000000015",
            ),
            MonitoringFact(
                order_no="禅社矫监〔2026〕19号",
                dxbh=dxbh,
                legal_ground=1,
                approved_by="佛山市禅城区司法局",
                from_on=date(2026, 10, 1),
                to_on=date(2026, 12, 31),
                renewal_of="禅社矫监〔2026〕7号",
                device_id="860400000000015",
            ),
        ),
    )


def mai_mai_ti() -> Person:
    """A name with a dot that every department writes with another character."""
    case_no = "(2026)粤0604刑初101号"
    return Person(
        id_no="653121199206010012",
        name="买买提·艾力",
        sex="MALE",
        birth_date=date(1992, 6, 1),
        key="mai-mai-ti",
        note="姓名间隔号各源不同: 公安U+00B7, 社保U+2022, 流管办'.' / the name's dot differs per source",
        ethnicity="05",
        hukou_admin="653121",
        hukou_address="新疆维吾尔自治区喀什地区疏附县托克扎克镇",
        phone="13800000012",
        written_as=(
            ("SB", "买买提•艾力"),
            ("LGB", "买买提.艾力"),
            ("GS", "买买提・艾力"),
            ("GDSJ", "买买提．艾力"),
        ),
        residences=(
            ResidenceFact(
                reg_no="LG440604202404150012",
                admin="440604002",
                address="广东省佛山市禅城区石湾镇街道惠景一街16号2座",
                residence_type="BUSINESS",
                registered_on=date(2024, 4, 15),
                permit_no="440604992060101",
                permit_valid_to=date(2027, 4, 14),
            ),
        ),
        police_address=PoliceAddress(
            admin="440604", address="广东省佛山市禅城区石湾镇街道惠景一街16号2座", since=date(2024, 4, 15)
        ),
        insurance=insured("91440604MA53K2LQ3N", "佛山市禅城区丝路餐饮有限公司", date(2025, 1, 1), "2026-09", 21),
        businesses=(
            BusinessFact(
                uscc="91440604MA53K2LQ3N",
                name="佛山市禅城区丝路餐饮有限公司",
                role="SHAREHOLDER",
                est_on=date(2019, 7, 2),
                share=0.4,
                abnormal=True,
            ),
        ),
        cases=(
            CaseFact(
                dxbh="4406042026070012",
                case_no=case_no,
                case_type="PUBLIC_SURVEILLANCE",
                decision_doc_no=case_no + "判决书",
                effective_on=date(2026, 7, 20),
                start_on=date(2026, 7, 20),
                end_on=date(2027, 7, 19),
                crime_category="PERSONAL_RIGHTS",
                charge="故意伤害罪",
                penalty="PUBLIC_SURVEILLANCE",
                penalty_months=12,
                level="BASIC",
                office="石湾司法所",
            ),
        ),
    )

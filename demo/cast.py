"""The test people of the brief (section 4c): all invented, each with the trap it is there for."""

from __future__ import annotations

from datetime import date
from functools import cache

from demo.cast_prison import liu_fang, zhao_qiang
from demo.cast_supervised import (
    FACTORY,
    FACTORY_NAME,
    chen_ming,
    insured,
    mai_mai_ti,
    wang_xiao_ming,
    wu_da_yong,
    zhang_san_017,
)
from demo.facts import AftercareFact, BusinessFact, CaseFact, InsuranceFact, Person, PoliceAddress, ResidenceFact


@cache
def cast() -> tuple[Person, ...]:
    """In the order of the brief; 张三 (017), the main path, first."""
    return (
        zhang_san_017(),
        _zhang_san_033(),
        _li_mei(),
        _zhou_kai(),
        wang_xiao_ming(),
        chen_ming(),
        zhao_qiang(),
        _li_yan(),
        mai_mai_ti(),
        liu_fang(),
        _bad_date(),
        wu_da_yong(),
    )


def _zhang_san_033() -> Person:
    """The other 张三: everything he has must stay out of 017's view."""
    return Person(
        id_no="440606199003070033",
        name="张三",
        sex="MALE",
        birth_date=date(1990, 3, 7),
        key="zhang-san-033",
        note="同名同生日的另一人, 不得混入017 / another man, same name and birth date; must never show in 017's view",
        hukou_admin="440606",
        hukou_address="广东省佛山市顺德区容桂街道桂洲大道中33号",
        phone="13800000033",
        police_address=PoliceAddress(
            admin="440606", address="广东省佛山市顺德区容桂街道桂洲大道中33号", since=date(2012, 6, 1)
        ),
        insurance=insured("91440605MA51UCYN8C", "佛山市南海区华盛铝业有限公司", date(2019, 5, 1), "2026-10", 24),
        businesses=(
            BusinessFact(
                uscc="91440606MA4W8F6D1M",
                name="佛山市顺德区顺达物流有限公司",
                role="LEGAL_REPRESENTATIVE",
                est_on=date(2016, 11, 9),
                share=0.7,
            ),
            BusinessFact(
                uscc="92440604MA5HJ7PR49",
                name="佛山市禅城区张三便利店",
                role="OPERATOR",
                est_on=date(2020, 8, 8),
                share=1.0,
                without_id=True,
            ),
        ),
    )


def _li_mei() -> Person:
    return Person(
        id_no="44060419910518002X",
        name="李梅",
        sex="FEMALE",
        birth_date=date(1991, 5, 18),
        key="li-mei",
        note="周凯(工作人员)的前妻, 未受监管: 查她应触发内部预警 / officer Zhou Kai's ex-wife, not supervised",
        hukou_address="广东省佛山市禅城区祖庙街道同济路80号",
        phone="13800000002",
        police_address=PoliceAddress(
            admin="440604", address="广东省佛山市禅城区祖庙街道同济路80号", since=date(2018, 2, 1)
        ),
        insurance=insured(FACTORY, FACTORY_NAME, date(2017, 9, 1), "2026-10", 24),
    )


def _zhou_kai() -> Person:
    return Person(
        id_no="440604198604040051",
        name="周凯",
        sex="MALE",
        birth_date=date(1986, 4, 4),
        key="zhou-kai",
        note="司法所工作人员, 李梅的前夫 / an officer, Li Mei's former husband",
        hukou_address="广东省佛山市禅城区祖庙街道同济路80号",
        phone="13800000051",
        insurance=insured("114406040070555557", "佛山市禅城区司法局", date(2010, 8, 1), "2026-10", 24),
    )


def _li_yan() -> Person:
    """Discharged in 2021; the two aftercare registers disagree on the end date; a character outside GBK."""
    case_no = "(2019)粤0605刑初41号"
    return Person(
        id_no="440605198808150048",
        name="李䶮",
        sex="FEMALE",
        birth_date=date(1988, 8, 15),
        key="li-yan",
        note=(
            "2021-11-20解矫, 佛山帮教至2026-11-20(五年), 全国至2024-11-20(三年); 社保只写得出'李?' / discharged, aftercare "
            "registers differ; SB can only write '李?'"
        ),
        hukou_admin="440605",
        hukou_address="广东省佛山市南海区狮山镇桃园路9号",
        phone="13800000048",
        written_as=(("SB", "李?"), ("JY", "李?")),
        residences=(
            ResidenceFact(
                reg_no="LG440604202201100048",
                admin="440604001",
                address="广东省佛山市禅城区祖庙街道亲仁路3号401",
                residence_type="OTHER",
                registered_on=date(2022, 1, 10),
                left_on=date(2025, 6, 30),
            ),
        ),
        insurance=(
            InsuranceFact(
                unit_uscc=FACTORY,
                unit_name=FACTORY_NAME,
                kind="PENSION",
                status="SUSPENDED",
                first_paid_on=date(2022, 3, 1),
                last_month="2026-06",
                months_paid_24=20,
            ),
        ),
        cases=(
            CaseFact(
                dxbh="4406052019110048",
                case_no=case_no,
                case_type="PROBATION",
                decision_doc_no=case_no + "判决书",
                effective_on=date(2019, 11, 21),
                start_on=date(2019, 11, 21),
                end_on=date(2021, 11, 20),
                crime_category="CORRUPTION",
                charge="受贿罪",
                penalty="FIXED_TERM",
                penalty_months=12,
                level="LENIENT",
                state="AFTERCARE",
            ),
        ),
        aftercare_fs=AftercareFact(
            reg_no="FS-AZ-2021-0048",
            released_on=date(2021, 11, 20),
            start_on=date(2021, 11, 20),
            until_on=date(2026, 11, 20),
            unit="禅城区司法局安置帮教办",
            help_items=("就业指导", "技能培训, 家政"),
            visits=(date(2022, 2, 20), date(2023, 2, 18), date(2025, 11, 3)),
            employment="EMPLOYED",
            remark="表现良好, 已就业",
        ),
        aftercare_n=AftercareFact(
            reg_no="N4406042021110048",
            released_on=date(2021, 11, 20),
            start_on=date(2021, 11, 20),
            until_on=date(2024, 11, 20),
            unit="佛山市禅城区",
            help_items=("就业指导",),
            employment="UNEMPLOYED",
        ),
    )


def _bad_date() -> Person:
    """A number with a right check digit and an impossible date; only LGB holds it."""
    return Person(
        id_no="440604199002300017",
        name="何志远",
        sex="MALE",
        birth_date=None,
        key="bad-date",
        note="号码校验位正确但日期为2月30日, 仅流管办有 / right check digit, 30 February; only LGB holds it",
        in_population=False,
        residences=(
            ResidenceFact(
                reg_no="LG440604202505060230",
                admin="440604004",
                address="广东省佛山市禅城区张槎街道轻工路28号宿舍",
                residence_type="WORK",
                registered_on=date(2025, 5, 6),
            ),
        ),
    )

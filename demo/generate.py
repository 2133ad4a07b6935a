"""A crowd for the departments: invented, deterministic by seed, ID and USCC check digits right."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from stdnum.cn import uscc as uscc_digits
from stdnum.iso7064 import mod_11_2

from demo.facts import (
    AftercareFact,
    BusinessFact,
    CaseFact,
    HandoverFact,
    InsuranceFact,
    JudgmentFact,
    MonitoringFact,
    Person,
    PoliceAddress,
    ResidenceFact,
)
from demo.wordlists import (
    CHARGES,
    COUNTIES,
    GIVEN_FEMALE,
    GIVEN_MALE,
    OFFICES,
    PRISONS,
    PROHIBITIONS,
    ROADS,
    SURNAMES,
    TRADES,
)

TODAY = date(2026, 11, 1)
"""The day the crowd is drawn for; facts do not move with the wall clock, so that a seed is a seed."""

ANOTHER_DISTRICT = {"440605": "佛山市南海区", "440606": "佛山市顺德区"}


def generated(seed: int, count: int = 1000) -> tuple[Person, ...]:
    """`count` people aged 18 to 80: about 70 % under supervision, 15 % in aftercare, the rest just inhabitants."""
    draw = Random(seed)
    units = tuple(_unit(draw) for _ in range(40))
    taken: set[str] = set()
    return tuple(_person(draw, number, units, taken) for number in range(1, count + 1))


def _unit(draw: Random) -> tuple[str, str]:
    base = "91440604MA" + "".join(draw.choice("0123456789ABCDEFGHJKLMNPQRTUWXY") for _ in range(7))
    return base + uscc_digits.calc_check_digit(base), f"佛山市禅城区{_word(draw)}{draw.choice(TRADES)}有限公司"


def _word(draw: Random) -> str:
    return draw.choice("华盛恒达兴隆永新利安嘉泰") + draw.choice("丰源通和顺康美成宏茂")


def _id_no(draw: Random, county: str, birth: date, male: bool, taken: set[str]) -> str:
    while True:
        order = draw.randrange(1, 499) * 2 + (1 if male else 0)
        base = f"{county}{birth:%Y%m%d}{order:03d}"
        number = base + mod_11_2.calc_check_digit(base)
        if number not in taken:
            taken.add(number)
            return number


def _address(draw: Random, town: str = "") -> str:
    place = town or draw.choice(tuple(OFFICES))
    return f"广东省佛山市禅城区{place}{draw.choice(ROADS)}{draw.randrange(1, 200)}号{draw.randrange(101, 1604)}房"


def _person(draw: Random, number: int, units: tuple[tuple[str, str], ...], taken: set[str]) -> Person:
    male = draw.random() < 0.82
    birth = TODAY - timedelta(days=draw.randrange(18 * 366, 80 * 365))
    county, county_name = draw.choice(COUNTIES) if draw.random() < 0.45 else ("440604", "广东省佛山市禅城区")
    id_no = _id_no(draw, county, birth, male, taken)
    name = draw.choice(SURNAMES) + draw.choice(GIVEN_MALE if male else GIVEN_FEMALE)
    fate = draw.random()
    supervised, aftercare = fate < 0.70, 0.70 <= fate < 0.85
    town = draw.choice(tuple(OFFICES))
    address = _address(draw, town)
    migrant = county != "440604"
    case = _case(draw, number, town, ended=aftercare) if supervised or aftercare else None
    handover = _handover(draw, number, id_no, birth, case) if case and case.case_type == "PAROLE" else None
    fs, national = _aftercare(draw, number, case) if case and aftercare else (None, None)
    return Person(
        id_no=id_no,
        name=name,
        sex="MALE" if male else "FEMALE",
        birth_date=birth,
        key=f"g{number:04d}",
        note="",
        ethnicity="01" if draw.random() < 0.94 else draw.choice(("03", "05", "08", "10")),
        hukou_admin=county,
        hukou_address=f"{county_name}{draw.choice(ROADS)}{draw.randrange(1, 200)}号",
        phone=f"139{draw.randrange(10**8):08d}",
        residences=(_residence(draw, number, town, address),) if migrant else (),
        police_address=_police(draw, address) if not migrant or draw.random() < 0.6 else None,
        insurance=_insurance(draw, units) if draw.random() < 0.55 and birth.year > 1962 else (),
        businesses=_businesses(draw, name, units) if draw.random() < 0.12 else (),
        cases=(case,) if case else (),
        judgments=_judgments(case) if case and draw.random() < 0.9 else (),
        monitoring_orders=_monitoring(draw, number, case) if case and supervised and draw.random() < 0.06 else (),
        aftercare_fs=fs,
        aftercare_n=national,
        handover=handover,
    )


def _residence(draw: Random, number: int, town: str, address: str) -> ResidenceFact:
    registered = TODAY - timedelta(days=draw.randrange(30, 1800))
    stayed = (TODAY - registered).days
    left = registered + timedelta(days=draw.randrange(20, stayed)) if draw.random() < 0.15 else None
    permit = stayed > 183 and draw.random() < 0.7
    return ResidenceFact(
        reg_no=f"LG440604{registered:%Y%m%d}{number:04d}",
        admin="440604" + OFFICES[town][1],
        address=address,
        residence_type=draw.choices(("WORK", "BUSINESS", "STUDY", "OTHER"), (70, 15, 5, 10))[0],
        registered_on=registered,
        left_on=left,
        permit_no=f"4406041{draw.randrange(10**8):08d}" if permit else None,
        permit_valid_to=TODAY + timedelta(days=draw.randrange(-200, 365)) if permit else None,
        landlord=draw.choice(SURNAMES) + draw.choice(GIVEN_MALE),
    )


def _police(draw: Random, address: str) -> PoliceAddress:
    since = TODAY - timedelta(days=draw.randrange(10, 5000))
    if draw.random() < 0.04:  # the police know another district: a conflict with whoever says Chancheng
        admin, name = draw.choice(sorted(ANOTHER_DISTRICT.items()))
        return PoliceAddress(
            admin=admin, address=f"广东省{name}{draw.choice(ROADS)}{draw.randrange(1, 99)}号", since=since
        )
    return PoliceAddress(admin="440604", address=address, since=since)


def _insurance(draw: Random, units: tuple[tuple[str, str], ...]) -> tuple[InsuranceFact, ...]:
    uscc, unit_name = draw.choice(units)
    first = date(draw.randrange(2010, 2026), draw.randrange(1, 13), 1)
    status = draw.choices(("ACTIVE", "SUSPENDED", "ENDED"), (75, 15, 10))[0]
    last = "2026-10" if status == "ACTIVE" else f"2026-{draw.randrange(1, 8):02d}"
    months = draw.randrange(14, 25) if status == "ACTIVE" else draw.randrange(0, 18)
    return tuple(
        InsuranceFact(
            unit_uscc=uscc,
            unit_name=unit_name,
            kind=kind,
            status=status,
            first_paid_on=first,
            last_month=last,
            months_paid_24=months,
        )
        for kind in ("PENSION", "UNEMPLOYMENT", "MEDICAL", "WORK_INJURY", "MATERNITY")[: draw.randrange(2, 6)]
    )


def _businesses(draw: Random, name: str, units: tuple[tuple[str, str], ...]) -> tuple[BusinessFact, ...]:
    uscc, unit_name = draw.choice(units)
    established = date(draw.randrange(2005, 2026), draw.randrange(1, 13), draw.randrange(1, 28))
    role = draw.choice(("LEGAL_REPRESENTATIVE", "SHAREHOLDER", "EXECUTIVE"))
    return (
        BusinessFact(
            uscc=uscc,
            name=unit_name,
            role=role,
            status=draw.choices(("OPERATING", "REVOKED", "DEREGISTERED"), (80, 8, 12))[0],
            est_on=established,
            share=None if role == "EXECUTIVE" else draw.randrange(5, 100) / 100,
            abnormal=draw.random() < 0.07,
            without_id=draw.random() < 0.1,
        ),
    )


def _case(draw: Random, number: int, town: str, *, ended: bool) -> CaseFact:
    kind = draw.choices(
        ("PROBATION", "PAROLE", "PUBLIC_SURVEILLANCE", "TEMPORARY_SERVICE_OUTSIDE_PRISON"), (86, 8, 3, 3)
    )[0]
    months = draw.choice((6, 12, 18, 24, 36))
    if ended:
        end = TODAY - timedelta(days=draw.randrange(5, 1400))
        start = end - timedelta(days=months * 30)
    else:
        start = TODAY - timedelta(days=draw.randrange(1, months * 30))
        end = start + timedelta(days=months * 30)
    category, charge = draw.choice(CHARGES)
    case_no = f"({start.year})粤0604刑初{5000 + number}号"
    return CaseFact(
        dxbh=f"440604{start:%Y%m}{number:04d}G",
        case_no=case_no,
        case_type=kind,
        deciding_organ="PRISON_ADMINISTRATION" if kind.startswith("TEMPORARY") else "COURT",
        decision_doc_no=f"{case_no}{'裁定书' if kind == 'PAROLE' else '判决书'}",
        effective_on=start,
        start_on=start,
        end_on=end,
        crime_category=category,
        charge=charge,
        penalty="PUBLIC_SURVEILLANCE"
        if kind == "PUBLIC_SURVEILLANCE"
        else draw.choice(("FIXED_TERM", "CRIMINAL_DETENTION")),
        penalty_months=draw.randrange(3, 37),
        add_penalties=("罚金",) if draw.random() < 0.5 else (),
        prohibitions=(draw.choice(PROHIBITIONS),) if draw.random() < 0.1 else (),
        level=draw.choices(("BASIC", "LENIENT", "ORDINARY", "STRICT", None), (10, 20, 50, 15, 5))[0],
        office=OFFICES[town][0],
        state="AFTERCARE"
        if ended
        else draw.choices(("SUPERVISED", "ENROLLED", "ON_LEAVE", "OUT_OF_CONTACT"), (88, 6, 4, 2))[0],
    )


def _judgments(case: CaseFact) -> tuple[JudgmentFact, ...]:
    ruling = case.case_type == "PAROLE"
    return (
        JudgmentFact(
            doc_no=case.decision_doc_no,
            doc_type="RULING" if ruling else "JUDGMENT",
            title="假释裁定书" if ruling else "刑事判决书",
            issuer="佛山市中级人民法院" if ruling else "佛山市禅城区人民法院",
            case_no=case.case_no,
            issued_on=case.effective_on - timedelta(days=11),
            effective_on=case.effective_on,
            probation_months=round((case.end_on - case.start_on).days / 30) if case.case_type == "PROBATION" else None,
        ),
    )


def _monitoring(draw: Random, number: int, case: CaseFact) -> tuple[MonitoringFact, ...]:
    begin = max(case.start_on, TODAY - timedelta(days=draw.randrange(1, 80)))
    return (
        MonitoringFact(
            order_no=f"禅社矫监〔2026〕{1000 + number}号",
            dxbh=case.dxbh,
            legal_ground=draw.randrange(1, 6),
            approved_by="佛山市禅城区司法局",
            from_on=begin,
            to_on=begin + timedelta(days=draw.choice((30, 60, 89))),
            device_id=f"8604{number:011d}",
            lifted_at=begin + timedelta(days=20) if draw.random() < 0.2 else None,
        ),
    )


def _aftercare(draw: Random, number: int, case: CaseFact) -> tuple[AftercareFact, AftercareFact | None]:
    def register(reg_no: str, years: int) -> AftercareFact:
        end = case.end_on
        until = date(end.year + years, end.month, min(end.day, 28))
        return AftercareFact(
            reg_no=reg_no,
            released_on=end,
            start_on=end,
            until_on=until,
            unit="禅城区司法局安置帮教办",
            help_items=tuple(draw.sample(("就业指导", "技能培训", "临时救助", "心理疏导"), draw.randrange(0, 3))),
            employment=draw.choice(("EMPLOYED", "UNEMPLOYED", "STUDYING", None)),
            remark=draw.choice(("", "表现良好, 按时报到", "家庭困难")),
        )

    years = draw.choice((3, 5))
    fs = register(f"FS-AZ-{case.end_on.year}-{number:04d}", years)
    if draw.random() < 0.25:
        return fs, None
    return fs, register(f"N440604{case.end_on:%Y%m}{number:04d}", years if draw.random() < 0.8 else 8 - years)


def _handover(draw: Random, number: int, id_no: str, birth: date, case: CaseFact) -> HandoverFact:
    old = birth.year < 1970 and draw.random() < 0.5
    on = case.effective_on
    return HandoverFact(
        prison_no=f"44{on.year}{number:04d}",
        prison=draw.choice(PRISONS),
        id_as_written=id_no[:6] + id_no[8:17] if old else id_no,
        decided_on=on,
        decision_doc_no=case.decision_doc_no,
        case_no=case.case_no,
        case_type=case.case_type,
        start_on=case.start_on,
        end_on=case.end_on,
        term_text=f"{max(1, (case.end_on - case.start_on).days // 30)}个月",
        charge=case.charge,
        crime_category=case.crime_category,
        decided_on_as_written=draw.choice((f"{on.year}/{on.month}/{on.day}", f"{on:%Y%m%d}")),
    )

"""The invented people: right check digits, the same in every process, every story of the brief there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date

import pytest
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2

from demo.people import Person, cast, everyone, generated, register

BRIEF = {
    "440606199003070017": "张三",
    "440606199003070033": "张三",
    "44060419910518002X": "李梅",
    "440604198604040051": "周凯",
    "440604200909120036": "王小明",
    "430121198502200015": "陈明",
    "440604196501010010": "赵强",
    "440605198808150048": "李䶮",
    "653121199206010012": "买买提·艾力",
    "440604199303030065": "刘芳",
}


def test_every_test_person_of_the_brief_is_there() -> None:
    people = {person.id_no: person.name for person in cast()}
    assert BRIEF.items() <= people.items()
    assert "440604199002300017" in people


@pytest.mark.parametrize("seed", [1, 2, 4711])
def test_check_digits_and_birth_dates_are_right(seed: int) -> None:
    for person in everyone(seed):
        assert mod_11_2.is_valid(person.id_no), person.key
        if person.birth_date is not None:
            assert person.id_no[6:14] == f"{person.birth_date:%Y%m%d}"
            assert (int(person.id_no[16]) % 2 == 1) == (person.sex == "MALE"), person.key
        for code in {b.uscc for b in person.businesses} | {i.unit_uscc for i in person.insurance}:
            assert uscc.is_valid(code), person.key


def test_only_the_bad_date_has_no_birth_date_and_one_holder() -> None:
    (bad,) = [person for person in everyone(1) if person.birth_date is None]
    assert bad.id_no == "440604199002300017"
    assert not bad.in_population
    assert bad.residences
    assert not any((bad.insurance, bad.businesses, bad.cases, bad.judgments, bad.police_address))


def test_generated_people_are_adults_up_to_eighty() -> None:
    for person in generated(1):
        assert person.birth_date is not None
        assert 18 <= (date(2026, 11, 1) - person.birth_date).days / 365.25 <= 80.1


def test_no_number_twice() -> None:
    numbers = [person.id_no for person in everyone(1)]
    assert len(numbers) == len(set(numbers)) == len(cast()) + 1000
    dxbh = [case.dxbh for person in everyone(1) for case in person.cases if "GDSJ" in case.held_by]
    assert len(dxbh) == len(set(dxbh))


def test_another_process_draws_the_same_crowd() -> None:
    code = "from demo.people import everyone; import hashlib; print(hashlib.sha256(repr(everyone(7)).encode()).hexdigest())"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True
        ).stdout
        for salt in ("0", "1")
    }
    assert len(seen) == 1
    assert generated(7) != generated(8)


def test_the_crowd_is_spread_like_a_district() -> None:
    crowd = generated(1)

    def part(of: Callable[[Person], object]) -> float:
        return sum(1 for person in crowd if of(person)) / len(crowd)

    assert 0.4 < part(lambda p: p.insurance) < 0.65
    assert 0.05 < part(lambda p: p.businesses) < 0.2
    assert 0.6 < part(lambda p: any(c.state != "AFTERCARE" for c in p.cases)) < 0.8
    assert 0.1 < part(lambda p: p.aftercare_fs) < 0.2
    assert 0.02 < part(lambda p: p.handover) < 0.15
    assert 0.01 < part(lambda p: p.monitoring_orders) < 0.1


def test_monitoring_orders_last_three_months_at_most() -> None:
    for person in everyone(1):
        for order in person.monitoring_orders:
            assert 0 < (order.to_on - order.from_on).days <= 92
            assert 1 <= order.legal_ground <= 5
            assert order.dxbh in {case.dxbh for case in person.cases}


def _who(key: str) -> Person:
    return register(1).by_key(key)


def test_the_main_path_has_something_at_every_department() -> None:
    person = _who("zhang-san-017")
    assert person.residences
    assert person.police_address is not None
    assert person.insurance
    assert person.businesses
    assert person.judgments
    assert {source for case in person.cases for source in case.held_by} == {"GDSJ", "SD"}
    case = person.cases[0]
    assert (case.case_type, case.effective_on, person.judgments[0].probation_months) == (
        "PROBATION",
        date(2026, 10, 8),
        24,
    )
    assert person.residences[0].address == person.police_address.address, "no conflict on the main path"


def test_the_homonym_shares_name_and_birth_date_and_nothing_else() -> None:
    one, other = _who("zhang-san-017"), _who("zhang-san-033")
    assert (one.name, one.birth_date) == (other.name, other.birth_date)
    assert one.id_no != other.id_no
    assert any(business.without_id for business in other.businesses)
    assert not {b.uscc for b in one.businesses} & {b.uscc for b in other.businesses}


def test_the_co_defendants_share_one_document() -> None:
    one, other = _who("zhang-san-017"), _who("wu-da-yong")
    assert one.judgments[0].doc_no == other.judgments[0].doc_no
    assert one.judgments[0].co_defendants[0].id_no == other.id_no
    assert other.judgments[0].co_defendants[0].id_no == one.id_no
    assert any(judgment.supersedes for judgment in one.judgments)


def test_the_traps_are_set() -> None:
    chen = _who("chen-ming")
    assert chen.police_address is not None
    assert chen.police_address.admin == "440605"
    assert chen.residences[0].admin.startswith("440604")
    zhao = _who("zhao-qiang")
    assert zhao.handover is not None
    assert zhao.handover.id_as_written == zhao.id15 == "440604650101001"
    assert register(1).by_id("440604650101001") is zhao
    fang = _who("liu-fang")
    assert fang.handover is not None
    assert fang.handover.decided_on_as_written == "0000-00-00"
    assert fang.cases[0].case_type == "TEMPORARY_SERVICE_OUTSIDE_PRISON"
    yan = _who("li-yan")
    assert yan.aftercare_fs is not None
    assert yan.aftercare_n is not None
    assert (yan.aftercare_fs.until_on, yan.aftercare_n.until_on) == (date(2026, 11, 20), date(2024, 11, 20))
    assert yan.name == "李\u4dae"
    assert _who("wang-xiao-ming").cases[0].minor_at_offence
    dots = {_who("mai-mai-ti").name_at(code) for code in ("GA_POP", "SB", "LGB", "GS", "GDSJ")}
    assert len(dots) == 5


def test_lookups_by_name_case_and_business() -> None:
    people = register(1)
    assert {person.key for person in people.by_name("张三")} == {"zhang-san-017", "zhang-san-033"}
    assert {person.key for person in people.by_case_no("(2026)粤0604刑初123号")} == {"zhang-san-017", "wu-da-yong"}
    assert {person.key for person in people.by_uscc("92440604MA4UTEXT17")} == {"zhang-san-017"}
    assert people.by_id("440606199003070099") is None

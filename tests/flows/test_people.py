"""The test people of the brief, each with the trap it stands for, asked through the whole house."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo.people import register
from demo.queries import RECEPTION
from tests.flows.house import House
from tests.flows.questions import flags, key_of, person
from tests.flows.town import COUNT, SEED, Town

pytestmark = pytest.mark.anyio

PEOPLE = register(SEED, COUNT)
PARTS_SEEN = "records { source quality { field flag } } review { source nameMasked quality { field flag } }"


async def reception(gateway: House, key: dict[str, str]) -> dict[str, Any]:
    return dict((await gateway.data(RECEPTION, key))["person"])


async def test_two_of_one_name_and_birthday_share_nothing(town: Town, gateway: House) -> None:
    """Not a number, not an address, not a firm of the other anywhere in the answer, in either direction."""
    answers = {}
    for handle in ("zhang-san-017", "zhang-san-033"):
        answers[handle] = json.dumps(await reception(gateway, key_of(handle)), ensure_ascii=False)
    for mine, other in (("zhang-san-017", "zhang-san-033"), ("zhang-san-033", "zhang-san-017")):
        they = PEOPLE.by_key(other)
        secret = {they.id_no, they.hukou_address, they.phone}
        secret |= {fact.unit_name for fact in they.insurance} | {fact.uscc for fact in they.businesses}
        secret |= {fact.address for fact in they.residences} | {case.case_no for case in they.cases}
        # Both once worked for the same haulier, one of them owns it: what is one's own is no leak.
        own = PEOPLE.by_key(mine)
        secret -= {fact.unit_name for fact in own.insurance} | {fact.name for fact in own.businesses}
        assert not [text for text in secret if text in answers[mine]], mine
    assert json.loads(answers["zhang-san-017"])["pid"] != json.loads(answers["zhang-san-033"])["pid"]


async def test_a_shop_registered_by_name_alone_is_for_a_human_to_decide(town: Town, gateway: House) -> None:
    """GS holds 张三便利店 without an ID; it may be anybody's of that name, so it is shown to none of them."""
    ask = person(
        "business { state records { name } best { name } review { source nameMasked quality { field flag } } }"
    )
    for handle, own in (
        ("zhang-san-017", ["佛山市禅城区三记五金店"]),
        ("zhang-san-033", ["佛山市顺德区顺达物流有限公司"]),
    ):
        part = (await gateway.data(ask, key_of(handle)))["person"]["business"]
        assert [record["name"] for record in part["records"]] == own
        assert [(one["source"], one["nameMasked"]) for one in part["review"]] == [("GS", "张*")]
        assert "便利店" not in json.dumps(part, ensure_ascii=False)


async def test_a_sealed_juvenile_case_says_that_he_was_a_minor(town: Town, gateway: House) -> None:
    found = await reception(gateway, key_of("wang-xiao-ming"))
    (case,) = found["cases"]["records"]
    assert case["minorAtOffence"] is True
    assert case["prohibitions"] == ["禁止进入网吧等营业性场所"]
    assert found["insurance"]["state"] == "NOT_FOUND"


async def test_two_residences_in_conflict_both_stand_and_the_police_lead(town: Town, gateway: House) -> None:
    ask = person(
        "residence { state source quality { field flag } best { source address } "
        "records { source admin address } conflicts { field values { value source rank asOf } } } insurance { state }"
    )
    found = (await gateway.data(ask, key_of("chen-ming")))["person"]
    part = found["residence"]
    (conflict,) = part["conflicts"]
    assert conflict["field"] == "admin"
    assert [(v["value"], v["source"], v["rank"]) for v in conflict["values"]] == [
        ("440605", "GA_POP", 10),
        ("440604", "LGB", 20),
    ]
    assert all(value["asOf"] for value in conflict["values"])
    assert ("admin", "CONFLICT") in flags(part["quality"])
    assert (part["state"], part["source"], part["best"]["source"]) == ("FRESH", "GA_POP", "GA_POP")
    assert part["best"]["address"] == "广东省佛山市南海区桂城街道海五路11号"
    assert {record["source"] for record in part["records"]} == {"GA_POP", "LGB"}, "the loser is not dropped"
    assert found["insurance"]["state"] == "NOT_FOUND", "no insurance record: said so, and nothing about his work"


async def test_monitoring_orders_and_their_renewal(town: Town, gateway: House) -> None:
    ask = person("monitoringOrders { state records { orderNo legalGround from to renewalOf } best { orderNo } }")
    part = (await gateway.data(ask, key_of("chen-ming")))["person"]["monitoringOrders"]
    assert part["best"]["orderNo"] == "禅社矫监〔2026〕19号"
    assert [record["renewalOf"] for record in sorted(part["records"], key=lambda r: r["from"])] == [
        None,
        "禅社矫监〔2026〕7号",
    ]


async def test_an_old_number_and_a_new_one_are_one_person(town: Town, gateway: House) -> None:
    """The prison and the province hold 15 digits; the reader may ask by either."""
    by_new = await reception(gateway, {"idNo": "440604196501010010", "name": "赵强"})
    by_old = await reception(gateway, {"idNo": "440604650101001", "name": "赵强"})
    assert by_old["pid"] == by_new["pid"]
    for found in (by_new, by_old):
        assert found["identity"]["state"] == "FRESH"
        prison = next(record for record in found["cases"]["records"] if record["source"] == "JY")
        assert prison["type"] == "PAROLE"
        assert "ID_15" in {flag for _, flag in flags(prison["quality"])}
        province = next(record for record in found["cases"]["records"] if record["source"] == "GDSJ")
        assert "ID_15" in {flag for _, flag in flags(province["quality"])}
        assert [d["docType"] for d in found["documents"]["records"]] == ["RULING"]
        assert {o["orderNo"] for o in found["monitoringOrders"]["records"]} == {"禅社矫监〔2026〕3号"}
    assert "440604650101001" not in json.dumps(by_old, ensure_ascii=False)


async def test_a_rare_character_arrives_and_a_question_mark_is_not_it(town: Town, gateway: House) -> None:
    found = await reception(gateway, key_of("li-yan"))
    assert [record["name"] for record in found["identity"]["records"]] == ["李䶮"]
    assert [record["source"] for record in found["residence"]["records"]] == ["LGB"]
    assert {record["source"] for record in found["aftercare"]["records"]} == {"AZBJ_FS", "AZBJ_N"}, "through GB18030"
    ends = {c["field"]: [(v["source"], v["value"]) for v in c["values"]] for c in found["aftercare"]["conflicts"]}
    assert ends == {"untilOn": [("AZBJ_N", "2024-11-20"), ("AZBJ_FS", "2026-11-20")]}

    part = (await gateway.data(person(f"insurance {{ state {PARTS_SEEN} }}"), key_of("li-yan")))["person"]["insurance"]
    assert (part["state"], part["records"]) == ("PARTIAL", [])
    (candidate,) = {(one["source"], one["nameMasked"]) for one in part["review"]}
    assert candidate == ("SB", "李*")
    assert all(("ENCODING_REPAIRED" in {flag for _, flag in flags(one["quality"])}) for one in part["review"])


@pytest.mark.parametrize("dot", ["\u00b7", "\u2022", ".", "\u30fb", "\uff0e", "\u2027"])
async def test_a_dot_is_a_dot_however_it_is_written(town: Town, gateway: House, dot: str) -> None:
    """In the question as in the sources, each of which has a dot of its own: none of theirs is the register's."""
    ask = person(
        "identity { state records { name quality { field flag } } } "
        f"residence {{ state sources {{ source state }} {PARTS_SEEN} }} insurance {{ state {PARTS_SEEN} }} "
        f"business {{ state {PARTS_SEEN} }} cases {{ state sources {{ source state }} {PARTS_SEEN} }}"
    )
    found = (await gateway.data(ask, {"idNo": "653121199206010012", "name": f"买买提{dot}艾力"}))["person"]
    for part, code in (("residence", "LGB"), ("insurance", "SB"), ("business", "GS"), ("cases", "GDSJ")):
        assert found[part]["review"] == [], part
        records = [record for record in found[part]["records"] if record["source"] == code]
        assert records, part
        for record in records:
            assert "NAME_VARIANT" in {flag for _, flag in flags(record["quality"])}, part
    assert found["identity"]["state"] == "FRESH", "the police know one dot only, and are asked with that one"
    assert found["identity"]["records"] == [{"name": "买买提·艾力", "quality": []}]


@pytest.mark.parametrize(
    ("id_no", "name", "handle"),
    [
        ("44060419910518002x", "李梅", "li-mei"),
        ("４４０６０４１９９１０５１８００２Ｘ", "李梅", "li-mei"),
        (" 430121 19850220 0015 ", " 陈明 ", "chen-ming"),
        ("430121198502200015", "陳明", "chen-ming"),
    ],
)
async def test_another_way_to_write_a_number_or_a_name_is_no_other_person(
    town: Town, gateway: House, id_no: str, name: str, handle: str
) -> None:
    plain = await reception(gateway, key_of(handle))
    found = await reception(gateway, {"idNo": id_no, "name": name})
    assert found["pid"] == plain["pid"]
    assert {part: found[part]["state"] for part in found if part != "pid"} == {
        part: plain[part]["state"] for part in plain if part != "pid"
    }


async def test_a_date_of_zeros_is_no_date(town: Town, gateway: House) -> None:
    found = await reception(gateway, key_of("liu-fang"))
    prison = next(record for record in found["cases"]["records"] if record["source"] == "JY")
    assert prison["effectiveOn"] is None, "nothing was entered there; nothing is guessed either"
    assert prison["startOn"] == "2026-09-03"
    assert prison["type"] == "TEMPORARY_SERVICE_OUTSIDE_PRISON"


async def test_a_number_with_an_impossible_date_is_answered_with_a_doubt(town: Town, gateway: House) -> None:
    found = await reception(gateway, key_of("bad-date"))
    assert found["identity"]["state"] == "NOT_FOUND"
    (record,) = found["residence"]["records"]
    assert record["address"] == "广东省佛山市禅城区张槎街道轻工路28号宿舍"
    assert "DATE_BAD" in {flag for _, flag in flags(record["quality"])}


async def test_another_name_on_the_number_is_shown_masked_and_never_linked(town: Town, gateway: House) -> None:
    ask = person(
        " ".join(
            f"{part} {{ state {PARTS_SEEN} best {{ source }} }}"
            for part in ("residence", "insurance", "business", "cases")
        )
        + " identity { state records { name } } documents { state records { title } }"
    )
    found = (await gateway.data(ask, {"idNo": "440606199003070017", "name": "李四"}))["person"]
    for part, code in (("residence", "LGB"), ("insurance", "SB"), ("business", "GS"), ("cases", "GDSJ")):
        assert found[part]["records"] == [], part
        assert found[part]["best"] is None
        assert found[part]["state"] == "PARTIAL", part
        assert (code, "张*") in {(one["source"], one["nameMasked"]) for one in found[part]["review"]}, part
    told = json.dumps(found, ensure_ascii=False)
    for secret in ("张三", "福宁路", "明达", "三记", "盗窃"):
        assert secret not in told


async def test_a_co_defendant_never_appears(town: Town, gateway: House) -> None:
    zhang, wu = [await reception(gateway, key_of(handle)) for handle in ("zhang-san-017", "wu-da-yong")]
    assert {d["docNo"] for d in wu["documents"]["records"]} == {"(2026)粤0604刑初123号判决书"}
    assert len(zhang["documents"]["records"]) == 3
    for found, other in ((zhang, "wu-da-yong"), (wu, "zhang-san-017")):
        told = json.dumps(found, ensure_ascii=False)
        assert PEOPLE.by_key(other).id_no not in told
        assert PEOPLE.by_key(other).name not in told


async def test_what_is_in_no_code_table_is_said_in_the_departments_own_word(town: Town, gateway: House) -> None:
    await town.fault("GDSJ", garbage=True)
    ask = person("cases { records { source type typeRaw state stateRaw level levelRaw quality { field flag } } }")
    part = (await gateway.data(ask, key_of("chen-ming")))["person"]["cases"]
    (record,) = part["records"]
    assert (record["type"], record["typeRaw"]) == ("UNMAPPED", "???")
    assert (record["state"], record["stateRaw"]) == ("UNMAPPED", "#REF!")
    assert (record["level"], record["levelRaw"]) == ("UNMAPPED", "~")
    assert {("type", "CODE_UNMAPPED"), ("state", "CODE_UNMAPPED"), ("level", "CODE_UNMAPPED")} <= flags(
        record["quality"]
    )


async def test_someone_nobody_knows_is_found_nowhere_by_all_who_answer(town: Town, gateway: House) -> None:
    found = await reception(gateway, {"idNo": "110101199003070011", "name": "查无此人"})
    assert {found[part]["state"] for part in found if part != "pid"} == {"NOT_FOUND"}
    assert found["pid"]


async def test_the_same_person_has_another_pseudonym_in_another_house(
    town: Town, gateway: House, neighbour: House
) -> None:
    ask = person("pid")
    here, again = [(await gateway.data(ask, key_of("chen-ming")))["person"]["pid"] for _ in range(2)]
    there = (await neighbour.data(ask, key_of("chen-ming")))["person"]["pid"]
    assert here == again != there

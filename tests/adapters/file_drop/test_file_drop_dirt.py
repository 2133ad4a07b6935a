"""Scenario "Dirty encodings": what departments really write, and that one bad line costs one line."""

from __future__ import annotations

import pytest

from adapters.errors import Reason
from adapters.source import Absent, Failed, Found
from tests.adapters.file_drop.lab import (
    ALI,
    CSV,
    LI_MEI,
    LI_YAN,
    NOBODY,
    OTHER_ZHANG,
    XML,
    ZHANG,
    ZHAO,
    Lab,
    ask,
    csv_file,
    numbers,
    reasons,
    row,
    xml_file,
    xml_row,
)

pytestmark = pytest.mark.anyio
OLD_ZHAO = ("440604650101001", "赵强")


async def test_a_prison_file_said_to_be_gbk_is_read_with_its_rare_characters(lab: Lab) -> None:
    lab.put("a.xml", xml_file(xml_row("1", LI_YAN), xml_row("2", ALI), xml_row("3", OLD_ZHAO, rq="0000-00-00")))
    source = lab.open(XML, prefix="A.")
    yan, ali, zhao = await ask(source, LI_YAN, ALI, ZHAO, prefix="A.")
    assert isinstance(yan, Found)
    assert yan.rows[0].values["A.xm"] == "李䶮"
    assert isinstance(ali, Found)
    assert ali.rows[0].values["A.xm"] == "买买提·艾力"
    assert isinstance(zhao, Found)
    assert zhao.rows[0].values["A.sfzh"] == "440604650101001", "raw words leave as they are"
    assert zhao.rows[0].values["A.rq"] == "0000-00-00"


@pytest.mark.parametrize("dot", ["·", "•", "・", "."])
async def test_names_without_an_id_are_found_under_every_dot(lab: Lab, dot: str) -> None:
    request = {"key_columns": {"idNo": "sfzh", "name": "xm"}, "name_without_id": True}
    lab.put("a.csv", csv_file(row("1", ("", f"买买提{dot}艾力")), row("2", ZHANG)))
    source = lab.open(CSV, request=request)
    assert numbers((await ask(source, ALI))[0]) == ["1"]


async def test_a_name_finds_only_records_that_have_no_id(lab: Lab) -> None:
    request = {"key_columns": {"idNo": "sfzh", "name": "xm"}, "name_without_id": True}
    lab.put("a.csv", csv_file(row("1", ZHANG), row("2", ("", "张三"))))
    source = lab.open(CSV, request=request)
    ours, others = await ask(source, ZHANG, OTHER_ZHANG)
    assert numbers(ours) == ["1", "2"]
    assert numbers(others) == ["2"], "the other man's file is not handed out for having the same name"


async def test_a_question_mark_is_nobodys_name(lab: Lab) -> None:
    request = {"key_columns": {"idNo": "sfzh", "name": "xm"}, "name_without_id": True}
    lab.put("a.csv", csv_file(row("1", ("", "李?")), row("2", ZHANG)))
    source = lab.open(CSV, request=request)
    for name in ("李?", "李䶮"):
        (answer,) = await ask(source, (LI_YAN[0], name))
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.INCOMPLETE, "a record about nobody known is no ground for absence"
    assert reasons(source) == [(2, "a record without a key")]


@pytest.mark.parametrize(
    ("encoding", "said"), [("gb18030", "gbk"), ("gb18030", "gb18030"), ("utf-8", "utf-8"), ("utf-8-sig", "gbk")]
)
async def test_encodings_and_a_bom_that_wins(lab: Lab, encoding: str, said: str) -> None:
    lab.put("a.csv", csv_file(row("1", LI_YAN, "表现良好"), encoding=encoding))
    (answer,) = await ask(lab.open({**CSV, "encoding": said}), LI_YAN)
    assert isinstance(answer, Found)
    assert answer.rows[0].values["xm"] == "李䶮"
    assert answer.rows[0].values["bz"] == "表现良好"


async def test_utf8_where_gbk_was_agreed_is_refused_and_not_read_as_other_names(lab: Lab) -> None:
    lab.put("a.csv", csv_file(*(row(str(n), LI_MEI, "现住佛山市禅城区") for n in range(20))))
    (answer,) = await ask(lab.open({**CSV, "encoding": "gbk"}), LI_MEI)
    assert isinstance(answer, Failed)


async def test_an_undecodable_line_goes_to_quarantine_and_the_rest_is_used(lab: Lab) -> None:
    content = csv_file(row("1", ZHANG), row("2", LI_MEI, "@"), row("3", ALI)).replace(b"@", b"\xff\xfe")
    lab.put("a.csv", content)
    source = lab.open()
    zhang, mei, ali, nobody = await ask(source, ZHANG, LI_MEI, ALI, NOBODY)
    assert [numbers(zhang), numbers(ali)] == [["1"], ["3"]]
    assert reasons(source) == [(3, "bytes that are not utf-8")]
    assert isinstance(mei, Failed), "the bad line was about this person"
    assert mei.reason is Reason.INCOMPLETE
    assert isinstance(nobody, Absent), "and about nobody else"


async def test_a_bad_line_without_a_readable_key_leaves_no_absence(lab: Lab) -> None:
    content = csv_file(row("1", ZHANG), row("2", ("@@", "李梅"))).replace(b"@@", b"\xff\xff")
    lab.put("a.csv", content)
    source = lab.open()
    (zhang, nobody) = await ask(source, ZHANG, NOBODY)
    assert numbers(zhang) == ["1"]
    assert isinstance(nobody, Failed)
    assert nobody.reason is Reason.INCOMPLETE
    tolerant = lab.open({**CSV, "absence_despite_quarantine": True})
    assert isinstance((await ask(tolerant, NOBODY))[0], Absent)


async def test_a_found_key_with_a_lost_line_is_incomplete(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG), row("2", ZHANG, "\0"), row("3", ALI)))
    zhang, ali = await ask(lab.open(), ZHANG, ALI)
    assert isinstance(zhang, Found)
    assert zhang.incomplete is Reason.INCOMPLETE
    assert isinstance(ali, Found)
    assert ali.incomplete is None


async def test_quoted_newlines_commas_and_quotes(lab: Lab) -> None:
    lab.put(
        "a.csv", csv_file(row("1", ZHANG, '"逗号, 引号"" 与\r\n\r\n换行"'), row("2", LI_MEI, '5" 屏'), row("3", ALI))
    )
    source = lab.open()
    zhang, mei, ali = await ask(source, ZHANG, LI_MEI, ALI)
    assert isinstance(zhang, Found)
    assert zhang.rows[0].values["bz"] == '逗号, 引号" 与\n\n换行'
    assert isinstance(mei, Found)
    assert mei.rows[0].values["bz"] == '5" 屏'
    assert numbers(ali) == ["3"]
    assert reasons(source) == []


async def test_a_quote_that_never_closes_costs_one_line(lab: Lab) -> None:
    lab.put(
        "a.csv", csv_file(row("1", ZHANG, '"offen'), *(row(str(n), ALI) for n in range(2, 200)), row("200", LI_MEI))
    )
    source = lab.open()
    zhang, ali, mei = await ask(source, ZHANG, ALI, LI_MEI)
    assert len(numbers(ali)) == 198
    assert numbers(mei) == ["200"]
    assert isinstance(zhang, Failed)
    assert [line for line, _ in reasons(source)] == [2]


async def test_ragged_lines_and_excel_tails(lab: Lab) -> None:
    rows = [("1", *ZHANG), (*row("2", LI_MEI), "zu", "viel"), (*row("3", ALI), "", "")]
    lab.put("a.csv", csv_file(*rows))
    source = lab.open()
    zhang, mei, ali, nobody = await ask(source, ZHANG, LI_MEI, ALI, NOBODY)
    assert numbers(ali) == ["3"], "empty columns at the end are Excel's"
    assert [type(answer) for answer in (zhang, mei)] == [Failed, Failed]
    assert isinstance(nobody, Absent), "both IDs stood where they belong"
    assert reasons(source) == [(2, "3 fields where the header has 5"), (3, "7 fields where the header has 5")]


@pytest.mark.parametrize(
    "header",
    [("bh", "sfzh", "xm", "rq", "bz", "bz"), ("bh", "sfzh", "xm", "rq", "remark"), ("", "", "")],
    ids=["twice", "renamed", "none"],
)
async def test_a_changed_header_refuses_the_file(lab: Lab, header: tuple[str, ...]) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG), header=header))
    source = lab.open()
    (answer,) = await ask(source, ZHANG)
    assert isinstance(answer, Failed)
    assert [line for line, _ in reasons(source)] == [0]


async def test_a_trailer_that_counts_more_than_there_is_leaves_no_absence(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)).replace(b"#END,1", b"#END,2"))
    zhang, nobody = await ask(lab.open(), ZHANG, NOBODY)
    assert numbers(zhang) == ["1"]
    assert isinstance(nobody, Failed)
    assert nobody.reason is Reason.INCOMPLETE


async def test_a_complete_empty_set_is_an_honest_absence(lab: Lab) -> None:
    lab.put("a.csv", csv_file())
    assert isinstance((await ask(lab.open(), ZHANG))[0], Absent)


async def test_a_header_alone_without_an_agreed_end_is_no_set(lab: Lab) -> None:
    lab.put("a.csv", ",".join(("bh", "sfzh", "xm", "rq", "bz")).encode())
    assert isinstance((await ask(lab.open({**CSV, "end_marker": ""}), ZHANG))[0], Failed)


async def test_a_broken_record_is_quarantined_by_its_line(lab: Lab) -> None:
    broken = xml_row("2", LI_MEI).replace("<rq>", "<rq").encode("gb18030")
    undecodable = xml_row("3", ALI, "@").encode("gb18030").replace(b"@", b"\xff")
    unclosed = xml_row("4", ZHAO).replace("</ROW>", "").encode("gb18030")
    lab.put("a.xml", xml_file(xml_row("1", ZHANG), broken, undecodable, unclosed, xml_row("5", LI_YAN)))
    source = lab.open(XML, prefix="A.")
    answers = await ask(source, ZHANG, LI_MEI, ALI, ZHAO, LI_YAN, NOBODY, prefix="A.")
    assert [type(answer).__name__ for answer in answers] == ["Found", "Failed", "Failed", "Failed", "Found", "Absent"]
    assert [line for line, _ in reasons(source)] == [4, 5, 6]


async def test_what_stands_in_comments_is_no_record(lab: Lab) -> None:
    hidden = f"<!-- {xml_row('1', ZHANG)} --><![CDATA[{xml_row('2', ALI)}]]>"
    tricky = xml_row("3", LI_MEI, "<![CDATA[</ROW><ROW>]]><!-- </ROW> -->")
    lab.put("a.xml", xml_file(hidden, tricky))
    source = lab.open(XML, prefix="A.")
    zhang, ali, mei = await ask(source, ZHANG, ALI, LI_MEI, prefix="A.")
    assert [type(zhang), type(ali)] == [Absent, Absent]
    assert isinstance(mei, Found)
    assert mei.rows[0].values["A.bz"] == "</ROW><ROW>"


@pytest.mark.parametrize("where", ["before", "within"])
async def test_entity_declarations_are_refused(lab: Lab, where: str) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    record = xml_row("1", ZHANG, "&b;" if where == "before" else bomb)
    content = xml_file(record)
    if where == "before":
        content = content.replace(b"<PACKET>", bomb.encode() + b"<PACKET>", 1)
    lab.put("a.xml", content)
    source = lab.open(XML, prefix="A.")
    assert isinstance((await ask(source, ZHANG, prefix="A."))[0], Failed)
    assert reasons(source) == [(0, "a DOCTYPE or entity declaration")]


async def test_the_listing_names_no_one(lab: Lab) -> None:
    lab.put("张三_440606199003070017.csv", csv_file(row("1", ZHANG), row("2", LI_MEI, "\0")))
    source = lab.open()
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    told = repr(source.quarantine()) + repr(source.health()) + (lab.state / "T.quarantine.jsonl").read_text()
    assert "NUL" in told
    for personal in (*ZHANG, *LI_MEI):
        assert personal not in told

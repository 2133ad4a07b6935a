"""Reading what departments send: encodings, headings, cells, and every fault with its place."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services import identity_values as values
from gateway.services.identity_check import Check
from gateway.services.identity_faults import TEXTS, worded
from gateway.services.identity_records import HeldPost, Records
from gateway.services.identity_rows import COLUMNS, REQUIRED, Fault, from_files, from_json
from gateway.services.identity_values import Wrong
from tests.gateway.services.identity_examples import ORGANISATIONS, district

NAME = st.text(st.sampled_from("张李王赵钱孙周吴䶮·买提艾力,;\"'abcXYZ 　"), min_size=1, max_size=12).filter(
    lambda text: text.strip() != ""
)


def officers(rows: list[list[str]], encoding: str, end: str = "\r\n") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end)
    writer.writerows([["登录名", "姓名", "机构代码"], *rows])
    return out.getvalue().encode(encoding)


@given(
    names=st.lists(NAME, max_size=8),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    end=st.sampled_from(["\r\n", "\n"]),
)
def test_whatever_the_encoding_the_names_arrive_whole(names: list[str], encoding: str, end: str) -> None:
    rows = [[f"sw{number:04}", name, "ORG"] for number, name in enumerate(names)]
    found = from_files({"officers.csv": officers(rows, encoding, end)})
    assert found.faults == ()
    assert [cells.values["name"] for cells in found.rows["officers"]] == [name.strip() for name in names]
    assert [cells.line for cells in found.rows["officers"]] == list(range(2, len(names) + 2))


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader_and_no_fault_repeats_them(raw: bytes) -> None:
    found = from_files({"officers.csv": raw})
    check = Check(found)
    check.laid_over(Records(), {})
    for fault in check.faults:
        assert fault.code in TEXTS
        assert worded(fault).startswith("officers.csv")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*COLUMNS, *COLUMNS["officers"], *COLUMNS["posts"]]) | st.text(max_size=4),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_breaks_the_reader(value: object) -> None:
    check = Check(from_json(value))
    check.laid_over(Records(), dict.fromkeys(check.id_numbers, "s"))
    assert all(worded(fault) for fault in check.faults)
    assert check.faults or isinstance(value, dict)


@given(st.data())
def test_a_cell_over_two_lines_does_not_move_the_line_numbers_after_it(data: st.DataObject) -> None:
    breaks = data.draw(st.integers(0, 4))
    raw = officers([["sw1", "张三" + "\n" * breaks + "x", "ORG"], ["sw2", "李四", "?"]], "utf-8", "\n")
    check = Check(from_files({"officers.csv": raw}))
    assert [(one.line, one.column, one.code) for one in check.faults if one.code == "ORG_ID"] == [
        (3 + breaks, 3, "ORG_ID")
    ]


def test_every_fault_of_every_file_is_told_at_once_with_its_place() -> None:
    files = district(
        organisations=ORGANISATIONS.replace("114406040070555557", "114406040070555558").replace(
            "440604,CC-", "999999,CC-"
        ),
        officers="login,name,org_id,id_no\n13800138000,张三,CC-JUSTICE,440604198604040052\nx1,李?,NOWHERE,4.40606E+17\n",
        devices="device_id,kind,org_id\nd1,TOASTER,CC-JUSTICE\n",
    )
    check = Check(from_files(files))
    check.laid_over(Records(), {})
    assert sorted((one.file, one.line, one.column, one.code) for one in check.faults) == [
        ("devices.csv", 2, 2, "DEVICE_KIND"),
        ("officers.csv", 2, 1, "LOGIN_PERSONAL"),
        ("officers.csv", 2, 4, "ID_NO"),
        ("officers.csv", 3, 2, "UNREADABLE"),
        ("officers.csv", 3, 3, "NO_SUCH_ORGANISATION"),
        ("officers.csv", 3, 4, "EXCEL_NUMBER"),
        ("organisations.csv", 2, 3, "USCC"),
        ("organisations.csv", 3, 5, "JURISDICTION"),
    ]
    for fault in check.faults:
        assert not any(secret in worded(fault) for secret in ("13800138000", "4406041986", "张三", "李"))


@pytest.mark.parametrize(
    ("file", "raw", "code"),
    [
        ("people.csv", b"a\n1\n", "FILE_UNKNOWN"),
        ("officers.csv", b"", "HEADING_MISSING"),
        ("officers.csv", "login,name,org_id\n".encode("utf-16"), "ENCODING"),
        ("officers.csv", b"login,name,org_id\n\0,a,b\n", "ENCODING"),
        ("officers.csv", b"login,name,org_id\n\xff\xff\xff,a,b\n", "ENCODING"),
        ("officers.csv", b"login,nmae,org_id\n", "COLUMN_UNKNOWN"),
        ("officers.csv", b"login,login,name,org_id\n", "COLUMN_TWICE"),
        ("officers.csv", b"login,name\n", "COLUMN_MISSING"),
        ("officers.csv", b"login,name,org_id\na,b\n", "CELLS"),
        ("officers.csv", b'login,name,org_id\n"a,b,c\n', "CSV"),
        ("officers.csv", b"login,name,org_id\n,b,C\n", "MISSING"),
        ("officers.csv", b"login,name,org_id\naa,b,C\nAA ,b,C\n", "TWICE"),
        ("organisations.csv", b"org_id,name_zh,kind\nA,a,COURT\n", "JURISDICTION_MISSING"),
        ("organisations.csv", b"org_id,name_zh,kind,parent_id\nA,a,X,B\nB,b,X,A\n", "PARENT_CIRCLE"),
        ("organisations.csv", b"org_id,name_zh,kind,parent_id\nA,a,X,A\n", "PARENT_CIRCLE"),
        ("organisations.csv", b"org_id,name_zh,kind,parent_id\nA,a,X,B\n", "NO_SUCH_ORGANISATION"),
        ("organisations.csv", b"org_id,name_zh,kind,uscc\nA,a,X,91440600MABANK001M\nB,b,X,91440600MABANK001M\n", "TAKEN"),
        ("organisations.csv", b'org_id,name_zh,kind,agency_keys\nA,a,X,"{""keys"":[{""kty"":""EC"",""kid"":""1"",""d"":""x""}]}"\n', "KEYS"),
        ("posts.csv", b"org_id,code,title_zh,from,to\nA,B,b,2026-02-01,2026-01-01\n", "PERIOD"),
        ("posts.csv", b"org_id,code,title_zh,from\nA,B,b,2026-02-30\n", "DATE"),
        ("devices.csv", b"device_id,kind,org_id,officer,person_id_no\nd1,PHONE,A,sw1,440606199003070017\n", "DEVICE_HOLDER"),
        ("devices.csv", b"device_id,kind,org_id,officer\nd1,PHONE,A,sw1\n", "NO_SUCH_OFFICER"),
        ("devices.csv", "device_id,kind,org_id\n手环1,WRISTBAND,A\n".encode(), "DEVICE_ID"),
    ],
)  # fmt: skip
def test_each_kind_of_fault_has_its_own_code(file: str, raw: bytes, code: str) -> None:
    check = Check(from_files({file: raw}))
    check.laid_over(Records(), dict.fromkeys(check.id_numbers, "s"))
    assert code in {one.code for one in check.faults}


def test_a_misspelt_column_is_told_its_likely_name() -> None:
    (fault,) = [one for one in from_files({"officers.csv": b"login,nmae,org_id\n"}).faults if one.hint]
    assert worded(fault) == "officers.csv:1:2: 不认识的列名 no such column; did you mean name?"


def test_the_texts_cover_every_code_and_say_both_languages() -> None:
    for code, (zh, en) in TEXTS.items():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in zh), code
        assert en.isascii(), code
        assert worded(Fault("officers.csv", 1, 2, "name", code)).startswith("officers.csv:1:2 (name): ")
    assert set(COLUMNS) == set(REQUIRED)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("440000", "44"), ("440600", "4406"), ("4406", "4406"), ("440604", "440604"), ("44", "44"), ("", "")],
)
def test_a_jurisdiction_is_the_digits_that_count(said: str, meant: str) -> None:
    assert values.jurisdiction(said) == meant


@pytest.mark.parametrize("said", ["440", "00", "99", "440006", "44060", "４４", "440004", "4400440", "abc"])
def test_what_is_no_jurisdiction_is_refused(said: str) -> None:
    with pytest.raises(Wrong):
        values.jurisdiction(said)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("91440604MA5TEXT12M", True),
        ("92440604MA4UTEXT17", True),
        ("114406040070555557", True),
        ("91440600MABANK001M", True),
        ("91440604MA5TEXT12N", False),
        ("91440604MA5TEXT1IM", False),
        ("9144060", False),
    ],
)
def test_a_social_credit_code_is_checked_by_gb_32100(said: str, right: bool) -> None:
    if right:
        assert values.uscc(said.lower()) == said
    else:
        with pytest.raises(Wrong):
            values.uscc(said)


_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@given(st.text(_ALPHABET, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(_ALPHABET))
def test_one_wrong_character_in_a_social_credit_code_is_always_noticed(body: str, place: int, other: str) -> None:
    """The check written out anew: weights 3^i mod 31 over the standard's own alphabet. Source: GB 32100-2015, annex A."""

    def check(seventeen: str) -> str:
        total = sum(_ALPHABET.index(letter) * pow(3, index, 31) for index, letter in enumerate(seventeen))
        return _ALPHABET[(31 - total % 31) % 31]

    changed = body[:place] + other + body[place + 1 :]
    if changed != body:
        with pytest.raises(Wrong):
            values.uscc(changed + check(body))


@given(st.dates(min_value=date(1950, 1, 1), max_value=date(2100, 1, 1)))
def test_a_post_held_for_one_day_is_held_for_24_hours(day: object) -> None:
    begin, end = values.period(str(day), str(day))
    assert begin is not None
    assert end is not None
    assert 23 * 3600 <= (end - begin).total_seconds() <= 25 * 3600  # Shanghai had summer time once


def test_posts_with_and_without_days() -> None:
    held = values.held_posts("HEAD ； CASE_OFFICER:2026-01-01..;DEPUTY:..2026-12-31")
    assert {one.code for one in held} == {"HEAD", "CASE_OFFICER", "DEPUTY"}
    assert HeldPost("HEAD") in held
    for wrong in ("HEAD;HEAD", "HEAD:2026-01-01", "HEAD:2026-02-01..2026-01-01", ":2026-01-01..", "head"):
        with pytest.raises(Wrong):
            values.held_posts(wrong)

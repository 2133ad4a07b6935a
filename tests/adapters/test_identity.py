from __future__ import annotations

import subprocess
import sys
import unicodedata
from datetime import date

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from adapters.identity import (
    fold_name,
    id_forms,
    is_readable,
    mask_id,
    mask_name,
    normalise_id,
    normalise_uscc,
    standard_name,
)

# domain-brief, section 4c
PEOPLE = [
    "440606199003070017",
    "440606199003070033",
    "44060419910518002X",
    "440604198604040051",
    "440604200909120036",
    "430121198502200015",
    "440604196501010010",
    "440605198808150048",
    "653121199206010012",
    "440604199303030065",
]
USCCS = ["91440604MA5TEXT12M", "92440604MA4UTEXT17", "114406040070555557", "91440600MABANK001M"]


@pytest.mark.parametrize("text", PEOPLE)
def test_the_test_people_have_valid_numbers(text: str) -> None:
    number = normalise_id(text)
    assert number is not None
    assert (number.value18, number.was15, number.checksum_ok, number.date_ok) == (text, False, True, True)


def test_fifteen_digits_become_eighteen() -> None:
    number = normalise_id("440604650101001")
    assert number is not None
    assert (number.value18, number.was15, number.checksum_ok) == ("440604196501010010", True, True)
    assert number.birth_date == date(1965, 1, 1)


def test_a_birthday_that_never_was() -> None:
    number = normalise_id("440604199002300017")
    assert number is not None
    assert (number.checksum_ok, number.date_ok, number.birth_date) == (True, False, None)


def test_a_wrong_check_digit_is_still_a_number() -> None:
    number = normalise_id("440606199003070018")
    assert number is not None
    assert not number.checksum_ok


@pytest.mark.parametrize(
    "text",
    [
        "４４０６０４１９９１０５１８００２ｘ",
        " 440604 19910518 002x ",
        "44060419910518002Ｘ",
        "44060419910518002X\u3000",
    ],
)
def test_typing_habits_are_folded(text: str) -> None:
    number = normalise_id(text)
    assert number is not None
    assert number.value18 == "44060419910518002X"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "无",
        "4406041991051800",
        "44060419910518002XX",
        "X4060419910518002X",
        "440604********002X",
        "٤٤٠٦٠٤١٩٩١٠٥١٨٠٠٢٣",
        "1" * 10_000,
    ],
)
def test_what_is_no_number(text: str | None) -> None:
    assert normalise_id(text) is None


def test_numbers_hide_themselves() -> None:
    assert "199003" not in repr(normalise_id("440606199003070017"))


@given(st.from_regex(r"[0-9]{15}", fullmatch=True))
def test_old_and_new_forms_lead_to_each_other(old: str) -> None:
    number = normalise_id(old)
    assert number is not None
    assert old in id_forms(number.value18)
    assert mod_11_2.is_valid(number.value18)
    for form in id_forms(number.value18):
        again = normalise_id(form)
        assert again is not None
        assert again.value18 == number.value18


@given(st.text(max_size=80))
def test_any_text_is_judged(text: str) -> None:
    normalise_id(text)
    normalise_uscc(text)
    folded = fold_name(text)
    assert fold_name(folded) == folded or not is_readable(folded)
    is_readable(folded)
    assert len(mask_name(text)) <= 4
    mask_id(text)


@pytest.mark.parametrize("text", USCCS)
def test_the_test_enterprises_have_valid_codes(text: str) -> None:
    assert normalise_uscc(f" {text.lower()} ") == (text, True)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert normalise_uscc(wrong) == (wrong, False)


@pytest.mark.parametrize("dot", list("·•‧∙⋅・．.●･"))
def test_every_dot_is_one_dot(dot: str) -> None:
    assert fold_name(f"买买提{dot}艾力") == "买买提·艾力"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("張三", "张三"),
        ("張 三", "张三"),
        ("買買提•艾力", "买买提·艾力"),
        ("张三\u200b", "张三"),
        ("ＭＡＲＩＡ", "maria"),
        ("龍\ufe00", "龙"),
        ("乾坤", "干坤"),
    ],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("one", "other"), [("张三", "张山"), ("李䶮", "李?"), ("李梅", "李玫"), ("买买提艾力", "买买提·艾力")]
)
def test_other_names_stay_other(one: str, other: str) -> None:
    assert fold_name(one) != fold_name(other)


@pytest.mark.parametrize("name", ["李?", "李？", "李\ufffd", "李\ue863", "李*", "李□", "李\U000f0001", ""])
def test_unreadable_names(name: str) -> None:
    assert not is_readable(fold_name(name))


@pytest.mark.parametrize("name", ["李䶮", "买买提·艾力", "Maria O'Neil", "𠮷田"])
def test_readable_names(name: str) -> None:
    assert is_readable(fold_name(name))


def test_masks() -> None:
    assert [mask_name(name) for name in ("张三", "欧阳修", "买买提·艾力", "张", "")] == [
        "张*",
        "欧**",
        "买***",
        "*",
        "",
    ]
    assert mask_id("440606199003070017") == "440*************17"
    assert mask_id("12345") == "*****"


@pytest.mark.parametrize("dot", ["·", "•", ".", "・", "‧", "。"])
def test_a_department_is_asked_by_the_registers_own_dot(dot: str) -> None:
    assert standard_name(f"买买提 {dot}艾力") == "买买提·艾力"


def test_a_name_is_asked_in_simplified_characters_and_keeps_its_case() -> None:
    assert standard_name("張三") == "张三"
    assert standard_name("Ａｎｎａ") == "Anna"
    assert standard_name("李䶮") == "李䶮"


def test_every_character_folds_as_opencc_has_it() -> None:
    """All of GB/T 2312 are told without it, but for the few it folds; a sample of others beside."""
    theirs = opencc.OpenCC("t2s")
    told = [one for one in map(chr, range(0x2E80, 0x10000)) if one.encode("gb2312", "ignore")]
    characters = [one for one in told if unicodedata.category(one) == "Lo"] + list("漢龍鄭溫䶮")
    assert len(characters) > 6_763
    differ = [one for one in characters if fold_name(one) != theirs.convert(one)]
    assert differ == []


def test_a_gateway_of_usual_names_carries_no_tables() -> None:
    said = "import sys; from adapters.identity import fold_name, standard_name as s; s('张三·李'); fold_name('王小明')"
    for more, loaded in (("", "False"), ("; s('張三')", "True"), ("; fold_name('於')", "True")):
        run = (sys.executable, "-c", f"{said}{more}; print('opencc' in sys.modules)")
        assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == loaded

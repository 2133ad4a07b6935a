"""What may stand in the record of an access for years."""

from __future__ import annotations

import pytest

from gateway.policy.claim import UNKNOWN, claimed, folded
from gateway.policy.purposes import read_register

REGISTER = read_register()


@pytest.mark.parametrize(
    "text",
    [
        "440606199003070017", "44060619900307001x", "关于44010519491231002X的复核", "440606 19900307 0017", "440606-19900307-0017",
        "４４０６０６１９９００３０７００１７", "440606900307001", "身份证440606900307001。", "x" * 201,
        "440606/19900307/0017", "440606·1990·0307·0017", "440606(1990)03070017", "4 4 0 6 0 6 1 9 9 0 0 3 0 7 0 0 1 7",
    ],
)  # fmt: skip
def test_no_id_number_gets_into_the_record(text: str) -> None:
    for field in ("caseNo", "reference"):
        assert claimed({"code": "CC_RECEPTION", field: text}, REGISTER) is None


@pytest.mark.parametrize(
    "text", ["(2026)粤0604刑初123号", "佛禅司矫〔2026〕12号", "202611230000000123", "91440600MA4UXXXX0K", "2026-11-23", "", " ", "x" * 200]
)  # fmt: skip
def test_numbers_of_papers_do(text: str) -> None:
    purpose = claimed({"code": "CC_RECEPTION", "caseNo": text, "reference": text}, REGISTER)
    assert purpose is not None
    assert (purpose.code, purpose.case_no, purpose.reference) == ("CC_RECEPTION", text, text)


def test_a_code_of_no_register_is_not_repeated() -> None:
    purpose = claimed({"code": "440606199003070017"}, REGISTER)
    assert purpose is not None
    assert purpose.code == UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "1\n2026 LOGIN ok",
        "a\x00b",
        "4406061990\u200b03070017",
        "\u202e321号初刑",
        "\u20667\u2069",
        "\x1b[2J",
        "\u00ad",
        "\u2028",
    ],
)
def test_nothing_that_cannot_be_seen_gets_into_the_record(text: str) -> None:
    """It would break a line of a print, turn one round, hide a number, or be no text to the database."""
    for field in ("caseNo", "reference"):
        assert claimed({"code": "CC_RECEPTION", field: text}, REGISTER) is None


@pytest.mark.parametrize("text", ["(2026)粤0604刑初　123号", "(2026)粤0604刑初\u00a0123号"])
def test_the_blanks_of_a_chinese_keyboard_do(text: str) -> None:
    assert claimed({"code": "CC_RECEPTION", "caseNo": text}, REGISTER) is not None


@pytest.mark.parametrize("unseen", ["\ufeff", "\u200b", "\u00ad", "\u200e", "\x00", " ", "　", "\n"])
def test_what_cannot_be_seen_makes_no_other_case_of_it(unseen: str) -> None:
    """A seal is found by the case number; a spreadsheet's stray mark in a source's row must not take it off."""
    assert folded(f"{unseen}（2026）粤{unseen}0604刑初123号{unseen}") == folded("(2026)粤0604刑初123号")

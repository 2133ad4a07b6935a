"""What may stand in the record of an access for years."""

from __future__ import annotations

import pytest

from gateway.policy.claim import UNKNOWN, claimed
from gateway.policy.purposes import read_register

REGISTER = read_register()


@pytest.mark.parametrize(
    "text",
    [
        "440606199003070017", "44060619900307001x", "关于44010519491231002X的复核", "440606 19900307 0017", "440606-19900307-0017",
        "４４０６０６１９９００３０７００１７", "440606900307001", "身份证440606900307001。", "x" * 201,
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

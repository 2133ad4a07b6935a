"""Small things in a row: what none of the parts does wrong by itself, and what comes of them together."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from gateway.store.tables.consents import consent_use
from tests.flows.house import House
from tests.flows.test_consent import Bank, Person, bank, hidden, house, path_in, person

__all__ = ["bank", "house", "person"]  # fixtures
pytestmark = pytest.mark.anyio
_ONE = "a{}: person(idNo: $idNo, name: $name) {{ conductStatements {{ state records {{ reportedOnTime }} }} }}"
ALIASES = " ".join(_ONE.format(number) for number in range(5))
QUERY = """query($idNo: String!, $name: String!) @purpose(code: "LOAN_SERVICE", reference: "loan-8812") {{ {} {} }}"""


@pytest.mark.parametrize("first", ["", "__typename"], ids=["compiled", "by graphql-core"])
async def test_a_question_spends_one_use_of_a_consent_however_often_it_names_the_person(
    bank: Bank, person: Person, house: House, first: str
) -> None:
    """Five roots run side by side, and each used to be decided for itself: the second found the consent spent already."""
    await bank.request(mode="one_time", max_per_day=1)
    page = await person.come_in()
    path = path_in(page)
    await person.post(f"{path}/give", page, seen=hidden(page, "seen"))
    reading = await bank.asker(**await bank.consented(path.rpartition("/")[2]))
    _, answer = await bank.query(reading, QUERY.format(first, ALIASES))
    parts = [answer["data"][f"a{number}"]["conductStatements"] for number in range(5)]
    assert all(part["records"] for part in parts), parts
    async with house.gateway.store.database.read() as connection:
        assert list(await connection.scalars(sa.select(consent_use.c.uses))) == [1]

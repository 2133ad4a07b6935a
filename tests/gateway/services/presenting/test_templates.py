"""The templates that come with the product: what they ask exists, by those who may, and no query is wider than its words."""

from __future__ import annotations

import pytest

from credentials.openid4vp.dcql import read_query
from credentials.type_files import load_types
from gateway.policy.purposes import read_register
from gateway.services.presenting.templates import Template, built_in, read_templates

BASE = "https://yimen.example"
TEMPLATES = list(built_in().values())
GOOD = """
[x]
title = { zh = "题", en = "t" }
purpose = { zh = "为", en = "p" }
purposes = ["LOAN_SERVICE"]
org_kinds = ["BANK"]
[[x.credentials]]
id = "a"
type = "residence"
claims = ["livesInDistrict"]
"""


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.id)
def test_every_type_claim_purpose_and_body_of_a_template_exists(template: Template) -> None:
    types, register = load_types(), read_register()
    for one in template.wanted:
        assert set(one.claims) <= {claim.name for claim in types[one.type_id].claims}
        assert one.claims
    for code in template.purposes:
        rule = register.get(code)
        assert rule is not None
        assert template.org_kinds <= rule.org_kinds
    for text in (template.title, template.purpose):
        assert text.zh
        assert text.en


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.id)
def test_a_template_is_a_query_that_asks_its_claims_and_no_more(template: Template) -> None:
    vct_of = {id: one.vct(BASE) for id, one in load_types().items()}
    query = read_query(template.dcql(vct_of))
    for asked, wanted in zip(query.credentials, template.wanted, strict=True):
        assert [one.path for one in asked.claims] == [(name,) for name in wanted.claims]
        assert asked.types == ((vct_of[wanted.type_id],),)
        assert asked.bound
    assert [one.options for one in query.sets] == ([template.options] if template.options else [])


def test_no_partner_is_shown_an_address_or_a_case() -> None:
    for template in TEMPLATES:
        if template.org_kinds & {"BANK", "EMPLOYER", "INSURER", "TELECOM", "RAIL", "PLATFORM"}:
            asked = {name for one in template.wanted for name in one.claims}
            assert asked.isdisjoint({"address", "discharged", "dischargedOn", "role", "businessName"})


def test_what_other_issuers_call_a_type_may_be_shown_too() -> None:
    (template,) = read_templates(GOOD).values()
    query = read_query(template.dcql({"residence": "https://a.example"}, {"residence": ["https://b.example"]}))
    assert query.credentials[0].types == (("https://a.example",), ("https://b.example",))


@pytest.mark.parametrize(
    "spoilt",
    [
        GOOD.replace('purposes = ["LOAN_SERVICE"]', "purposes = []"),
        GOOD.replace("org_kinds", 'options = [["b"]]\norg_kinds'),
        GOOD + '[[x.credentials]]\nid = "a"\ntype = "residence"\nclaims = ["name"]\n',
        GOOD.replace('purpose = { zh = "为", en = "p" }', ""),
    ],
)
def test_a_file_that_is_none_is_refused(spoilt: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_templates(spoilt)

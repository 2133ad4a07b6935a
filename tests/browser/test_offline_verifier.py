"""The offline verifier as a prosecutor uses it: one file opened from disk, no network, and the same judgement as ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.evidence import Disclosed, blind, parse_evidence, verify_evidence
from tests.browser.test_query_page import page as browser_page  # noqa: F401  (fixture)
from tests.ledger import evidences as made
from tests.ledger.test_evidence import test_whatever_is_changed_is_noticed as changed

pytestmark = pytest.mark.anyio
FILE = Path(__file__).parents[2] / "gateway/web/static/verifier.html"
SPOILS = [spoil for spoil, _ in changed.pytestmark[0].args[1]]  # the very table our own verifier is held to


@pytest.fixture
async def page(browser_page: Any) -> AsyncIterator[Any]:  # noqa: F811
    """Offline, and whoever tries the network all the same is caught."""
    tried: list[str] = []
    faults: list[str] = []
    await browser_page.context.set_offline(True)
    browser_page.on("request", lambda request: tried.append(request.url))
    browser_page.on("pageerror", lambda error: faults.append(str(error)))
    browser_page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await browser_page.goto(FILE.as_uri())
    yield browser_page
    assert tried == [FILE.as_uri()]
    assert faults == []


async def _give(page: Any, name: str, data: bytes, field: str = "file") -> None:
    await page.evaluate("document.getElementById('out').replaceChildren()")
    await page.set_input_files(f"#{field}Input", {"name": name, "mimeType": "application/octet-stream", "buffer": data})
    await page.wait_for_selector("#out > *", state="attached")


async def _said(page: Any) -> str:
    return str(await page.inner_text("#out"))


async def _verdict(page: Any) -> str:
    return str(await page.get_attribute("#verdict", "class") or "")


async def test_it_says_what_is_proven_and_what_is_not(page: Any) -> None:
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.json", bytes(made.whole()))
    assert await _verdict(page) == "good"
    said = await _said(page)
    for words in (
        made.CASE,
        "p-two",
        "第 3 条",
        "5 家见证机关",
        "不证明记录所说的事情属实",
        "2023-11-15 06:13:20",
        "没有核对答复",
    ):
        assert words in said
    await page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    await _give(page, "answer", made.ANSWER, "answer")
    assert "正是当时给出的答复" in await _said(page)
    await _give(page, "answer", made.ANSWER[:-1] + b',"extensions":{"receipt":{}}}', "answer")
    assert "正是当时给出的答复" in await _said(page)
    await _give(page, "answer", made.ANSWER + b" ", "answer")
    assert (await _verdict(page), await page.get_attribute(".fault", "data-code")) == ("bad", "OTHER_ANSWER")


async def test_what_is_not_disclosed_is_said_to_be_recorded_and_hidden(page: Any) -> None:
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.json", bytes(made.evidence()))
    said = await _said(page)
    assert await _verdict(page) == "good"
    assert said.count("已记录，未公开") == len(("by", "case", "inner", *made.SUBJECTS))
    assert made.CASE not in said


async def test_a_file_of_words_holds_the_same_evidence(page: Any) -> None:
    await page.fill("#policy", made.POLICY_TEXT)
    inside = bytes(made.whole()).decode()
    words = f'<html><body>甲<script type="application/json" id="evidence">{inside}</script></body></html>'
    await _give(page, "a.html", words.encode())
    assert await _verdict(page) == "good"


async def test_it_finds_whatever_our_own_verifier_finds(page: Any) -> None:
    assert len(SPOILS) > 40
    await page.fill("#policy", made.POLICY_TEXT)
    found = {}
    for number, spoil in enumerate(SPOILS):
        said = json.loads(bytes(made.whole()))
        spoil(said)
        await _give(page, "a.json", json.dumps(said).encode())
        found[number] = await _verdict(page)
        if found[number] == "weak":  # a missing signature: it says so, and no more than that
            assert "只有 3 家" in await _said(page)
    assert {number for number, verdict in found.items() if verdict == "good"} == set()
    assert list(found.values()).count("weak") == 1


async def test_the_latest_time_is_the_bound_whatever_one_witness_writes(page: Any) -> None:
    """One of a quorum may lie about the time: never to make it look sooner than what the others say."""
    await page.fill("#policy", made.POLICY_TEXT)
    for lie, bound in ((999999999, "2023-11-15 06:13:20 (UTC+8)"), (2**63 - 1, str(2**63 - 1))):
        whole = made.whole()
        note = whole.proof.checkpoint
        lying = made.WITNESSES["GA"].sign(note.text, lie)
        others = tuple(one for one in note.signatures if one.name != lying.name)
        told = replace(whole, proof=replace(whole.proof, checkpoint=replace(note, signatures=(*others, lying))))
        await _give(page, "a.json", bytes(told))
        assert await _verdict(page) == "good"
        assert f"截至 {bound}" in await _said(page)


@pytest.mark.parametrize(
    ("case", "shown"),
    [
        ("ALLOW", "ALLOW"),
        ("constructor", "constructor"),
        ("\u202e321\u200b", "\\u202e321\\u200b"),
        ('<script type="application/json" id="evidence">{}</script>', "<script"),
    ],
)
async def test_what_an_officer_wrote_is_shown_as_it_was_written(page: Any, case: str, shown: str) -> None:
    record = made.access() | {"case": blind(made.salt("case"), case)}
    told = made.evidence(record, disclosed={"case": Disclosed(made.salt("case"), case)})
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.json", bytes(told))
    assert await _verdict(page) == "good"
    said = (await _said(page)).split("案号")[-1].splitlines()
    assert any(line.strip().startswith(shown) for line in said[1:4]), said[:5]


@pytest.mark.parametrize("changed", [{"org": "bank"}, {"recorded_at": "2026-11-25T08:09:11.000000Z"}, {"org": None}])
async def test_an_entry_of_another_body_or_time_is_found_here_too(page: Any, changed: dict[str, Any]) -> None:
    told = made.evidence(made.access(**changed))
    with pytest.raises(LedgerError):
        verify_evidence(told, made.POLICY)
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.json", bytes(told))
    assert await _verdict(page) == "bad"
    assert await page.get_attribute(".fault", "data-code") in ("OTHER_FACE", "NOT_A_RECORD")


async def test_three_witnesses_keys_from_the_file_and_other_keys_are_no_evidence(page: Any) -> None:
    await _give(page, "a.json", bytes(made.whole()))
    assert await page.get_attribute(".fault", "data-code") == "NO_POLICY"
    await page.click("#hint")
    assert await _verdict(page) == "weak"
    assert "任何人都能伪造" in await _said(page)
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.json", bytes(made.evidence(witnesses=("GA", "JCY", "FY"))))
    assert await _verdict(page) == "weak"
    assert "只有 3 家" in await _said(page)
    other = made.POLICY_TEXT.replace(made.ORIGIN, "other.example/2026")
    await page.fill("#policy", other)  # the key's id is of the name, so this is no key any more
    await page.click("#go")
    assert await page.get_attribute(".fault", "data-code") == "KEY_ID"


async def test_a_proof_file_goes_with_its_entry(page: Any) -> None:
    one = made.whole()
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.tlog-proof", bytes(one.proof))
    assert await page.get_attribute(".fault", "data-code") == "NO_ENTRY"
    await page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    await page.fill("#entry", one.entry.decode())
    await page.click("#go")
    assert await _verdict(page) == "good"
    await page.fill("#entry", one.entry.decode().replace("gd.sfj", "gd.ga"))
    await page.click("#go")
    assert await page.get_attribute(".fault", "data-code") == "PATH_WRONG"


async def test_every_byte_of_the_proof_counts(page: Any) -> None:
    """One byte in five, to keep it short; both verifiers refuse, or both accept (an unknown signature's line is passed over)."""
    await page.fill("#policy", made.POLICY_TEXT)
    data = bytes(made.whole())
    start = data.index(b'"proof"')
    for at in range(start, len(data) - 900, 29):
        spoiled = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            verify_evidence(parse_evidence(spoiled), made.POLICY)
            ours = "good"
        except LedgerError:
            ours = "bad"
        await _give(page, "a.json", spoiled)
        theirs = await _verdict(page)
        assert theirs == ours or (theirs, ours) == ("weak", "bad"), at


async def test_the_page_is_small_and_names_no_address() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert len(text) < 100_000
    assert "https:" not in text
    assert "Content-Security-Policy" in text


async def test_rotation_both_keys_of_the_log(page: Any) -> None:
    one = made.whole()
    new = made.signer(made.ORIGIN, 1, 9)
    note = one.proof.checkpoint
    both = replace(one, proof=replace(one.proof, checkpoint=note.with_signatures([new.sign(note.text)])))
    for key in (made.LOG.key, new.key):
        await page.fill("#policy", made.POLICY_TEXT.replace(str(made.LOG.key), str(key)))
        await _give(page, "a.json", bytes(both))
        assert await _verdict(page) == "good"


async def test_a_page_is_read_for_its_data_and_its_words_are_not_believed(page: Any) -> None:
    held = bytes(made.whole()).decode().replace("<", "\\u003c")
    script = f'<script type="application/json" id="evidence">{held}</script>'
    await page.fill("#policy", made.POLICY_TEXT)
    await _give(page, "a.html", f"\n<!doctype html><p>any words{script}".encode())
    assert await _verdict(page) == "good"
    assert "网页上的文字没有核对" in await _said(page)
    await _give(page, "a.html", f"<!doctype html><p>any words{script}{script}".encode())
    assert (await _verdict(page), await page.get_attribute(".fault", "data-code")) == ("bad", "NOT_EVIDENCE")
    await _give(page, "a.json", bytes(made.whole()))
    assert "网页上的文字没有核对" not in await _said(page)

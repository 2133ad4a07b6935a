"""The log for people, over real HTTP: walked, filtered, one entry with its proof, witnesses in words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.services.ledger.ports import LOOKED_AT, Exhibit, WitnessHealth
from gateway.services.ledger.walk import Walk
from gateway.web import ledger_pages
from ledger.entry import KINDS, Entry, parse_entry
from ledger.merkle import leaf_hash
from ledger.policy import parse_policy
from ledger.proof import parse_proof, verify_proof
from tests.fakes.ledger import AT, WITNESSING, MemoryLedger
from tests.gateway.web.ledger_house import LedgerHouse, ledger_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[LedgerHouse]:
    async with ledger_house() as opened:
        yield opened


async def page(house: LedgerHouse, path: str, status: int = 200) -> str:
    reply = await house.get(path)
    text: str = (await reply.read()).decode()
    assert reply.status == status, (path, text)
    return text


def numbers(text: str) -> list[int]:
    return [int(one) for one in re.findall(r'<h2><a href="/ledger/2026/entries/(\d+)"', text)]


async def test_the_newest_entries_stand_first_in_words(house: LedgerHouse) -> None:
    house.ledger.grow(2)
    house.ledger.grow(1, "refusal", "bank")
    house.ledger.grow(1, "consent", "person")
    house.ledger.grow(1, "key", "yimen")
    house.ledger.grow(1, "change", "nowhere")
    house.ledger.sign("GA")
    house.ledger.grow(1)  # not published yet
    text = await page(house, "/ledger")
    assert numbers(text) == [5, 4, 3, 2, 1, 0]
    for words in ("祖庙司法所", "Zumiao Justice Office", "禅城示范银行", "本人所为", "系统自身", "登记名录中没有的单位",
                  "一次查询被拒绝", "A query was answered", "2026年11月25日 09:02", house.ledger.origin, "已公布 6 条"):  # fmt: skip
        assert words in text, words


async def test_the_origin_typed_into_a_browser_leads_to_the_log(house: LedgerHouse) -> None:
    house.ledger.grow(2)
    house.ledger.sign("GA")
    reply = await house.get("/ledger/2026")
    assert (reply.status, reply.headers["location"]) == (303, "/ledger?shard=2026")
    assert numbers(await page(house, reply.headers["location"])) == [1, 0]
    await page(house, "/ledger/1999", 404)
    await page(house, "/ledger/2026%2f", 404)


async def test_it_is_walked_page_by_page_to_its_beginning(house: LedgerHouse) -> None:
    house.ledger.grow(45)
    house.ledger.sign("GA")
    seen, path = list[int](), "/ledger"
    for _ in range(3):
        text = await page(house, path)
        seen += numbers(text)
        older = re.search(r'href="(/ledger\?before=\d+)"', text)
        path = older[1] if older else ""
    assert (seen, path) == ([*range(44, -1, -1)], "")


async def test_it_is_filtered_by_body_and_kind(house: LedgerHouse) -> None:
    for at in range(30):
        house.ledger.grow(1, "refusal" if at % 3 == 0 else "query", "bank" if at % 2 else "office")
    house.ledger.sign("GA")
    assert numbers(await page(house, "/ledger?kind=refusal")) == [27, 24, 21, 18, 15, 12, 9, 6, 3, 0]
    text = await page(house, "/ledger?kind=refusal&body=bank")
    assert numbers(text) == [27, 21, 15, 9, 3]
    assert '<option value="refusal" selected>' in text
    assert 'name="body" value="bank"' in text
    assert 'href="/ledger?kind=refusal"' in text  # back to all bodies
    assert 'href="/ledger?kind=refusal&amp;body=bank"' in await page(house, "/ledger?kind=refusal")
    assert numbers(await page(house, "/ledger?kind=")) == [*range(29, 9, -1)]  # as the form sends it


async def test_a_filter_that_looked_far_enough_goes_on_below() -> None:
    ledger = MemoryLedger()
    ledger.grow(1, "key")
    ledger.grow(LOOKED_AT)
    ledger.sign("GA")
    walk = Walk(ledger, witnessing="", base_url="")
    (shard,) = await walk.shards()

    async def looked(shard: str, *, before: int, limit: int, kind: str | None, actor: str | None) -> object:
        found = ledger.placed[max(0, before - LOOKED_AT) : before]
        return [one for one in reversed(found) if parse_entry(one.entry).kind == kind][:limit]

    ledger.entries = looked  # type: ignore[assignment,method-assign]
    first = await walk.page(shard, before=None, kind="key", actor=None)
    assert (first.entries, first.before) == ((), 1)
    second = await walk.page(shard, before=first.before, kind="key", actor=None)
    assert ([one.placed.number for one in second.entries], second.before) == ([0], None)


@pytest.mark.parametrize(
    "path",
    ["/ledger?kind=gossip", "/ledger?body=a%20b", "/ledger?before=-1", "/ledger?before=07", "/ledger?who=lin",
     "/ledger?kind=query&kind=key", "/ledger/witnesses?a=b", "/ledger/policy?format=pdf", "/ledger/checkpoints?before=x"],
)  # fmt: skip
async def test_a_question_that_has_no_sense_is_refused(house: LedgerHouse, path: str) -> None:
    house.ledger.grow(1)
    house.ledger.sign("GA")
    await page(house, path, 400)


@pytest.mark.parametrize(
    "path",
    ["/ledger?shard=2025", "/ledger?shard=../x", "/ledger/2025/entries/0", "/ledger/2026/entries/3",
     "/ledger/2026/entries/-1", "/ledger/2026/entries/00", "/ledger/2026/entries/x", "/ledger/2026/entries/9" + "0" * 20,
     "/ledger/2026/entries/3/proof", "/ledger/2026/entries/3/entry", "/ledger/checkpoints?shard=2025"],
)  # fmt: skip
async def test_what_is_not_published_is_not_shown(house: LedgerHouse, path: str) -> None:
    house.ledger.grow(3)
    house.ledger.sign("GA")
    house.ledger.grow(1)
    await page(house, path, 404)


async def test_one_entry_with_its_proof_in_words_and_as_files(house: LedgerHouse) -> None:
    house.ledger.grow(9)
    house.ledger.sign("GA", "JCY", "FY")
    text = await page(house, "/ledger/2026/entries/4")
    for words in ("第 4 条", "祖庙司法所", "一次查询得到了答复", "经 4 步哈希", "前 9 条", "暂定", "见证 3/5", "GA", "FY",
                  "见证方尚未达到法定数"):  # fmt: skip
        assert words in text, words
    house.ledger.sign("GA", "JCY", "FY", "SFJ")
    text = await page(house, "/ledger/2026/entries/4")
    assert "已封存" in text
    assert "见证方尚未达到法定数" not in text
    raw = (await page(house, "/ledger/2026/entries/4/entry")).encode()
    assert raw == house.ledger.placed[4].entry
    reply = await house.get("/ledger/2026/entries/4/proof")
    assert reply.headers["content-disposition"] == 'attachment; filename="2026-4.tlog-proof"'
    proof = parse_proof(await reply.read())
    assert proof.index == 4
    verify_proof(proof, leaf_hash(raw), parse_policy(await page(house, "/ledger/policy?format=text")))


async def test_what_the_log_says_of_itself_is_shown_whole(house: LedgerHouse) -> None:
    house.ledger.put(bytes(Entry("log", "yimen", AT, b"c" * 32, {"previous": "<b>2025</b>"})))
    house.ledger.sign("GA")
    text = await page(house, "/ledger/2026/entries/0")
    assert "&lt;b&gt;2025&lt;/b&gt;" in text
    assert "<b>2025" not in text


async def test_each_witness_is_told_in_words(house: LedgerHouse) -> None:
    house.ledger.grow(3)
    house.ledger.sign("GA")
    at = AT + timedelta(hours=1)
    house.ledger.health = [
        WitnessHealth("GA", "2026", 3, at),
        WitnessHealth("JCY", "2026", 2, AT, at, "UNREACHABLE"),
        WitnessHealth("FY", "2026", 2, AT, at, "GARBAGE"),
        WitnessHealth("SFJ", "2026", 0, None, at, "UNKNOWN_ORIGIN"),
    ]
    house.ledger.shown = [("x", at, Exhibit("2026", "WITNESS_GARBAGE", "FY", {"received": "secret <garbage>"}))]
    text = await page(house, "/ledger/witnesses")
    cards = dict(re.findall(r'<section class="card">\s*<h2>(\w+)</h2>(.*?)</section>', text, re.DOTALL))
    assert list(cards) == ["GA", "JCY", "FY", "SFJ", "JY"]
    for name, words in {
        "GA": "正常联署",
        "JCY": "没有应答",
        "FY": "应答不对",
        "SFJ": "拒绝联署",
        "JY": "尚未联署过",
    }.items():
        assert words in cards[name], name
    assert "2026年11月25日 10:02" in cards["JCY"]
    assert "3 条" in cards["GA"]
    assert "共 5 方，4 方联署" in text
    assert "WITNESS_GARBAGE" in text
    assert "secret" not in text


async def test_a_halted_log_says_so(house: LedgerHouse) -> None:
    house.ledger.grow(1)
    house.ledger.sign("GA")
    house.ledger.halted = "WITNESS_AHEAD"
    for path in ("/ledger", "/ledger/witnesses"):
        assert "存证日志已停止写入" in await page(house, path)


async def test_checkpoints_over_time(house: LedgerHouse) -> None:
    for names in (("GA",), ("GA", "JCY", "FY"), ("GA", "JCY", "FY", "SFJ"), ()):
        house.ledger.grow(1)
        house.ledger.sign(*names)
    house.ledger.grow(1)
    house.ledger.sign("GA", publish=False)
    text = await page(house, "/ledger/checkpoints")
    cards = re.findall(
        r'<section class="card">\s*<h2>(\d+) 条.*?>(仅日志签名|暂定|已封存) .*?见证 (\d)/5', text, re.DOTALL
    )
    assert cards == [("4", "仅日志签名", "0"), ("3", "已封存", "4"), ("2", "暂定", "3"), ("1", "仅日志签名", "1")]
    beyond = await page(house, "/ledger/checkpoints?before=99")
    assert "<h2>5 条" not in beyond  # signed, not given out yet
    assert "<h2>4 条" in beyond


async def test_the_policy_is_there_to_be_copied_and_names_our_log(house: LedgerHouse) -> None:
    house.ledger.grow(1)
    text = await page(house, "/ledger/policy?format=text")
    policy = parse_policy(text)
    assert [(str(one.key), one.url) for one in policy.logs] == [
        (str(house.ledger.signer.key), "https://yimen.example/ledger/2026")
    ]
    assert policy.groups == parse_policy(WITNESSING).groups
    assert "python -m ledger audit https://yimen.example/ledger/2026" in await page(house, "/ledger/policy")


def test_logs_named_in_the_operators_file_are_left_out() -> None:
    other = MemoryLedger("2020")
    walk = Walk(MemoryLedger(), witnessing=f"log {other.signer.key}\n{WITNESSING}", base_url="")
    assert walk.policy == parse_policy(WITNESSING)


async def test_without_witnesses_the_pages_say_so() -> None:
    walk = Walk(MemoryLedger(), witnessing="", base_url="")
    assert await walk.witnesses() == []
    assert (await walk.policy_text()).endswith("quorum none\n")


async def test_the_verifier_may_run_its_own_script_and_nothing_else(
    house: LedgerHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_pages.resources, "files", lambda _: tmp_path)
    ledger_pages._verifier.cache_clear()
    try:
        await page(house, "/ledger/verifier", 404)
        (tmp_path / "static").mkdir()
        (tmp_path / "static" / "verifier.html").write_text("<style>a{}</style><script>go()</script>")
        ledger_pages._verifier.cache_clear()
        reply = await house.get("/ledger/verifier")
        assert reply.status == 200
        policy = reply.headers["content-security-policy"]
        assert "connect-src" not in policy
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy
    finally:
        ledger_pages._verifier.cache_clear()


def test_every_kind_of_entry_has_its_words() -> None:
    for kind in KINDS:
        assert ledger_pages._kind(kind).zh


@pytest.mark.parametrize("begun", [True, False])
async def test_before_the_first_entry_there_are_pages_that_say_so(
    house: LedgerHouse, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not begun:

        async def none() -> list[object]:
            return []

        monkeypatch.setattr(house.ledger, "shards", none)
    assert "日志刚刚开始" in await page(house, "/ledger")
    assert "尚无" in await page(house, "/ledger/checkpoints")
    assert "尚未联署" in await page(house, "/ledger/witnesses") or begun
    assert "quorum Q" in await page(house, "/ledger/policy")
    assert "witness GA" in await page(house, "/ledger/policy?format=text")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ledger/2026/entries/99", 404), ("/ledger?shard=2025", 404), ("/ledger?kind=gossip", 400), ("/ledger/9/entries/0/proof", 404)],
)  # fmt: skip
async def test_what_there_is_not_is_said_in_the_readers_form(house: LedgerHouse, path: str, status: int) -> None:
    house.ledger.grow(1)
    house.ledger.sign("GA")
    reply = await house.get(path, accept="text/html,*/*;q=0.8")
    text = (await reply.read()).decode()
    assert (reply.status, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert 'href="/ledger"' in text
    reply = await house.get(path)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json; charset=utf-8")

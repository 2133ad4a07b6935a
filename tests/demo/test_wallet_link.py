"""张三's register entry in the demo: away and back, and what his phone gets."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from demo import wallet_link
from demo.gateway_process import GatewayPlan, NotReady
from demo.people import cast
from demo.places import Places

CARD: Mapping[str, Any] = {
    "gateway": "http://127.0.0.1:8400",
    "inbox": "http://127.0.0.1:8400/demo/inbox",
    "sources": [{"code": "GS", "url": "https://gs"}, {"code": "LGB", "url": "http://lgb"}],
}
LINK = "http://127.0.0.1:8400/wallet?credential_offer_uri=http%3A%2F%2F127.0.0.1%3A8400%2Fopenid4vci%2Foffers%2Fabc"
ZHANG = next(one for one in cast() if one.key == wallet_link.WHO)


class Said:
    """The register and `yimen offers create`, both by hand."""

    def __init__(self, code: int = 0, out: str = f"link:\n  {LINK}\n") -> None:
        self.code, self.out = code, out
        self.facts: list[tuple[str, str, Any]] = []
        self.commands: list[list[str]] = []

    def ask(self, places: Places, method: str, url: str, body: object = None) -> Any:
        self.facts.append((method, url, body))
        return {}

    def run(self, command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
        if "gateway.cli" in command:  # whatever else runs in this process is not ours
            self.commands.append(command)
        return subprocess.CompletedProcess(command, self.code, self.out, "no such body")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    made = Said()
    monkeypatch.setattr(wallet_link, "ask", made.ask)
    monkeypatch.setattr(subprocess, "run", made.run)
    monkeypatch.setattr(wallet_link, "environment", lambda places, plan: {})
    return made


def test_away_is_a_fact_at_the_department_and_nothing_else(said: Said, tmp_path: Path) -> None:
    text = wallet_link.move(Places(tmp_path), CARD, away=True)
    ((method, url, body),) = said.facts
    assert (method, url) == ("PUT", "http://lgb/_facts")
    assert body["id_no"] == ZHANG.id_no
    assert body["left_on"]
    assert said.commands == []  # nobody tells the gateway: it finds out
    assert "离开禅城" in text


def test_back_brings_a_fresh_link_to_his_phone(said: Said, tmp_path: Path) -> None:
    text = wallet_link.move(Places(tmp_path), CARD, away=False)
    assert said.facts[0][2]["left_on"] is None
    (command,) = said.commands
    assert "--send" in command
    assert command[command.index("--person") + 1] == ZHANG.id_no
    assert [command[at + 1] for at, word in enumerate(command) if word == "--credential"] == ["residence"]
    assert LINK in text
    assert CARD["inbox"] in text


def test_another_link_may_ask_for_a_code(said: Said, tmp_path: Path) -> None:
    assert wallet_link.another(Places(tmp_path), CARD, tx_code=True) == LINK
    assert wallet_link.another(Places(tmp_path), CARD, tx_code=False) == LINK
    assert ["--tx-code" in one for one in said.commands] == [True, False]
    assert sum(word == "--credential" for word in said.commands[0]) == len(wallet_link.DOCUMENTS)


def test_a_code_that_is_asked_for_is_told_beside_the_link(said: Said, tmp_path: Path) -> None:
    said.out += "领取码 code: 204177  (never together with the link)\n"
    link, code = wallet_link.another(Places(tmp_path), CARD, tx_code=True).splitlines()
    assert (link, code.rpartition(" ")[2]) == (LINK, "204177")


@pytest.mark.parametrize(("code", "out"), [(1, ""), (0, "no link here")])
def test_what_the_command_said_is_passed_on(said: Said, tmp_path: Path, code: int, out: str) -> None:
    said.code, said.out = code, out
    with pytest.raises(ValueError, match="no such body"):
        wallet_link.another(Places(tmp_path), CARD, tx_code=False)
    lines: list[str] = []
    plan = GatewayPlan("cc", 8400, tmp_path)
    assert wallet_link.first_offer(Places(tmp_path), plan, lines.append) == ""  # the demo goes on without it
    assert "no such body" in lines[-1]
    with pytest.raises(NotReady):
        wallet_link.offer(Places(tmp_path), plan, wallet_link.WHO, ["residence"])

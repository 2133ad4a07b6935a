"""The demo's five witnesses: real processes with keys of their own, introduced to a ledger, stopped and started by a visitor."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.gateway_process import GatewayPlan, environment
from demo.places import Places
from demo.processes import Children
from demo.serving import bind
from demo.witnesses import AGENCIES, QUORUM, Witnesses, is_up, show, switch, vkeys_of
from ledger.note import ED25519, Signer, parse_signature, verify_note
from ledger.policy import parse_policy, verify_checkpoint
from ledger.witness.request import write_request
from tests.ledger.witness.logs import Tree

LOG = Signer("chancheng.example/ledger/2026", ED25519, b"l" * 32)
TREE = Tree(origin=LOG.name, signers=(LOG,))


def quiet(_: str) -> None:
    pass


def free() -> int:
    with bind() as probe:
        return int(probe.getsockname()[1])


def write_database(places: Places, name: str, *keys: tuple[str, str]) -> None:
    """The one table the demo looks at; that it is the product's own is held by the last test here."""
    file = places.sub(f"state-{name}") / "yimen.db"
    file.unlink(missing_ok=True)
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE ledger_key (vkey TEXT, state TEXT, at_us INTEGER)")
        database.executemany("INSERT INTO ledger_key VALUES (?, ?, 0)", keys)
    database.close()


@contextmanager
def started(places: Places) -> Iterator[tuple[Witnesses, Children]]:
    children = Children(places.home / "logs")
    try:
        witnesses = Witnesses(places, free(), set(), children, quiet)
        witnesses.start(vkeys_of(places, "cc", retired=True))
        yield witnesses, children
    finally:
        children.stop()


def add(url: str, body: bytes) -> str:
    with urllib.request.urlopen(urllib.request.Request(f"{url}/add-checkpoint", body), timeout=10) as answer:
        return str(answer.read().decode())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_five_of_their_own_cosign_what_the_gateways_policy_takes_for_enough(places: Places) -> None:
    assert vkeys_of(places, "cc") == []
    plan = GatewayPlan("cc", 8400, places.sub("manifests"))
    assert plan.ledger == LOG.name.rpartition("/")[0]
    with started(places) as (witnesses, _):
        write_database(places, "cc", (str(LOG.key), "SIGNING"))
        witnesses.introduce(vkeys_of(places, "cc"))
        file = witnesses.policy(places.home / "policy", plan, [str(LOG.key)])
        policy = parse_policy(file.read_text())
        assert policy.logs[0].url == "http://127.0.0.1:8400/ledger/2026"
        assert len({one.key for one in policy.witnesses.values()}) == len({one.home for one in witnesses.agencies}) == 5
        note = TREE.note(5)
        for number, (name, witness) in enumerate(policy.witnesses.items(), 1):
            line = parse_signature(add(str(witness.url), write_request(0, (), TREE.note(5))))
            note = note.with_signatures([line])
            believed = verify_checkpoint(note, policy)
            assert name in believed.witnesses
            assert believed.satisfied == (number >= QUORUM)
        assert len(verify_note(note, [one.key for one in policy.witnesses.values()])) == 5
        assert all("5 条" in line for line in show({"witnesses": witnesses.card(), "ledger_vkeys": [str(LOG.key)]}))


def test_a_visitor_stops_two_and_starts_them_again(places: Places) -> None:
    write_database(places, "cc", (str(LOG.key), "SIGNING"))
    with started(places) as (witnesses, children):
        witnesses.introduce(vkeys_of(places, "cc"))
        card = {"witnesses": witnesses.card(), "ledger_vkeys": [str(LOG.key)]}
        over = threading.Event()

        def conduct() -> None:
            while not over.wait(0.05):
                witnesses.attend()

        conductor = threading.Thread(target=conduct)
        conductor.start()
        try:
            lines = list(switch(card, "stop", ["GA", "JCY"]))
            assert [line.split()[0] for line in lines if "停" in line] == ["GA", "JCY"]
            assert not any("停" in line for line in switch(card, "start", ["ALL"]))
            with pytest.raises(ValueError, match="GA, JCY"):
                list(switch(card, "stop", ["XX"]))
            (ga,) = [one for one in witnesses.agencies if one.code == "GA"]
            os.kill(children._running[ga.child].pid, signal.SIGKILL)
            while not ga.off():
                over.wait(0.02)
            assert not children.has(ga.child) or not is_up(ga.url)
            assert not any("停" in line for line in switch(card, "start", ["GA"]))
        finally:
            over.set()
            conductor.join()
        assert children.ended() == {}


def test_they_stay_who_they_are_until_the_ledger_is_another(places: Places) -> None:
    write_database(places, "cc", (str(LOG.key), "SIGNING"))
    with started(places) as (witnesses, _):
        witnesses.introduce(vkeys_of(places, "cc"))
        first = [one.vkey for one in witnesses.agencies]
        add(witnesses.agencies[0].url, TREE.request(0, 5))
    new = Signer(LOG.name, ED25519, b"n" * 32)
    write_database(places, "cc", (str(LOG.key), "RETIRED"), (str(new.key), "SIGNING"))  # its key was changed
    assert vkeys_of(places, "cc") == [str(new.key)]
    with started(places) as (witnesses, _):
        witnesses.introduce(vkeys_of(places, "cc"))
        assert [one.vkey for one in witnesses.agencies] == first
        add(witnesses.agencies[0].url, Tree(origin=LOG.name, signers=(new,)).request(5, 7))
    other = Signer(LOG.name, ED25519, b"o" * 32)
    write_database(places, "cc", (str(other.key), "SIGNING"))  # the database was thrown away
    with started(places) as (witnesses, _):
        witnesses.introduce(vkeys_of(places, "cc"))
        assert not set(first) & {one.vkey for one in witnesses.agencies}
        add(witnesses.agencies[0].url, Tree(origin=LOG.name, signers=(other,)).request(0, 5))


def test_a_gateway_is_told_its_ledgers_name_and_witnesses(places: Places) -> None:
    plan = GatewayPlan("sd", 8401, places.sub("manifests"), policy=places.home / "policy")
    given = environment(places, plan)
    assert given["YIMEN_LEDGER_ORIGIN"] == "shunde.example/ledger"
    assert given["YIMEN_LEDGER_WITNESS_POLICY"] == str((places.home / "policy").resolve())
    assert "YIMEN_LEDGER_WITNESS_POLICY" not in environment(places, GatewayPlan("sd", 8401, places.sub("manifests")))


def test_the_table_the_demo_looks_at_is_the_products() -> None:
    from gateway.store.tables.ledger import ledger_key

    assert {"vkey", "state", "at_us"} <= set(ledger_key.c.keys())
    assert list(AGENCIES) == ["GA", "JCY", "FY", "SFJ", "JY"]

"""Starts the departments and the gateways, in order, and says what it does."""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from demo import imports
from demo.accounts import Account, accounts
from demo.card import card_of
from demo.departments import TABLE, profile_of
from demo.gateway_process import GatewayPlan, NotReady, start_gateway, start_seeding, wait_ready, wait_seeded
from demo.identity_provider import start_provider
from demo.people import Register, register
from demo.pki import make_pki
from demo.places import TEMPLATES, TEMPLATES_SD, Places, write_private
from demo.ports import free_port
from demo.processes import Children
from demo.registrations import NEIGHBOUR, client_key
from demo.render import render_manifests, secret_names, write_secrets
from demo.shunde import write_shunde
from demo.wallet_link import first_offer, start_bank
from demo.witnesses import Witnesses, vkeys_of

FIRST_PORT = 9101
LEDGER_KEY = ("ledger", "vkeys")  # makes the key where there is none yet, before the gateway starts
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the visitor asked for on the command line."""

    seed: int = 1
    count: int = 1000
    latency: float = 1.0
    real_hours: bool = False
    port: int = 8400
    first_port: int = FIRST_PORT
    only: tuple[str, ...] = ()  # department codes; empty = all, and Shunde's gateway


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs; `card` is what var/demo.json holds."""

    card: Mapping[str, Any]
    people: Register
    accounts: Sequence[Account]
    witnesses: Witnesses | None = None


def start(places: Places, wishes: Wishes, children: Children, say: Say) -> Demo:
    """Everything, in order. Raises NotReady with a log's end when something does not start."""
    taken: set[int] = set()
    codes = tuple(code for code in TABLE if not wishes.only or code in wishes.only)
    with_shunde = not wishes.only or "SD" in wishes.only
    people = register(wishes.seed, wishes.count)
    make_pki(places.sub("pki"))
    write_secrets(places.sub("secrets"), secret_names(TEMPLATES, TEMPLATES_SD))
    # Our own gateway's key at Shunde's is no plain word: it is the client key of its registration there.
    write_private(places.sub("secrets") / "sd_key", json.dumps(client_key(places.sub("keys"), NEIGHBOUR).jwk()))

    say("启动各部门系统和见证方 / starting the departments and the witnesses")
    witnesses = None if wishes.only else _start_witnesses(places, wishes, children, say, taken)
    urls = _departments(places, wishes, children, say, codes, taken)
    values = _values(places, urls)
    oidc = free_port(wishes.port + 2, taken, say, "OIDC") if not wishes.only else None
    file = places.sub("keys") / "accounts.toml"
    known = accounts(file, None if oidc is None else f"http://127.0.0.1:{oidc}")
    cc = GatewayPlan("cc", free_port(wishes.port, taken, say, "yimen"), places.sub("manifests"), file)
    plans = [cc]
    seeds: list[tuple[GatewayPlan, imports.Commands]] = []
    if with_shunde:
        sd = GatewayPlan("sd", free_port(cc.port + 1, taken, say, "SD"), places.sub("manifests_sd"))
        plans.append(sd)
        values["SD_DATABASE"] = str(write_shunde(places.sub("drops") / "shunde.db", people).resolve())
        values["SD_URL"] = urls["SD"] = sd.url
        values["SD_POLICY"] = str((places.sub("ledger") / "policy-sd").resolve())  # written with the witnesses
        render_manifests(TEMPLATES_SD, sd.manifests, values)
        seeds.append((sd, imports.for_shunde(places, people)))
    written, left_out = render_manifests(TEMPLATES, cc.manifests, values)
    for name in left_out:
        say(f"  未启用 / left out: {name}")
    bank = free_port(wishes.port + 3, taken, say, "银行 bank") if not wishes.only else None
    bank_url = "" if bank is None else f"http://127.0.0.1:{bank}"
    seeds.append((cc, imports.for_chancheng(places, people, bank_url)))
    if oidc is not None:
        cc = plans[0] = replace(cc, oidc=start_provider(places, oidc, cc.url, known, children)[0])
    _seed(places, seeds, children, say)
    if witnesses is not None:
        plans = _witnessed(places, plans, witnesses)
        cc = plans[0]

    say(f"启动网关, {len(written)} 个数据源 / starting the gateway with {len(written)} sources")
    for plan in plans:
        start_gateway(places, plan, children)
    wait_ready(plans, children)
    card = card_of(places, cc, urls, people, known, oidc)
    if witnesses is not None:
        vkeys = [vkey for plan in plans for vkey in vkeys_of(places, plan.name)]
        card |= {"witnesses": witnesses.card(), "ledger_vkeys": vkeys, "ledger_policy": str(cc.policy)}
    if bank is not None:
        start_bank(places, bank, cc.url, children)
        card |= {"bank": bank_url, "wallet": first_offer(places, cc, say)}
    write_private(places.card, json.dumps(card, ensure_ascii=False, indent=2))
    return Demo(card, people, known, witnesses)


def _seed(places: Places, seeds: Sequence[tuple[GatewayPlan, imports.Commands]], children: Children, say: Say) -> None:
    """Import what is not in the databases yet, all gateways at the same time; each has its ledger's key afterwards."""
    due = []
    for plan, commands in seeds:
        wanted: imports.Commands = [] if imports.is_done(places, plan.name, commands) else list(commands)
        if not vkeys_of(places, plan.name):
            wanted.append(LEDGER_KEY)
        if wanted:
            due.append((plan, commands, wanted))
    if due:
        say("导入机构、人员、客户端、案件 / importing bodies, officers, clients and cases")
    running = [(plan, commands, start_seeding(places, plan, wanted, children)) for plan, commands, wanted in due]
    for plan, commands, name in running:
        wait_seeded(name, children)
        imports.done(places, plan.name, commands)


def _start_witnesses(places: Places, wishes: Wishes, children: Children, say: Say, taken: set[int]) -> Witnesses:
    """Early, so that they are up by the time there is a ledger to watch."""
    witnesses = Witnesses(places, wishes.first_port + 100, taken, children, say)
    witnesses.start([vkey for name in ("cc", "sd") for vkey in vkeys_of(places, name, retired=True)])
    return witnesses


def _witnessed(places: Places, plans: Sequence[GatewayPlan], witnesses: Witnesses) -> list[GatewayPlan]:
    """The witnesses know the ledgers, and each gateway knows the witnesses."""
    keys = {plan.name: vkeys_of(places, plan.name) for plan in plans}
    witnesses.introduce([vkey for held in keys.values() for vkey in held])
    files = {plan.name: places.sub("ledger") / f"policy-{plan.name}" for plan in plans}
    return [replace(plan, policy=witnesses.policy(files[plan.name], plan, keys[plan.name])) for plan in plans]


def _departments(
    places: Places, wishes: Wishes, children: Children, say: Say, codes: Sequence[str], taken: set[int]
) -> dict[str, str]:
    """Start them all at once, then wait for each one's line; code -> URL."""
    command = [sys.executable, "-m", "demo.departments"]
    settings = ["--seed", str(wishes.seed), "--count", str(wishes.count), "--latency", str(wishes.latency)]
    settings += ["--pki", str(places.sub("pki")), "--secrets", str(places.sub("secrets")), "--with-parent"]
    if wishes.real_hours:
        settings.append("--real-hours")
    usual = range(wishes.first_port, wishes.first_port + len(codes))  # one that must move moves no other
    for wanted, code in zip(usual, codes, strict=True):
        port = free_port(wanted, taken, say, code, promised=usual)
        directory = ["--directory", str(directory_of(places, code))]
        children.start(code, [*command, code, "--port", str(port), *settings, *directory])
    urls = {}
    for code in codes:
        urls[code] = json.loads(_first_line(children, code))["url"]
        say(f"  {code:<7} {profile_of(code).zh:<16}\t{urls[code]}")
    return urls


def _first_line(children: Children, code: str, timeout_s: float = 60.0) -> str:
    """What a department prints when it listens."""
    output = children.output_of(code)
    ready, _, _ = select.select([output], [], [], timeout_s)
    line = output.readline() if ready else ""
    if not line:
        raise NotReady(f"{code} did not start\n{children.log_of(code)}")
    return line


def directory_of(places: Places, code: str) -> Path:
    """Where a file or database department puts what it gives out."""
    directory = places.sub("drops") / code
    directory.mkdir(exist_ok=True)
    return directory


def _values(places: Places, urls: Mapping[str, str]) -> dict[str, str]:
    """What templates may name: <CODE>_URL, <CODE>_DIR, PKI, SECRETS."""
    values = {f"{code}_URL": url for code, url in urls.items()}
    values |= {f"{code}_DIR": str(directory_of(places, code).resolve()) for code in urls}
    return values | {"PKI": str(places.sub("pki").resolve()), "SECRETS": str(places.sub("secrets").resolve())}

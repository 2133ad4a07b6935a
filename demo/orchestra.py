"""Starts the departments and the gateways, in order, and says what it does."""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.departments import TABLE, profile_of
from demo.gateway_process import (
    CHANCHENG_OFFICER,
    NEIGHBOUR,
    GatewayPlan,
    NotReady,
    seed_token,
    start_gateway,
    wait_ready,
)
from demo.people import Register, register
from demo.pki import make_pki
from demo.places import TEMPLATES, TEMPLATES_SD, Places, write_private
from demo.ports import free_port
from demo.processes import Children
from demo.queries import queries
from demo.render import render_manifests, secret_names, write_secrets
from demo.shunde import write_shunde

FIRST_PORT = 9101
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


def start(places: Places, wishes: Wishes, children: Children, say: Say) -> Demo:
    """Everything, in order. Raises NotReady with a log's end when something does not start."""
    taken: set[int] = set()
    codes = tuple(code for code in TABLE if not wishes.only or code in wishes.only)
    with_shunde = not wishes.only or "SD" in wishes.only
    people = register(wishes.seed, wishes.count)
    make_pki(places.sub("pki"))
    # The plain words the templates ask for; Shunde's token joins them below.
    write_secrets(places.sub("secrets"), secret_names(TEMPLATES, TEMPLATES_SD))

    say("启动各部门系统 / starting the departments")
    urls = _departments(places, wishes, children, say, codes, taken)
    values = _values(places, urls)
    plans = [GatewayPlan("cc", free_port(wishes.port, taken, say, "yimen"), places.sub("manifests"), CHANCHENG_OFFICER)]
    if with_shunde:
        shunde = GatewayPlan(
            "sd", free_port(plans[0].port + 1, taken, say, "SD"), places.sub("manifests_sd"), NEIGHBOUR
        )
        plans.append(shunde)
        values["SD_DATABASE"] = str(write_shunde(places.sub("drops") / "shunde.db", people).resolve())
        values["SD_URL"] = urls["SD"] = shunde.url
        render_manifests(TEMPLATES_SD, shunde.manifests, values)
        write_private(places.sub("secrets") / "sd_token", seed_token(places, shunde))
    written, left_out = render_manifests(TEMPLATES, plans[0].manifests, values)
    for name in left_out:
        say(f"  未启用 / left out: {name}")
    token = seed_token(places, plans[0])

    say(f"启动网关, {len(written)} 个数据源 / starting the gateway with {len(written)} sources")
    for plan in plans:
        start_gateway(places, plan, children)
    wait_ready(plans, children)
    card = _card(plans[0], token, urls, people)
    write_private(places.card, json.dumps(card, ensure_ascii=False, indent=2))
    return Demo(card, people)


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


def _card(plan: GatewayPlan, token: str, urls: Mapping[str, str], people: Register) -> dict[str, Any]:
    """What scripts read. Both aftercare registers live in one department."""
    sources = [(code, url) for code, url in urls.items() if code != "AZBJ"]
    if "AZBJ" in urls:
        sources += [("AZBJ_FS", urls["AZBJ"]), ("AZBJ_N", urls["AZBJ"])]
    return {
        "gateway": plan.url,
        "graphql": f"{plan.url}/graphql",
        "token": token,
        "sources": [{"code": code, "url": url} for code, url in sources],
        "people": [{"name": p.name, "idNo": p.id_no, "note": p.note} for p in people.people if p.note],
        "queries": queries(people),
    }

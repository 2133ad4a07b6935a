"""The real `yimen serve` with three manifests, one for each department of bench.upstreams."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.asker import Asker, asker
from demo.gateway_process import GatewayPlan, environment
from demo.places import Places

# Raw names are the canonical ones, so that no contender has to rename; everything else is as a department's would be.
_MANIFEST = """
[source]
code = "{code}"
title = {{ zh = "测量用{noun}", en = "{noun} for the bench" }}
kind = "rest"
endpoint = "{upstream}"
allow_plain_http = true

[source.limits]
timeout_s = 1.5
batch_size = 100
cache_s = 0

[catalogue]
provider = {{ zh = "测量", en = "Bench" }}
items = {{ zh = "测量", en = "Bench" }}
update_cycle = "REALTIME"
share_class = "C"
condition = {{ zh = "测量", en = "Bench" }}
sensitivity = "PERSONAL"

[[answers]]
noun = "{noun}"
by = ["idNo", "name"]
rank = 10
record_id = "id"
subject = {{ id_no = "idNo", name = "personName" }}

[answers.request]
mode = "batch"
method = "POST"
path = "/{noun}/batch"
body = {{ keys = "{{keys}}" }}
each = {{ idNo = "{{idNo}}", name = "{{name}}" }}
rows = "list"
key_echo = {{ idNo = "idNo" }}

[answers.request.outcome]
path = "code"
ok = ["0"]

[answers.fields]
{fields}
"""
_FIELDS = {
    "residence": 'regNo = "regNo"\naddress = { raw = "address", clean = "address" }\nadmin = "admin"\n'
    'permitNo = "permitNo"',
    "insurance": 'unitName = "unitName"\nunitUscc = { raw = "unitUscc", clean = "uscc" }\n'
    'lastPaidMonth = { raw = "lastPaidMonth", type = "month" }\nkind = { raw = "kind", type = "code", codes = '
    '{ PENSION = "PENSION", UNEMPLOYMENT = "UNEMPLOYMENT", MEDICAL = "MEDICAL" } }',
    "business": 'name = "name"\nuscc = { raw = "uscc", clean = "uscc" }\nrole = { raw = "role", type = "code", codes = '
    '{ LEGAL_REPRESENTATIVE = "LEGAL_REPRESENTATIVE", SHAREHOLDER = "SHAREHOLDER" } }\n'
    'status = { raw = "status", type = "code", codes = { OPERATING = "OPERATING", REVOKED = "REVOKED" } }',
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What to start one gateway with, and the officer who asks it."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    asker: Asker


def prepare(
    home: Path, upstream: str, port: int, *, database_url: str | None = None, keys_url: str | None = None
) -> Prepared:
    """Manifests and an empty database under `home`, or the one that is given. In no event loop."""
    places = Places(home)
    manifests = places.sub("manifests")
    for number, (noun, fields) in enumerate(_FIELDS.items()):
        text = _MANIFEST.format(code=f"B{number}", noun=noun, upstream=upstream, fields=fields)
        (manifests / f"b{number}.toml").write_text(text, encoding="utf-8")
    shutil.rmtree(places.sub("state-bench"))  # a database alone would leave keys behind that nothing opens any more
    plan = GatewayPlan("bench", port, manifests)
    switches = {"YIMEN_RELOAD_POLL_S": "0", "YIMEN_INTROSPECTION": "false", "YIMEN_GRAPHIQL": "false"}
    databases = {"YIMEN_DATABASE_URL": database_url, "YIMEN_SUBJECT_KEYS_URL": keys_url}
    env = environment(places, plan) | switches | {name: url for name, url in databases.items() if url is not None}
    return Prepared((sys.executable, "-m", "demo.as_child", "serve"), env, asyncio.run(asker(env)))


def replica_of(first: Mapping[str, str], number: int, port: int) -> Mapping[str, str]:
    """The environment of one more gateway on the same databases and keys, known by the first one's address."""
    state = Path(first["YIMEN_STATE_DIR"])
    own = state.with_name(f"{state.name}-{number}")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700)
    return {
        **first,
        "YIMEN_PORT": str(port),
        "YIMEN_PUBLIC_URL": f"http://127.0.0.1:{first['YIMEN_PORT']}",
        "YIMEN_STATE_DIR": str(own),
        "YIMEN_MASTER_KEY": (state / "master.key").read_text("ascii").strip(),
        "YIMEN_CREDENTIAL_KEYS_DIR": str(state / "credential-keys"),
    }

"""The real `yimen serve` with three manifests, one for each department of bench.upstreams."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping
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


def prepare(home: Path, upstream: str, port: int) -> tuple[tuple[str, ...], Mapping[str, str], Asker]:
    """Manifests and a database under `home`; returns command, environment and the officer. In no event loop."""
    places = Places(home)
    manifests = places.sub("manifests")
    for number, (noun, fields) in enumerate(_FIELDS.items()):
        text = _MANIFEST.format(code=f"B{number}", noun=noun, upstream=upstream, fields=fields)
        (manifests / f"b{number}.toml").write_text(text, encoding="utf-8")
    shutil.rmtree(places.sub("state-bench"))  # a database alone would leave keys behind that nothing opens any more
    plan = GatewayPlan("bench", port, manifests)
    switches = {"YIMEN_RELOAD_POLL_S": "0", "YIMEN_INTROSPECTION": "false", "YIMEN_GRAPHIQL": "false"}
    env = environment(places, plan) | switches
    return (sys.executable, "-m", "demo.as_child", "serve"), env, asyncio.run(asker(env))

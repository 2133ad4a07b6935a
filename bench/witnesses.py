"""Five real witness processes for a gateway of the bench, four of which seal; the demo's, with directories of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.gateway_process import GatewayPlan
from demo.places import Places
from demo.processes import Children
from demo.witnesses import Agency, Witnesses, vkeys_of

FIRST_PORT = 18_900
_KEY_S = 60


def witnessed(
    home: Path, env: Mapping[str, str], port: int, children: Children, taken: set[int]
) -> tuple[Mapping[str, str], Sequence[Agency]]:
    """For a gateway prepared by `bench.yimen` under `home`: its environment with the policy of five, and who they are."""
    places = Places(home)
    command = (sys.executable, "-m", "demo.as_child", "ledger", "vkeys")
    subprocess.run(command, env=dict(env), check=True, capture_output=True, timeout=_KEY_S)
    vkeys = vkeys_of(places, "bench")
    witnesses = Witnesses(places, FIRST_PORT, taken, children, lambda _: None)
    witnesses.start(vkeys)
    witnesses.introduce(vkeys)
    plan = GatewayPlan("bench", port, places.sub("manifests"))
    policy = witnesses.policy(places.sub("witnesses") / "policy", plan, vkeys)
    return {**env, "YIMEN_LEDGER_WITNESS_POLICY": str(policy.resolve())}, witnesses.agencies

"""An auditor needs Python and `cryptography`, and nothing of ours beside `ledger`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ledger

ROOT = Path(ledger.__file__).parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(Path(ledger.__file__).parent.rglob("*.py"))
    if path.name != "__main__.py"
]
SCRIPT = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_nothing_is_loaded_but_the_standard_library_and_cryptography() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", SCRIPT, str(ROOT), *MODULES], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    # The last two belong to `cryptography`: parts of its compiled half.
    strangers = loaded - sys.stdlib_module_names - {"ledger", "cryptography", "_cffi_backend", "_openssl"}
    assert "ledger" in loaded
    assert not strangers


def test_every_module_is_asked_for() -> None:
    assert {"ledger", "ledger.evidence", "ledger.merkle", "ledger.policy", "ledger.witness"} <= set(MODULES)

"""The wallet's scripts in a real parser of ECMAScript 2017, which is what a WebView of 2017 (Chrome 60) reads."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from gateway.web.wallet.files import PARTS, WORKER, joined
from tests.flows.node_modules_of import installed
from tests.gateway.web.test_audits import node

PARSER = "acorn@8.15.0"
EDITION = 2017
PARSE = """
const { parse } = require(process.argv[1] + '/node_modules/acorn');
const scripts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const faults = {};
for (const [name, text] of Object.entries(scripts)) {
  try { parse(text, { ecmaVersion: Number(process.argv[2]), sourceType: 'script' }) } catch (error) { faults[name] = error.message }
}
process.stdout.write(JSON.stringify(faults));
"""
SOURCE = resources.files("gateway.web").joinpath("static", "wallet")
YOUNGER_PARTS = {  # of the platform, by the first Chrome that has it
    "replaceChildren": 86, "AbortController": 66, "structuredClone": 98, "queueMicrotask": 71, "randomUUID": 92,
    "CompressionStream": 80, "DecompressionStream": 80, "ResizeObserver": 64, "BarcodeDetector": 83, "toggleAttribute": 69,
    "arrayBuffer()": 76, "indexedDB.databases": 72, "import(": 63,
}  # fmt: skip
YOUNGER_STYLES = (
    r"(?<![\w-])(gap|row-gap|column-gap|inset|aspect-ratio)\s*:|clamp\(|:is\(|:where\(|:has\(|@layer|display:\s*grid"
)


def faults(folder: Path, scripts: dict[str, str], edition: int = EDITION) -> dict[str, str]:
    """What the parser says, by script; nothing of those it reads."""
    ran = subprocess.run(
        [node(), "-e", PARSE, str(folder), str(edition)], input=json.dumps(scripts), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def test_every_script_and_the_joined_one_parse_as_ecmascript_2017() -> None:
    scripts = {name: SOURCE.joinpath(name).read_text("utf-8") for name in (*PARTS, WORKER)}
    assert faults(installed("acorn", PARSER), scripts | {"joined": joined().decode()}) == {}


@pytest.mark.parametrize(
    "younger",
    ["a = { ...b }", "try { } catch { }", "a?.b", "a ?? b", "class A { #x }", "import a from 'a'", "a ||= b", "10n",
     "async function f() { for await (const a of b); }", "/(?<=a)b/", "/(?<a>b)/", "/a/s"],
)  # fmt: skip
def test_the_parser_refuses_what_is_younger(younger: str) -> None:
    assert "it" in faults(installed("acorn", PARSER), {"it": younger})


def test_nothing_of_the_platform_is_used_that_such_a_webview_lacks() -> None:
    script = joined().decode()
    assert [name for name in YOUNGER_PARTS if name in script] == []
    # What it may lack is asked for before it is used.
    for name, asked in {
        "navigator.clipboard.": "if (navigator.clipboard)",
        "serviceWorker.": "'serviceWorker' in navigator",
    }.items():
        assert name in script
        assert asked.replace(" ", "") in script.replace(" ", "")


def test_no_rule_of_the_styles_leans_on_what_came_later() -> None:
    """`:focus-visible` stands in a rule of its own: a browser that does not know it keeps its own outline."""
    styles = SOURCE.joinpath("wallet.css").read_text("utf-8")
    assert re.findall(YOUNGER_STYLES, styles) == []
    for rule in re.findall(r"[^{}]*:focus-visible[^{}]*\{([^}]*)\}", styles):
        assert "outline: none" not in rule
    for selector in re.findall(r"([^{}]+)\{[^}]*outline:\s*none", styles):
        assert selector.strip() == "h1:focus"  # a heading takes the focus for screen readers; nobody presses it

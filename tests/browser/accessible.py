"""Whether a page can be used by everybody, as far as a program can tell: axe-core's rules of WCAG 2.1 A and AA."""

from __future__ import annotations

from typing import Any

from tests.flows.node_modules_of import installed

AXE = "axe-core@4.10.3"
_RUN = """async () => {
  const found = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] });
  return found.violations.map((one) => one.id + ': ' + one.nodes.map((node) => node.target.join(' ')).join(', '));
}"""


async def faults_of(page: Any, *, renews: bool = False) -> list[str]:
    """What stands in somebody's way: rule and elements. The page's own policy does not hold the debugger up.

    `renews`: a page without any script that waits for somebody else renews itself, which the rules would rather not have.
    """
    source = (installed("axe-core", AXE) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
    await page.evaluate(source)
    found: list[str] = await page.evaluate(_RUN)
    return [one for one in found if not (renews and one.startswith("meta-refresh"))]

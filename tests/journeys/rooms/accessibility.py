"""What axe-core finds wrong with a page for people who cannot see it, or use a mouse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

__all__ = ["findings"]

AXE = Path(__file__).parents[3] / "web/rooms/node_modules/axe-core/axe.min.js"
RUN = """async () => {
  const { violations } = await axe.run();
  return violations.map(
    ({ id, impact, help, nodes }) => `${id} (${impact}): ${help}: ${nodes.map(({ html }) => html)}`
  );
}"""
STILL = """() => Promise.all(document.getAnimations().map((one) =>
  one.effect?.getComputedTiming().endTime === Infinity ? null : one.finished.catch(() => null)
))"""
"""Colours that are on their way are of no use to anybody."""


def findings(page: Page) -> list[str]:
    """Every rule of it that is broken, and where."""
    if not AXE.exists():
        reason = "not installed: axe-core; `make test` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    page.evaluate(STILL)
    found: list[str] = page.evaluate(RUN)
    return found

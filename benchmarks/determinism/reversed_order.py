"""Runs the tests in the reverse order: `-p benchmarks.determinism.reversed_order`."""

from __future__ import annotations

import pytest


# After every plugin that sorts them, ours too.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.reverse()

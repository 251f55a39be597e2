"""What one test learnt of the hub is no other test's business."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_retrieval_robust.models._files import network


@pytest.fixture(autouse=True)
def unknown_connection() -> Iterator[None]:
    """Nobody has asked the hub yet, under whatever switch."""
    network.forget_failure()
    network.close_sessions()
    yield
    network.forget_failure()
    network.close_sessions()

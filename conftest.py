"""Short option aliases (`--models` for `--robust-models`), pytester, and Hypothesis profiles."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("robust-dev", deadline=None)
settings.register_profile("robust-ci", settings.get_profile("ci"), deadline=None)
settings.load_profile("robust-ci" if os.environ.get("CI") else "robust-dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    from pytest_retrieval_robust.run.options import add_short_aliases

    add_short_aliases(parser)

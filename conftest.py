"""Short option aliases (`--models` for `--robust-models`), pytester, and Hypothesis profiles."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# Few examples, because every run off CI draws others: `--hypothesis-profile robust-many` for many.
EXAMPLES = 25
settings.register_profile("robust-dev", deadline=None, max_examples=EXAMPLES)
settings.register_profile("robust-many", deadline=None, max_examples=300)
# As Hypothesis's own profile "ci", which its oldest versions here do not have yet.
settings.register_profile(
    "robust-ci",
    deadline=None,
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("robust-ci" if os.environ.get("CI") else "robust-dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    from pytest_retrieval_robust.run.options import add_short_aliases

    add_short_aliases(parser)

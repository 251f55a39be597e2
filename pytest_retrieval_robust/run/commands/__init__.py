"""The commands of `python -m pytest_retrieval_robust`: each adds its own parser and runs it.

Everything heavy is imported when a command runs.
"""

from __future__ import annotations

from . import (
    card,
    compare,
    encode,
    fingerprint,
    init,
    inspect,
    leaderboard,
    plan,
    plan_run,
    plot,
    rank,
    serve,
    store,
    suggest,
    table,
)

COMMANDS = (
    init,
    serve,
    inspect,
    compare,
    leaderboard,
    plan,
    suggest,
    plan_run,
    encode,
    store,
    fingerprint,
    rank,
    card,
    table,
    plot,
)
"""In the order in which `--help` lists them."""

"""One plugin, however often a project names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_ENTRY_POINT = "retrieval_robust"
"""The name by which pyproject.toml declares the plugin to pytest."""


def load_once(plugins: pytest.PytestPluginManager, module: str) -> None:
    """Pass over the plugin where it is named again.

    `-p MODULE` on the command line, or `pytest_plugins` in a conftest, may name the
    module beside the entry point. pytest would end with a traceback, because one module
    has two names then. So the name that was not the first is blocked.
    """
    for name in (_ENTRY_POINT, module):
        if not plugins.hasplugin(name):
            plugins.set_blocked(name)

"""Import paths of version 0.1 that documentation or copied suites have named.

They work for one more version, and warn. What a user may import is declared at the
package's root.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

OLD_PATHS: Mapping[str, tuple[str, ...]] = {
    "calling": ("core.foreign", "core.memory", "core.rows", "core.calling"),
    "case": (
        "core.cases",
        "core.outcomes",
        "core.costs",
        "core.searches",
        "core.verdict",
    ),
    "curve": ("retrieval.curve",),
    "errors": ("core.errors",),
    "fixtures": ("run.gate_fixture", "measure.timing.occlusion_timer"),
    "occluders._scene": ("core.encoding", "occluders.scene"),
    "ranking": ("retrieval.ranking",),
    "replay": ("measure.first_ranks", "run.rank_command"),
    "scoring": ("measure.sweep.scores",),
    "session": ("run.session",),
    "timing": ("measure.timing.rounds",),
}
"""Old module -> the modules that now define what it had.

A module comes before those that import from it, so that a name is found at its home.
"""
RENAMED: Mapping[tuple[str, str], str] = {("fixtures", "Gate"): "GateFixture"}
"""(old module, old name) -> the name that it has now."""


def install(package: str) -> None:
    """Let the old import paths of `package` be found."""
    is_installed = any(
        isinstance(finder, _Finder) and finder.package == package
        for finder in sys.meta_path
    )
    if not is_installed:
        sys.meta_path.append(_Finder(package))


class _Finder(MetaPathFinder):
    """Finds the old modules, after every other finder has failed to."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's
    ) -> ModuleSpec | None:
        package, _, module = fullname.partition(".")
        if package != self.package or module not in OLD_PATHS:
            return None
        return ModuleSpec(fullname, _Loader(package, module))


class _Loader(Loader):
    """Makes a module that looks each name up where it is now."""

    def __init__(self, package: str, old_module: str) -> None:
        self.package = package
        self.old_module = old_module

    def exec_module(self, module: ModuleType) -> None:
        def look_up(name: str) -> object:
            return self._moved(name)

        # A module's own `__getattr__`: PEP 562.
        module.__dict__["__getattr__"] = look_up

    def _moved(self, name: str) -> object:
        new_name = RENAMED.get((self.old_module, name), name)
        # Python asks every module for `__path__` and the like: no home is loaded for it.
        is_special = name.startswith("__") and name.endswith("__")
        for home in () if is_special else OLD_PATHS[self.old_module]:
            module = import_module(f"{self.package}.{home}")
            if hasattr(module, new_name):
                self._warn(name, new_name, home)
                return getattr(module, new_name)
        raise AttributeError(
            f"module {self.package}.{self.old_module} has no attribute {name!r}"
        )

    def _warn(self, name: str, new_name: str, home: str) -> None:
        is_public = new_name in sys.modules[self.package].__all__
        place = self.package if is_public else f"{self.package}.{home}"
        # The frames from here to the user's line: `_moved`, `look_up`, and that line.
        warnings.warn(
            f"{self.package}.{self.old_module}.{name} has moved. Import {new_name}"
            f" from {place}: the old path goes with the next version.",
            DeprecationWarning,
            stacklevel=4,
        )

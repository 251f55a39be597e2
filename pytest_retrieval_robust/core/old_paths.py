"""Import paths of version 0.1 that documentation or copied suites have named.

They work for one version more, and warn. What a user may import is declared at the
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
    "calling": ("core.calling",),
    "case": (
        "core.cases",
        "core.outcomes",
        "core.costs",
        "core.searches",
        "core.verdict",
    ),
    "curve": ("retrieval.curve",),
    "errors": ("core.errors",),
    "fixtures": ("run.fixtures",),
    "occluders._scene": ("core.encoding", "occluders.scene"),
    "ranking": ("retrieval.ranking",),
    "replay": ("measure.first_ranks", "run.commands.rank"),
    "scoring": ("measure.sweep.scores",),
    "session": ("run.session",),
    "timing": ("measure.timing.rounds",),
}
"""Old module -> the modules that now define what it had."""
RENAMED: Mapping[tuple[str, str], str] = {("fixtures", "Gate"): "GateFixture"}
"""(old module, old name) -> the name that it has now."""


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
        package, _, old = fullname.partition(".")
        if package != self.package or old not in OLD_PATHS:
            return None
        return ModuleSpec(fullname, _Loader(package, old))


class _Loader(Loader):
    """Makes a module that looks each name up where it is now."""

    def __init__(self, package: str, old: str) -> None:
        self.package = package
        self.old = old

    def exec_module(self, module: ModuleType) -> None:
        def moved(name: str) -> object:
            return self._moved(name)

        # A module's own `__getattr__`: PEP 562.
        module.__dict__["__getattr__"] = moved

    def _moved(self, name: str) -> object:
        now = RENAMED.get((self.old, name), name)
        for home in OLD_PATHS[self.old]:
            module = import_module(f"{self.package}.{home}")
            if hasattr(module, now):
                self._warn(name, now, home)
                return getattr(module, now)
        raise AttributeError(
            f"module {self.package}.{self.old} has no attribute {name!r}"
        )

    def _warn(self, name: str, now: str, home: str) -> None:
        is_public = now in sys.modules[self.package].__all__
        place = self.package if is_public else f"{self.package}.{home}"
        # The frames between here and the import statement: `_moved` and `moved`.
        warnings.warn(
            f"{self.package}.{self.old}.{name} has moved. Import {now} from {place}:"
            " the old path goes with the next version.",
            DeprecationWarning,
            stacklevel=4,
        )


def install(package: str) -> None:
    """Let the old import paths of `package` be found."""
    is_there = any(
        isinstance(finder, _Finder) and finder.package == package
        for finder in sys.meta_path
    )
    if not is_there:
        sys.meta_path.append(_Finder(package))

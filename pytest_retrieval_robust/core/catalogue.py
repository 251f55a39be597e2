"""Catalogues: entries by name. Names, globs and `all` are resolved here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import PurePath
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from .errors import ConfigError, UnknownNameError
from .words import close_words, did_you_mean

_PACKAGE = __name__.partition(".")[0]
_FOLDERS = {"metrics": "retrieval.metrics", "text_noise": "texts.noise"}
"""Families that are not folders of the package itself."""
_WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".tar", ".zip")


class Entry(Protocol):
    """What every catalogue entry has."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...


E = TypeVar("E", bound=Entry)
Register: TypeAlias = Callable[["Catalogue[Any]"], object]
"""Adds entries to the catalogue that it is given."""


class Catalogue(Generic[E]):
    """Entries by name. The package's own files and the entry points are read on first
    use, not before.

    A file of the family's folder, an entry point of the group
    `pytest_retrieval_robust.<family>` and a conftest's `pytest_robust_register` hook
    all do the same thing: they call `add`.
    """

    def __init__(self, kind: str, family: str) -> None:
        self.kind = kind
        self._family = family
        self._entries: dict[str, E] = {}
        self._complete = False

    def add(self, entry: E) -> None:
        """Add an entry; a second one of the same name is an error."""
        if entry.name in self._entries:
            raise ConfigError(
                f"Expected a new name for a {self.kind}, got name={entry.name!r}, which"
                " is registered already. Choose another name or register it once."
            )
        self._entries[entry.name] = entry

    def names(self) -> list[str]:
        self._fill()
        return sorted(self._entries)

    def entries(self) -> list[E]:
        self._fill()
        return [self._entries[name] for name in sorted(self._entries)]

    def get(self, name: str) -> E:
        """The entry of that name; `UnknownNameError` says what is close."""
        self._fill()
        if name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        return self._entries[name]

    def select(self, pattern: str) -> list[str]:
        """The names that an item of a LIST stands for: a name, a glob, or `all`."""
        if pattern == "all":
            return self.names()
        if not is_glob(pattern):
            return [self.get(pattern).name]
        matches = [name for name in self.names() if fnmatchcase(name, pattern)]
        if not matches:
            raise unknown_name(self.kind, pattern, self._entries)
        return matches

    def _fill(self) -> None:
        if self._complete:
            return
        # Before the entries are added: what adds them may ask for names itself.
        self._complete = True
        for register in [*_own_files(self._family), *_entry_points(self._family)]:
            register(self)


def is_glob(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")


def unknown_name(
    kind: str, name: str, known: Iterable[str], argument: str | None = None
) -> UnknownNameError:
    """An error that names what is close to `name`, else everything that is known.

    `argument` is what was given it; by default it is called as the kind is.
    """
    if kind == "model" and _looks_like_a_path(name):
        return _path_for_a_name(name)
    names = sorted(known)
    hint = did_you_mean(close_words(name, names, limit=3))
    if not hint:
        hint = f"Known: {', '.join(names) or 'none'}."
    argument = argument or kind.replace(" ", "_")
    return UnknownNameError(f"Expected a known {kind}, got {argument}={name!r}. {hint}")


def _looks_like_a_path(name: str) -> bool:
    has_separator = "/" in name or "\\" in name
    is_file_name = name.endswith(_WEIGHT_SUFFIXES)
    return has_separator or is_file_name or os.path.exists(name)


def _path_for_a_name(path: str) -> UnknownNameError:
    """The error that says how files and folders are named as models."""
    # Folders of an absolute path may tell of people.
    shown = PurePath(path).name if PurePath(path).is_absolute() else path
    return UnknownNameError(
        f"Expected a known model, got model={shown!r}. Write hf:ORG/NAME for a"
        " repository of the hub, open_clip:ARCH/TAG for a model that open_clip lists"
        " and local-dir:FOLDER for a folder; name a file as checkpoint in a"
        " [models.NAME] table of robust.toml."
    )


def _own_files(family: str) -> list[Register]:
    """`register` of each file of the family's folder that has one, in the order of their names."""
    modules = _public_modules(
        import_module(f"{_PACKAGE}.{_FOLDERS.get(family, family)}")
    )
    return [module.register for module in modules if hasattr(module, "register")]


def _public_modules(package: ModuleType) -> Iterator[ModuleType]:
    """The modules of a folder; those of a folder within it too, unless that is one entry.

    A folder is one entry where its `__init__.py` registers it, as a data set of many
    modules does. Otherwise it only groups entries, as the kinds of occluders do.
    """
    files = iter_modules(package.__path__)
    for file in sorted(files, key=lambda file: file.name):
        if file.name.startswith("_"):
            continue
        module = import_module(f"{package.__name__}.{file.name}")
        yield module
        if file.ispkg and not hasattr(module, "register"):
            yield from _public_modules(module)


def _entry_points(family: str) -> list[Register]:
    installed = _installed(tuple(sys.path))
    return [point.load() for point in installed.select(group=f"{_PACKAGE}.{family}")]


@lru_cache(maxsize=1)
def _installed(_search_path: tuple[str, ...]) -> Any:
    """Entry points of all packages on the search path.

    They are read once for all families, because each reading opens a file per package.
    Python 3.10 has a type of its own for them.
    """
    return entry_points()


class Catalogues:
    """The families that a plugin or conftest may add to:
    `catalogues.models.add(ModelEntry(...))`.
    """

    def __init__(self) -> None:
        self.models: Catalogue[Any] = Catalogue("model", "models")
        self.datasets: Catalogue[Any] = Catalogue("data set", "datasets")
        self.occluders: Catalogue[Any] = Catalogue("occluder", "occluders")
        self.corruptions: Catalogue[Any] = Catalogue("corruption", "corruptions")
        self.text_noise: Catalogue[Any] = Catalogue("text noise", "text_noise")
        self.metrics: Catalogue[Any] = Catalogue("metric", "metrics")
        self.reports: Catalogue[Any] = Catalogue("report", "reports")

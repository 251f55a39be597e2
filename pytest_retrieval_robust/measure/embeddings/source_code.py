"""Which code of the user's own an object follows from: the files of its class, and of
all that these import.

The standard library and installed packages are known by their versions. What is
imported by a name that is computed at run time, and files that code reads as data, are
not seen.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import types
from collections.abc import Iterable, Iterator
from functools import cache, partial
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from ...core.names import LOADED

_PACKAGE = __name__.partition(".")[0]
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_DEPTH = 4
"""From a model to a function within its parts, such as a picture's `prepare` in an encoder."""
_ELEMENTS = 64
"""Of a list or dict, as many are looked into: more are data."""


class UnknownCodeError(Exception):
    """Code that cannot be told from other code."""


def code_of(thing: object) -> bytes:
    """A digest of the user's own code that an object, or a class, follows from.

    Raises `UnknownCodeError` for a class without a file, such as a notebook's, and for
    code that was changed on disk since this process began.
    """
    kinds = [thing] if isinstance(thing, type) else list(_parts(thing))
    names = sorted({name for kind in kinds for name in _modules_of(kind)})
    named = sorted(
        kind.__qualname__
        for kind in kinds
        if isinstance(kind, type) and not _is_installed(kind.__module__)
    )
    return " ".join(named).encode() + _digest_of_modules(names)


def digest_of(files: Iterable[Path | None]) -> bytes:
    """Of code as it was loaded: a file that was changed since this process began may
    hold other code.
    """
    digest = hashlib.sha256()
    for file in files:
        if file is None or file.stat().st_mtime > LOADED:
            raise UnknownCodeError
        digest.update(file.read_bytes() + b"\0")
    return digest.digest()


# The parts of an object


def _parts(thing: object) -> Iterator[type | types.FunctionType]:
    """The classes and functions that an object is made of."""
    waiting: list[tuple[object, int]] = [(thing, 0)]
    seen: set[int] = set()
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen or depth > _DEPTH:
            continue
        seen.add(id(value))
        if isinstance(value, type | types.FunctionType):
            yield value
        else:
            yield type(value)
        waiting += [(part, depth + 1) for part in _within(value)]


def _within(value: object) -> Iterable[Any]:
    if isinstance(value, types.FunctionType):
        return [
            cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)
        ]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)[:_ELEMENTS]
    if isinstance(value, dict):
        return list(value.values())[:_ELEMENTS]
    if isinstance(value, type | types.ModuleType):
        return []
    modules = getattr(value, "modules", None)
    if (
        "torch" in sys.modules
        and isinstance(value, sys.modules["torch"].nn.Module)
        and callable(modules)
    ):
        # All of its layers, however deep: torch's own are installed, a user's may be
        # anywhere among them.
        return [type(layer) for layer in modules()]
    return (
        []
        if _is_installed(type(value).__module__)
        else list(getattr(value, "__dict__", {}).values())
    )


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _modules_of(kind: type | types.FunctionType) -> Iterator[str]:
    """The names of the modules outside of this package that define a class and its
    bases, or a function.
    """
    for one in kind.__mro__ if isinstance(kind, type) else (kind,):
        name = one.__module__
        if (
            name
            and name.partition(".")[0] not in (_PACKAGE, *sys.stdlib_module_names)
            and not _is_installed(name)
        ):
            yield name


# Modules


def _digest_of_modules(names: Iterable[str]) -> bytes:
    """Of these modules and of all of the user's own that they import, with the versions
    of what is installed.
    """
    files: dict[str, Path] = {}
    installed: set[str] = set()
    waiting = [(name, True) for name in names]
    while waiting:
        name, has_to_be = waiting.pop()
        top = name.partition(".")[0]
        if (
            name in files
            or top == _PACKAGE
            or (top in sys.stdlib_module_names and name not in sys.modules)
        ):
            continue
        file = _file_of(name)
        if file is None:
            if has_to_be:
                raise UnknownCodeError
            continue
        if _is_library(file):
            installed.add(top)
            continue
        files[name] = file
        waiting += [(other, False) for other in _imports_of(name, file)]
    words = "".join(f"{name}\0" for name in sorted(files)) + "".join(
        _version_of(top) for top in sorted(installed)
    )
    return hashlib.sha256(
        words.encode() + digest_of(files[name] for name in sorted(files))
    ).digest()


def _imports_of(name: str, file: Path) -> Iterator[str]:
    """The modules that a file may import, wherever in it; some of the names may be
    those of no module.
    """
    if file.suffix != ".py":
        return
    module = sys.modules.get(name)
    package = getattr(module, "__package__", None) or name.rpartition(".")[0]
    for base, names in _import_statements(file):
        try:
            whole = resolve_name(base, package) if base.startswith(".") else base
        except ImportError:
            continue
        words = whole.split(".")
        yield from (".".join(words[: count + 1]) for count in range(len(words)))
        yield from (f"{whole}.{one}" for one in names)


@cache
def _import_statements(file: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ()
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found.append((base, tuple(alias.name for alias in node.names)))
    return tuple(found)


def _file_of(name: str) -> Path | None:
    """The file of a module, loaded or not; None for what is no module, or has no file."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None and name not in sys.modules:
        file = _not_loaded(name)
    path = None if file is None else Path(file)
    return path.resolve() if path is not None and path.is_file() else None


def _not_loaded(name: str) -> str | None:
    """The file of a module that nothing has imported yet; looking for it runs no code."""
    words, where, spec = name.split("."), None, None
    for count in range(len(words)):
        try:
            spec = PathFinder.find_spec(".".join(words[: count + 1]), where)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        where = spec.submodule_search_locations
    return None if spec is None else spec.origin


def _is_installed(name: str) -> bool:
    """Whether a module, by name, is of the standard library or an installed package."""
    top = name.partition(".")[0]
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return top in sys.stdlib_module_names or top in sys.builtin_module_names
    return top != _PACKAGE and _is_library(Path(file).resolve())


@cache
def _is_library(file: Path) -> bool:
    if not _INSTALLED.isdisjoint(file.parts):
        return True
    return any(file.is_relative_to(folder) for folder in _standard_folders())


@cache
def _standard_folders() -> tuple[Path, ...]:
    import sysconfig

    return tuple(
        {Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib")}
    )


@cache
def _version_of(top: str) -> str:
    versions = []
    for name in _distributions().get(top, ()):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{top}: {sorted(versions)}\0"


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())

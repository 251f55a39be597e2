"""The user's own code that an object follows from: the files of its class and their imports.

The standard library and installed packages are known by their versions. An import of a
name that is computed at run time, and files that code reads as data, are not seen.
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
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from ...core.names import LOADED

if TYPE_CHECKING:
    import torch

_PACKAGE = __name__.partition(".")[0]
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_DEPTH = 4
"""How deep an object is searched: from a model to a function within one of its parts."""
_ELEMENTS = 64
"""Elements of a list or dict that are searched: more of them are data."""
Definition: TypeAlias = type | types.FunctionType


class UnknownCodeError(Exception):
    """Code that cannot be told apart from other code."""


def code_of(value: object) -> bytes:
    """A digest of the user's own code that an object, or a class, follows from.

    Raises `UnknownCodeError` for a class without a file, such as a notebook's, and for
    code that was changed on disk since this process began.
    """
    definitions = [value] if isinstance(value, type) else list(_definitions_in(value))
    modules: set[str] = set()
    class_names: list[str] = []
    for definition in definitions:
        modules.update(_own_modules(definition))
        if isinstance(definition, type) and not _is_installed(definition.__module__):
            class_names.append(definition.__qualname__)
    return " ".join(sorted(class_names)).encode() + _digest_of_modules(sorted(modules))


def digest_of(files: Iterable[Path]) -> bytes:
    """A digest of code as it was loaded.

    Raises `UnknownCodeError` for a file that was changed since this process began: what
    was loaded may be other code.
    """
    digest = hashlib.sha256()
    for file in files:
        if file.stat().st_mtime > LOADED:
            raise UnknownCodeError
        digest.update(file.read_bytes() + b"\0")
    return digest.digest()


# The parts of an object


def _definitions_in(value: object) -> Iterator[Definition]:
    """The classes and functions that an object is made of."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    visited: set[int] = set()
    while waiting:
        part, depth = waiting.pop()
        if id(part) in visited or depth > _DEPTH:
            continue
        visited.add(id(part))
        if isinstance(part, type | types.FunctionType):
            yield part
        else:
            yield type(part)
        waiting += [(inner, depth + 1) for inner in _parts_of(part)]


def _parts_of(value: object) -> Iterable[Any]:
    """What is one step inside of a value."""
    if isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        return [cell.cell_contents for cell in cells if _is_filled(cell)]
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
    if _is_torch_module(value):
        # All of its layers, however deep: torch's own are installed, a user's may be
        # anywhere among them.
        return [type(layer) for layer in value.modules()]
    if _is_installed(type(value).__module__):
        return []
    return list(getattr(value, "__dict__", {}).values())


def _is_torch_module(value: object) -> TypeGuard[torch.nn.Module]:
    # Without torch in memory nothing can be one of its modules.
    if "torch" not in sys.modules:
        return False
    is_module = isinstance(value, sys.modules["torch"].nn.Module)
    return is_module and callable(getattr(value, "modules", None))


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _own_modules(definition: Definition) -> Iterator[str]:
    """The names of the user's own modules that define a class and its bases, or a function."""
    kinds = definition.__mro__ if isinstance(definition, type) else (definition,)
    not_own = (_PACKAGE, *sys.stdlib_module_names)
    for kind in kinds:
        name = kind.__module__
        if name and _top(name) not in not_own and not _is_installed(name):
            yield name


# Modules


def _digest_of_modules(names: Iterable[str]) -> bytes:
    """A digest of these modules and of all of the user's own that they import.

    Installed packages among their imports count with their versions.
    """
    files: dict[str, Path] = {}
    installed: set[str] = set()
    waiting = [(name, True) for name in names]
    while waiting:
        name, is_required = waiting.pop()
        if name in files or _is_known_by_version(name):
            continue
        file = _file_of(name)
        if file is None:
            if is_required:
                raise UnknownCodeError
            continue
        if _is_library(file):
            installed.add(_top(name))
            continue
        files[name] = file
        waiting += [(imported, False) for imported in _imports_of(name, file)]
    modules = sorted(files)
    words = "".join(f"{name}\0" for name in modules)
    words += "".join(_version_of(top) for top in sorted(installed))
    code = digest_of(files[name] for name in modules)
    return hashlib.sha256(words.encode() + code).digest()


def _is_known_by_version(name: str) -> bool:
    """Whether a module is this package's, or the standard library's."""
    top = _top(name)
    # A user's module may have a name of the standard library: then it is loaded.
    is_standard = top in sys.stdlib_module_names and name not in sys.modules
    return top == _PACKAGE or is_standard


def _top(name: str) -> str:
    """The top-level package of a module."""
    return name.partition(".")[0]


def _imports_of(name: str, file: Path) -> Iterator[str]:
    """The modules that a file may import, wherever in it.

    Some of the names may be those of no module.
    """
    if file.suffix != ".py":
        return
    module = sys.modules.get(name)
    package = getattr(module, "__package__", None) or name.rpartition(".")[0]
    for base, imported in _import_statements(file):
        try:
            absolute = resolve_name(base, package) if base.startswith(".") else base
        except ImportError:
            continue
        # Importing `a.b.c` imports `a` and `a.b` too.
        words = absolute.split(".")
        for count in range(1, len(words) + 1):
            yield ".".join(words[:count])
        for word in imported:
            yield f"{absolute}.{word}"


@cache
def _import_statements(file: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(module, names imported from it) of each import statement of a file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ()
    statements: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            statements += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            statements.append((base, tuple(alias.name for alias in node.names)))
    return tuple(statements)


def _file_of(name: str) -> Path | None:
    """The file of a module, loaded or not; None if there is no such module or file."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None and name not in sys.modules:
        file = _file_not_loaded(name)
    path = None if file is None else Path(file)
    return path.absolute() if path is not None and path.is_file() else None


def _file_not_loaded(name: str) -> str | None:
    """The file of a module that nothing has imported yet; looking for it runs no code."""
    words = name.split(".")
    search_path = None
    spec = None
    for count in range(1, len(words) + 1):
        try:
            spec = PathFinder.find_spec(".".join(words[:count]), search_path)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        search_path = spec.submodule_search_locations
    return None if spec is None else spec.origin


def _is_installed(name: str) -> bool:
    """Whether a module, by name, is of the standard library or an installed package."""
    top = _top(name)
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return top in sys.stdlib_module_names or top in sys.builtin_module_names
    return top != _PACKAGE and _is_library(Path(file).absolute())


@cache
def _is_library(file: Path) -> bool:
    """Whether a file is of an installed package, or of the standard library."""
    # An installer may link to files that it keeps elsewhere, and folders may be links.
    real_file = file.resolve()
    if not _INSTALLED.isdisjoint((*file.parts, *real_file.parts)):
        return True
    return any(real_file.is_relative_to(folder) for folder in _standard_folders())


@cache
def _standard_folders() -> tuple[Path, ...]:
    import sysconfig

    return tuple(
        {Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib")}
    )


@cache
def _version_of(top: str) -> str:
    """The versions of all that is installed under a top-level name."""
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

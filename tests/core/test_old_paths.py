"""Import paths of version 0.1 work for one more version, and warn."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import pytest_retrieval_robust
from pytest_retrieval_robust.core import old_paths
from pytest_retrieval_robust.core.old_paths import OLD_PATHS, RENAMED

PACKAGE = "pytest_retrieval_robust"
NAMES = {
    "calling": ("encode_reports", "limits_of", "rows_of", "without_frames"),
    "case": ("Case", "Outcome", "CostMeasurement", "BreakingOutcome", "Verdict"),
    "curve": ("Curve",),
    "errors": ("RobustError", "ConfigError"),
    "fixtures": ("Gate", "OcclusionTimer"),
    "occluders._scene": ("Setting", "Scene"),
    "ranking": ("positive_ranks", "top_k"),
    "replay": ("FirstRanks", "ReplayOptions"),
    "scoring": ("scores_of",),
    "session": ("session_of",),
    "timing": ("timed_rounds",),
}
ROOT = Path(pytest_retrieval_robust.__file__).parent
MOVED = [
    (path, name)
    for path, names in NAMES.items()
    for name in names
    # A module that still stands there is found before any old path.
    if not (ROOT / path.replace(".", "/")).with_suffix(".py").exists()
]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Old modules are made anew for each test."""
    yield
    for path in OLD_PATHS:
        module = sys.modules.get(f"{PACKAGE}.{path}")
        if module is not None and is_old(module):
            del sys.modules[module.__name__]


def is_old(module: ModuleType) -> bool:
    return isinstance(module.__loader__, old_paths._Loader)


def new_home(path: str, name: str) -> object:
    """What a name is, found without the old paths."""
    new_name = RENAMED.get((path, name), name)
    for home in OLD_PATHS[path]:
        module = import_module(f"{PACKAGE}.{home}")
        if hasattr(module, new_name):
            return getattr(module, new_name)
    raise AssertionError(f"{path}.{name} has no home")


def old_module(path: str) -> ModuleType:
    return import_module(f"{PACKAGE}.{path}")


def test_every_old_path_is_tried() -> None:
    assert NAMES.keys() == OLD_PATHS.keys()


def test_every_home_exists() -> None:
    homes = {home for path, _ in MOVED for home in OLD_PATHS[path]}
    assert [
        home for home in sorted(homes) if find_spec(f"{PACKAGE}.{home}") is None
    ] == []


@pytest.mark.parametrize(("path", "name"), MOVED)
def test_an_old_path_gives_the_object_and_warns_once(path: str, name: str) -> None:
    module = old_module(path)
    with pytest.warns(
        DeprecationWarning, match=rf"\.{path}\.{name} has moved"
    ) as caught:
        value = getattr(module, name)
    assert value is new_home(path, name)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("from pytest_retrieval_robust.case import Case", "Import Case from {}:"),
        (
            "from pytest_retrieval_robust.fixtures import Gate",
            "Import GateFixture from",
        ),
        (
            "from pytest_retrieval_robust.calling import limits_of",
            "Import limits_of from {}.core.memory:",
        ),
        (
            "import pytest_retrieval_robust.errors as e; e.RobustError",
            "Import RobustError from {}:",
        ),
    ],
)
def test_the_warning_names_the_users_own_line_and_the_new_path(
    statement: str, place: str
) -> None:
    code = compile(f"\n\n{statement}\n", "conftest.py", "exec")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(code, {})
    assert [(warning.filename, warning.lineno) for warning in caught] == [
        ("conftest.py", 3)
    ]
    assert place.format(PACKAGE) in str(caught[0].message)


def test_an_unknown_name_of_an_old_module_is_an_attribute_error() -> None:
    with pytest.raises(
        AttributeError, match=r"module pytest_retrieval_robust\.case has no .*'Cas'"
    ):
        old_module("case").Cas  # noqa: B018


def unknown_name() -> None:
    exec("from pytest_retrieval_robust.case import Cas")


def unknown_module() -> None:
    exec("import pytest_retrieval_robust.cases_of_old")


def of_another_package() -> None:
    exec("import another_package.case")


@pytest.mark.parametrize(
    "statement", [unknown_name, unknown_module, of_another_package]
)
def test_what_never_was_is_an_import_error(statement: Callable[[], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImportError):
            statement()


def test_special_names_load_no_home() -> None:
    module = old_module("session")
    with pytest.raises(AttributeError):
        module.__wrapped__  # noqa: B018


def test_the_finder_is_installed_once() -> None:
    old_paths.install(PACKAGE)
    finders = [f for f in sys.meta_path if isinstance(f, old_paths._Finder)]
    assert [finder.package for finder in finders] == [PACKAGE]

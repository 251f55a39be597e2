"""docs/versions.md, "What may break when": what a version had, the next ones have."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust import __version__
from pytest_retrieval_robust.core.old_paths import OLD_PATHS
from releasing.surface import COLUMNS, Names, gone, middle_number, recorded, surface

WRITE = "run python -m releasing.surface"
_TABLE = f"{COLUMNS}curves"


@pytest.fixture(scope="module")
def now() -> Names:
    return surface()


def test_no_name_goes_within_a_middle_number(now: Names) -> None:
    version, names = recorded()
    if version == middle_number():
        assert gone(names, now) == []


def test_the_record_is_that_of_this_version(now: Names) -> None:
    assert recorded() == (middle_number(), now), WRITE


def test_every_kind_of_name_is_recorded(now: Names) -> None:
    assert [kind for kind, names in now.items() if not names] == []
    assert "--robust-levels" in now["options of pytest"]
    assert "store --limit" in now["commands"]
    assert {"gate", "outcome", "breaking"} <= set(now["fixtures"])
    assert {"gate.recall", "models.checkpoint"} <= set(now["settings of robust.toml"])
    assert "patches(grid)" in now["occluders"]


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ({"commands": ["a", "b"]}, {"commands": ["b", "c"]}, ["commands: a"]),
        ({"commands": ["a"]}, {}, ["commands: a"]),
        ({"commands": ["a"]}, {"commands": ["b", "a"]}, []),
        ({_TABLE: ["k", "l"]}, {_TABLE: ["k", "l", "m"]}, []),
        ({_TABLE: ["k", "l"]}, {_TABLE: ["k", "m", "l"]}, [f"{_TABLE}: l"]),
        ({_TABLE: ["k", "l"]}, {_TABLE: ["k"]}, [f"{_TABLE}: l"]),
    ],
)
def test_what_goes_is_named_and_what_comes_is_not(
    before: Names, after: Names, missing: list[str]
) -> None:
    assert gone(before, after) == missing


def test_old_import_paths_go_with_the_middle_number_after_their_last() -> None:
    """Paths of 0.1 work in 0.2 and go with 0.3: see core/old_paths.py."""
    _, middle = middle_number(__version__).split(".")
    assert int(middle) < 3 or not OLD_PATHS

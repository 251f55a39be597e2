"""What messages show of the user's places and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_retrieval_robust.core.own_frames import CodePlace
from pytest_retrieval_robust.core.shown_values import (
    current_folder,
    shown_place,
    shown_value,
)


def test_a_place_is_shown_from_the_current_folder_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "jane-doe"
    here.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    assert shown_place(here / "out" / "a.md") == str(Path("out/a.md"))
    assert shown_place(tmp_path / "link" / "a.md") == "a.md"
    assert shown_place(Path("out/a.md")) == str(Path("out/a.md"))


def test_without_a_current_folder_the_last_part_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "jane-doe"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    assert current_folder() is None
    assert shown_place(here / "a.md") == "a.md"
    assert shown_place(Path("out/a.md")) == str(Path("out/a.md"))
    assert str(CodePlace(here / "conftest.py", 3, "load")) == "conftest.py:3 in load"


def test_of_a_place_elsewhere_the_last_part_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "jane-doe"))
    assert shown_place(tmp_path / "jane-doe" / "out") == "out"
    assert shown_place(tmp_path / "jane-doe/.cache/kept") == "~/.cache/kept"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (True, "True"),
        (None, "None"),
        ("pateint", "'pateint'"),
        ("", "an empty text"),
        ("/srv/jane-doe/a.csv", "a path or an address"),
        ("C:\\jane-doe", "a path or an address"),
        ("jane:s3cret@host", "a path or an address"),
        (["jane-doe"], "a value of type list"),
        ({"jane": "doe"}, "a value of type dict"),
    ],
)
def test_a_value_is_shown_if_it_is_a_number_or_a_word(
    value: object, shown: str
) -> None:
    assert shown_value(value) == shown

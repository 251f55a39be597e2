"""One new file in a folder of the occluders is a new entry, and documented imports work."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.catalogue import Catalogue, _public_modules

from .generators import FAMILIES

ENTRY = "def register(catalogue):\n    catalogue.append({name!r})\n"
DOCUMENTED = {
    "": ("Occluder", "OccluderEntry"),
    ".area": ("AreaOccluder",),
    ".hashing": ("host_words",),
    ".scene": ("Scene", "Setting"),
    ".severity": ("CELLS", "NEVER", "STEPS", "SeverityOccluder"),
}


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_a_file_of_a_folder_that_groups_entries_is_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "family_of_two/__init__.py": "",
        "family_of_two/alone.py": ENTRY.format(name="alone"),
        "family_of_two/_helpers.py": "raise AssertionError",
        "family_of_two/group/__init__.py": "",
        "family_of_two/group/grouped.py": ENTRY.format(name="grouped"),
        "family_of_two/whole/__init__.py": ENTRY.format(name="whole"),
        "family_of_two/whole/part.py": "raise AssertionError",
    }
    _write(tmp_path, files)
    monkeypatch.syspath_prepend(tmp_path)
    registered: list[str] = []
    for module in _public_modules(import_module("family_of_two")):
        if hasattr(module, "register"):
            module.register(registered)
    assert registered == ["alone", "grouped", "whole"]


def test_every_file_of_an_occluder_is_in_the_catalogue() -> None:
    folder = Path(__file__).parents[2] / "pytest_retrieval_robust" / "occluders"
    registering = [
        file.stem.replace("_", "-")
        for file in folder.rglob("*.py")
        if "def register(" in file.read_text()
    ]
    names = Catalogue("occluder", "occluders").names()
    assert set(registering) <= set(names)
    assert len(registering) == 15


@pytest.mark.parametrize("module", DOCUMENTED)
def test_documented_names_are_where_they_were(module: str) -> None:
    occluders = import_module(f"pytest_retrieval_robust.occluders{module}")
    assert all(hasattr(occluders, name) for name in DOCUMENTED[module])


def test_registration_loads_no_torch() -> None:
    code = (
        f"import sys, importlib\nfor family in {list(FAMILIES)}:\n    module ="
        " importlib.import_module(f'pytest_retrieval_robust.occluders.area.{family}')\n  "
        "  getattr(module, family.title())().name\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

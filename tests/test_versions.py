"""The floors of pyproject.toml are the versions that `make compat` tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pytest_retrieval_robust.core.toml_text import parsed_toml

ROOT = Path(__file__).parent.parent


def project() -> dict[str, Any]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = parsed_toml(text)["project"]
    return table


def pins() -> dict[str, str]:
    """The versions of constraints-oldest.txt by package."""
    found: dict[str, str] = {}
    for line in (ROOT / "constraints-oldest.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, version = line.split("==")
            found[canonicalize_name(name)] = version
    return found


def floors(requirements: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        found[name] = next(
            each.version for each in requirement.specifier if each.operator == ">="
        )
    return found


def is_same(floor: str, pin: str) -> bool:
    """Whether a pin is the first release of its floor: 2.4 and 2.4.0."""
    return re.fullmatch(rf"{re.escape(floor)}(\.0)*", pin) is not None


def test_every_floor_is_what_is_tested_as_the_oldest() -> None:
    tested = pins()
    table = project()
    extras = table["optional-dependencies"]
    for requirements in (table["dependencies"], extras["compat"]):
        for name, floor in floors(requirements).items():
            assert is_same(floor, tested[name]), (name, floor, tested.get(name))


def test_extras_have_no_other_floors_than_what_is_tested() -> None:
    tested = pins()
    for name, requirements in project()["optional-dependencies"].items():
        # Tools of this project alone may need newer ones.
        if name not in ("dev", "benchmarks", "fuzz"):
            for package, floor in floors(requirements).items():
                assert is_same(floor, tested[package]), (name, package)

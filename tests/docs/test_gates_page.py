"""docs/gates.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_retrieval_robust.gate.rules import DEFAULTS, SettingName

PAGE = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()


def test_every_key_is_in_a_table_of_the_page() -> None:
    from pytest_retrieval_robust.gate.toml import KEYS

    rows = "".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    first_cells = re.findall(r"`([a-z_0-9]+)", rows)
    assert set(KEYS) <= set(first_cells)


@pytest.mark.parametrize(
    "setting", [name for name, value in DEFAULTS.items() if value is not None]
)
def test_the_defaults_of_the_page_are_those_of_the_code(setting: SettingName) -> None:
    (shown,) = re.findall(
        rf"^\| `{setting}` \| `(.*?)` \|",
        PAGE,
        re.MULTILINE,
    )
    assert shown.strip('"') == str(DEFAULTS[setting])

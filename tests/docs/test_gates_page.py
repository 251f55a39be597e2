"""docs/gates.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust.gate.rules import DEFAULTS, SettingName
from pytest_retrieval_robust.retrieval.patients import PatientSizes

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


def test_what_50_patients_are_worth_is_what_the_page_says() -> None:
    falling = np.round(20 / np.sqrt(np.arange(1, 51))).astype(np.int64)
    one_of_a_fifth = np.array([50] + [4] * 48 + [8])
    worth = [
        PatientSizes(sizes).degrees_of_freedom
        for sizes in (np.full(50, 5), falling, one_of_a_fifth)
    ]
    assert [f"{number:.2g}" for number in worth] == ["49", "16", "2.5"]
    assert "5 queries each have 49; with 20 to 3 each" in PAGE
    assert "16; if one of the 50 has a fifth of all queries, 2.5" in PAGE

"""docs/gate.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.rules import DEFAULTS, SettingName
from pytest_retrieval_robust.gate.toml import read_policy

ROOT = Path(__file__).parent.parent
PAGES = ("docs/gate.md", "README.md")
BLOCKS = [
    (page, block)
    for page in PAGES
    for block in re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    if "[[gate]]" in block or block.startswith("not_worse")
]


def policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "robust.toml").write_text(text)
    return read_policy(read_config_file(tmp_path / "robust.toml"))


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_every_policy_that_is_shown_can_be_read(
    tmp_path: Path, page: str, block: str
) -> None:
    tables = (
        [block]
        if "[[gate]]" in block
        else [f"[[gate]]\n{line}" for line in block.splitlines()]
    )
    assert all(policy(tmp_path, table).rules for table in tables), page


def test_every_key_is_in_a_table_of_the_page() -> None:
    from pytest_retrieval_robust.gate.toml import KEYS

    rows = "".join(
        line
        for line in (ROOT / "docs/gate.md").read_text().splitlines()
        if line.startswith("| `")
    )
    first_cells = re.findall(r"`([a-z_0-9]+)", rows)
    assert set(KEYS) <= set(first_cells)


@pytest.mark.parametrize(
    "setting", [name for name, value in DEFAULTS.items() if value is not None]
)
def test_the_defaults_of_the_page_are_those_of_the_code(setting: SettingName) -> None:
    (shown,) = re.findall(
        rf"^\| `{setting}` \| `(.*?)` \|",
        (ROOT / "docs/gate.md").read_text(),
        re.MULTILINE,
    )
    assert shown.strip('"') == str(DEFAULTS[setting])

"""docs/robust-toml.md and docs/fixtures.md have every key and fixture, and no others."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from pytest_retrieval_robust import ConfigError
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.model_table import MODEL_KEYS
from pytest_retrieval_robust.datasets._files.choice import Choice
from pytest_retrieval_robust.run import fixtures

from .pages import read, section

TOML = "docs/robust-toml.md"
TABLES = section(TOML, "`[models.NAME]`")


def keys(text: str) -> set[str]:
    """What stands in the first cells of the tables of a text."""
    cells = re.findall(r"^\|([^|]+)\|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_key_of_a_model_is_on_the_page() -> None:
    assert keys(TABLES) == {*MODEL_KEYS, "timeout", "answer_timeout"}


def test_every_option_of_data_sets_of_files_is_on_the_page() -> None:
    options = {field.name for field in fields(Choice)}
    assert options <= keys(section(TOML, "`[datasets.NAME]`"))


def test_every_table_is_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "robust.toml").write_text("[xyz]\n")
    with pytest.raises(ConfigError, match="Known: ") as raised:
        read_config_file(tmp_path / "robust.toml")
    known = str(raised.value).partition("Known: ")[2].rstrip(".").split(", ")
    shown = re.findall(r"^\| `\[*(\w+)[.\w]*\]*` \|", read(TOML), re.MULTILINE)
    assert {*known} <= {*shown}


def test_every_fixture_is_on_the_page() -> None:
    declared = re.findall(
        r"^@pytest\.fixture.*\ndef ([a-z]\w+)\(", inspect.getsource(fixtures), re.M
    )
    assert len(declared) > 10
    assert keys(read("docs/fixtures.md")) == {*declared}

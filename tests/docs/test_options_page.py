"""docs/options.md names every option and command, and no others."""

from __future__ import annotations

import re

import pytest

from pytest_retrieval_robust.run.options import OPTIONS
from training.options_page import table

from .commands import flags_of, help_of_command
from .pages import read, section

PAGE = read("docs/options.md")
COMMANDS = re.findall(
    r"^\| `([\w-]+)[^|]*\| [^|]*\| ?([^|]*)\|$",
    section("docs/options.md", "Commands"),
    re.MULTILINE,
)


def test_the_table_is_made_of_the_options() -> None:
    before, _, rest = PAGE.partition("<!-- options: generated -->\n")
    generated, end, after = rest.partition("\n<!-- options: end -->")
    assert before
    assert end
    assert after
    assert generated == table(), "run python -m training.options_page"


def test_the_table_has_a_row_for_each_option() -> None:
    rows = table().splitlines()[2:]
    assert len(rows) == len(OPTIONS)
    assert {line.count("|") for line in rows} == {5}


def test_the_page_has_every_command() -> None:
    (listed,) = re.findall(r"Expected|\{([\w,-]+)\}", help_of_command("nothing"))[:1]
    assert [name for name, _ in COMMANDS] == sorted_as_shown(listed.split(","))


def sorted_as_shown(names: list[str]) -> list[str]:
    shown = [name for name, _ in COMMANDS]
    return sorted(names, key=lambda name: shown.index(name) if name in shown else 99)


@pytest.mark.parametrize(("name", "shown"), COMMANDS)
def test_a_command_has_the_options_of_its_row(name: str, shown: str) -> None:
    options = {flag for flag in flags_of(help_of_command(name)) if flag[:2] == "--"}
    described = {flag for flag in options if flag.startswith("--robust-")}
    assert flags_of(shown) == options - described - {"--help"}

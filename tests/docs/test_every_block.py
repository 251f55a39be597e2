"""No page has a block that nothing checks, an option that does not exist, or a link to nothing."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from pytest_retrieval_robust import __all__ as public_names
from pytest_retrieval_robust.run.options import OPTIONS

from . import test_console_blocks, test_output_blocks, test_python_blocks
from .commands import flags, flags_of_pytest, unknown_options
from .pages import (
    ALL_PAGES,
    PAGES,
    ROOT,
    Block,
    anchors,
    blocks,
    blocks_of,
    inline_code,
    links,
    read,
)

YAML_BLOCKS = [block for page in PAGES for block in blocks(page, "yaml")]


def is_checked(block: Block) -> bool:
    """Whether one of the modules beside this one looks at it."""
    if block.language == "console":
        return test_console_blocks.is_checked(block)
    if block.language in ("toml", "yaml"):
        return True
    return block.key in {*test_python_blocks.CHECKED, *test_output_blocks.CHECKS}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_checked(page: str) -> None:
    shown = blocks_of(page, read(page))
    assert [block.place for block in shown if not is_checked(block)] == []
    assert len(shown) == read(page).count("```") / 2


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ rm -r cache\n```",
        "```console\nno command\n```",
        "```python\nnothing()\n```",
        "```text\nno check\n```",
        "* item\n\n  ```\n  nothing\n  ```",
        "```sh\nls\n```",
    ],
)
def test_a_block_that_nothing_checks_is_found(text: str) -> None:
    (block,) = blocks_of("docs/new.md", f"{text}\n")
    assert not is_checked(block)


def test_every_check_has_its_block() -> None:
    keys = {block.key for page in PAGES for block in blocks_of(page, read(page))}
    checks = {*test_python_blocks.CHECKED, *test_output_blocks.CHECKS}
    assert checks - keys == set()


@pytest.mark.parametrize("block", YAML_BLOCKS, ids=lambda block: block.place)
def test_a_yaml_block_is_one_and_its_options_exist(block: Block) -> None:
    loaded = YAML(typ="safe", pure=True).load(block.text)
    assert isinstance(loaded, dict | list)
    assert (
        unknown_options(re.sub(r"^ *(- )?(run: )?", "", block.text, flags=re.M)) == []
    )


@pytest.mark.parametrize("page", ALL_PAGES)
def test_inline_commands_and_options_exist(page: str) -> None:
    codes = inline_code(page)
    assert [word for code in codes for word in unknown_options(code)] == []
    ours = [code for code in codes if code.startswith("--robust-")]
    known = flags_of_pytest() | {option.alias for option in OPTIONS}
    # A list such as `--robust-...` names none.
    written = {flag for code in ours for flag in flags([code.split()[0].rstrip(".")])}
    assert written - known - {"--robust-"} == set()


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    missing = []
    for link in links(page):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else ROOT / page
        if not target.exists() or (
            anchor and anchor not in anchors(str(target.relative_to(ROOT)))
        ):
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("page", ALL_PAGES)
def test_names_that_a_page_imports_are_public(page: str) -> None:
    text = "".join(block.text for block in blocks(page, "python"))
    imported = re.findall(
        r"^from pytest_retrieval_robust import (?:\(([^)]*)\)|(.*))", text, re.MULTILINE
    )
    names = {name for pair in imported for name in re.findall(r"\w+", "".join(pair))}
    assert names <= set(public_names)


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {
        link.partition("#")[0].removeprefix("docs/") for link in links("README.md")
    }
    for page in ALL_PAGES:
        for link in links(page):
            linked.add(link.partition("#")[0].rpartition("/")[2])
    names = {page.rpartition("/")[2] for page in ALL_PAGES}
    assert names - {"README.md"} <= linked


@pytest.mark.parametrize("page", ALL_PAGES)
def test_no_page_has_a_place_that_was_to_be_filled_in(page: str) -> None:
    assert re.findall(r"@@\w*@@|\bTODO\b|\bTBD\b", read(page)) == []

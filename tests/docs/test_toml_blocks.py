"""Every policy of a page can be read, every data set of one opened, every model of one chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_retrieval_robust import Catalogues
from pytest_retrieval_robust.core.config_file import ConfigFile, read_config_file
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.run.selected_datasets import named_dataset

from ..conftest import THREE_LINES
from ..datasets.files import trees
from .pages import PAGES, Block, blocks

BLOCKS = [block for page in PAGES for block in blocks(page, "toml")]
ENTRY_POINT = "[project.entry-points."
"""Opens a block for pyproject.toml: `test_python_blocks` loads what it names."""


def tables(block: Block) -> list[str]:
    """The `robust.toml` files that a block shows: lines without a table are alternatives."""
    if block.text.lstrip("# ").startswith("["):
        return [block.text]
    if "\n[" in block.text:
        return [block.text]
    return [f"[[gate]]\n{line}\n" for line in block.text.splitlines()]


def config(folder: Path, text: str, data: Path) -> ConfigFile:
    """The parsed file, with the test's own data in place of `/data`."""
    folder.mkdir(exist_ok=True)
    file = folder / "robust.toml"
    file.write_text(text.replace('"/data/', f'"{data}/'))
    table = [("scans/1.png", "No finding.", "1"), ("scans/2.png", "Effusion.", "2")]
    header = ("image_path", "report", "subject")
    trees.write_table(folder / "data" / "test.csv", header, table)
    for image, _, patient in table:
        trees.save(folder / "data" / image, int(patient))
    return read_config_file(file)


def of_robust_toml() -> list[object]:
    shown = [block for block in BLOCKS if not block.text.startswith(ENTRY_POINT)]
    return [
        pytest.param(text, id=f"{block.place} {number}")
        for block in shown
        for number, text in enumerate(tables(block))
    ]


@pytest.mark.parametrize("text", of_robust_toml())
def test_a_robust_toml_can_be_read_and_its_data_opened(
    text: str, tmp_path: Path, data: Path
) -> None:
    read = config(tmp_path / "suite", text, data)
    assert bool(read_policy(read).rules) == ("[[gate]]" in text)
    for name in configured(read):
        dataset = named_dataset(name, read.datasets, Catalogues().datasets).load()
        assert len(dataset.image_ids) >= 2
        assert len(dataset.reports) >= 1
        assert dataset.image(0).size > (1, 1)
    assert read.gates or read.models or read.datasets or read.tracking


def configured(read: ConfigFile) -> list[str]:
    return [table.name for table in read.datasets]


@pytest.mark.parametrize(
    "text", [text for text in of_robust_toml() if "[models." in str(text)]
)
def test_a_model_of_a_robust_toml_can_be_chosen(
    text: str, pytester: pytest.Pytester, data: Path
) -> None:
    read = config(pytester.path, text, data)
    pytester.makepyfile(THREE_LINES)
    result = pytester.runpytest_inprocess(
        "--collect-only", "-q", "-p", "no:cacheprovider"
    )
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert [
        table.name for table in read.models if table.name not in result.stdout.str()
    ] == []


def test_a_block_of_lines_is_read_line_by_line() -> None:
    block = Block("docs/new.md", "toml", 0, 1, "level = 0.1\nlevel = 0.2\n")
    assert tables(block) == ["[[gate]]\nlevel = 0.1\n", "[[gate]]\nlevel = 0.2\n"]


def test_the_entry_point_is_of_a_family_that_has_them() -> None:
    (shown,) = [block for block in BLOCKS if block.text.startswith(ENTRY_POINT)]
    families: Mapping[str, object] = vars(Catalogues())
    words = re.findall(r"[\w-]*\.([a-z]+)", shown.text.splitlines()[0])
    assert {"models", "datasets", "occluders", "reports"} <= set(words)
    assert set(words) - {"entry"} <= {*families}

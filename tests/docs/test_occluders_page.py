"""`docs/occluders.md` names everything there is, and what it says and shows is so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.measure.from_text import occluder_from_text
from pytest_retrieval_robust.occluders import WHOLE, OccluderEntry
from pytest_retrieval_robust.occluders._donors import DONORS
from pytest_retrieval_robust.occluders.area import AreaOccluder
from pytest_retrieval_robust.occluders.fills import CONTENT_FREE, FILLS
from pytest_retrieval_robust.occluders.guided import GuidedOccluder
from pytest_retrieval_robust.occluders.guided._greedy import (
    search_falls,
    search_worst_order,
)
from pytest_retrieval_robust.occluders.guided._probe import Answers, Search
from pytest_retrieval_robust.occluders.severity import SeverityOccluder

from ..occluders.generators import bits, picture
from .pages import block

PAGE = Path(__file__).parents[2] / "docs" / "occluders.md"
TEXT = PAGE.read_text(encoding="utf-8")
ENTRIES = {entry.name: entry for entry in Catalogues().occluders.entries()}
IDS = ["a", "b", "c"]
LEVELS = [0, 0.1, 0.25, 0.5, 0.9, 1]


def section(title: str) -> str:
    """The part of the page under a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """The rows of a section's tables by what their first cell names."""
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", section(title), flags=re.MULTILINE)
    return dict(found)


def test_every_occluder_has_a_row_and_every_row_an_occluder() -> None:
    assert set(rows("All of them")) == set(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_a_row_has_every_parameter_with_its_default(entry: OccluderEntry) -> None:
    built: Any = entry.build()
    defaults = {f.name: f.default for f in fields(built) if f.name in entry.parameters}
    shown = re.findall(
        r"`(\w+)=([^`]+)`", rows("All of them")[entry.name].split(" | ")[0]
    )
    assert dict(shown) == {name: str(default) for name, default in defaults.items()}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_the_classes_are_those_of_the_page(entry: OccluderEntry) -> None:
    built = entry.build()
    guided = isinstance(built, GuidedOccluder)
    area = isinstance(built, AreaOccluder)
    expected = "Model-guided" if guided else "Area" if area else "Severity"
    found = [
        kind
        for kind, names in re.findall(r"^\* \*\*(.+?)\*\*: (.+?)\.", TEXT, flags=re.M)
        if names_it(entry, names)
    ]
    assert found == [expected]
    assert entry.by_name_only == (guided or entry.name == "regions")


def names_it(entry: OccluderEntry, text: str) -> bool:
    return f"`{entry.name}`" in text


def test_every_fill_has_a_row_that_says_whether_it_is_content_free() -> None:
    found = {fill: cells.split(" | ")[1] for fill, cells in rows("Fills").items()}
    assert found == {fill: "yes" if fill in CONTENT_FREE else "no" for fill in FILLS}
    assert f"from {DONORS} images" in section("Fills")


@pytest.mark.parametrize(
    "heading", ["What the severities hide", "What it does to the embedded encoders"]
)
def test_measured_tables_have_every_severity_occluder(heading: str) -> None:
    drawn = {
        name
        for name, entry in ENTRIES.items()
        if isinstance(entry.build(), SeverityOccluder)
    }
    assert drawn <= set(
        re.findall(
            r"`([^`]+)`",
            "".join(re.findall(r"^\| severity.*", section(heading), re.MULTILINE)),
        )
    )


def test_a_gate_matches_as_the_page_says() -> None:
    names = ["patches", "patches(fill=mean)", "box", "box(grid=8)", "boxes"]
    matched = {
        glob: [name for name in names if fnmatchcase(name, glob)]
        for glob in ("patches*", "box*", "box(*")
    }
    assert matched == {
        "patches*": names[:2],
        "box*": names[2:],
        "box(*": ["box(grid=8)"],
    }


def encodings(search: Search[Any]) -> int:
    """How many encodings a search needs where all cells are alike."""
    count = 0
    versions = next(search)
    while True:
        count += len(versions)
        try:
            versions = search.send(
                Answers(np.zeros(len(versions)), np.zeros(len(versions)))
            )
        except StopIteration:
            return count


def test_guided_occluders_cost_what_the_page_says() -> None:
    cells = ENTRIES["worst"].build().cells ** 2
    for search, count in ((search_falls, 65), (search_worst_order, 888)):
        assert encodings(search(cells)) == count
        assert f"{500 * count:,} for 500 images" in TEXT
    assert (round(888 / cells), round(encodings(search_worst_order(256)) / 256)) == (
        14,
        20,
    )


@pytest.fixture(scope="module")
def example() -> Mapping[str, Any]:
    """What the page's example defines."""
    names: dict[str, Any] = {"__name__": "page"}
    shown = block("docs/extending.md", "python", 6)
    exec(compile(shown.text, shown.place, "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize(
    "name", ["from-below", "from-below(fill=mean,grid=5)", "coin", "coin(radius=40)"]
)
def test_the_example_keeps_the_contract(name: str, example: Mapping[str, Any]) -> None:
    catalogues = Catalogues()
    pixels = picture(3, 3, 64, 64)
    example["pytest_robust_register"](catalogues)
    occluder = occluder_from_text(name, catalogues.occluders)
    assert occluder.name == name
    before = occluder.mask(IDS, 0, 3, 64, WHOLE)
    assert not before.any()
    for level in LEVELS:
        mask = occluder.mask(IDS, level, 3, 64, WHOLE)
        assert not (before & ~mask).any()
        kept = ~mask.expand_as(pixels)
        assert torch.equal(
            bits(occluder.occlude(pixels, IDS, level, 3, WHOLE)[kept]),
            bits(pixels[kept]),
        )
        before = mask


def test_the_examples_occluders_hide_what_they_say(example: Mapping[str, Any]) -> None:
    below = example["FromBelow"]()
    coin = example["Coin"]()
    assert torch.equal(
        below.mask(IDS, 0.5, 0, 16, WHOLE),
        torch.arange(16)[:, None].expand(3, 1, 16, 16) >= 8,
    )
    assert below.shares(IDS, 1, 0) == [1.0] * 3
    assert coin.shares(IDS, 1, 0) == pytest.approx(
        [np.pi * 30**2 / 256**2] * 3, rel=0.01
    )
    masks = coin.mask(IDS, 1, 0, 64, WHOLE)
    assert not torch.equal(masks[0], masks[1])

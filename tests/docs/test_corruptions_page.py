"""`docs/corruptions.md` names every corruption, parameter and published step that there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import load_corruption
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.corruptions import WHOLE, CorruptionEntry
from pytest_retrieval_robust.corruptions._presets import Steps
from pytest_retrieval_robust.corruptions.contrast import RAISED

PAGE = Path(__file__).parents[2] / "docs" / "corruptions.md"
TEXT = PAGE.read_text(encoding="utf-8")
ENTRIES = {entry.name: entry for entry in Catalogues().corruptions.entries()}


def presets_of(entry: CorruptionEntry) -> Mapping[str, Steps]:
    """The published steps of an entry with one number per step."""
    presets: Mapping[str, Any] = getattr(entry.build(), "presets", {})
    return {name: steps for name, steps in presets.items() if isinstance(steps, Steps)}


STEPPED = {name: presets_of(entry) for name, entry in ENTRIES.items()}
STEPPED["contrast(direction=up)"] = RAISED
STEPPED = {name: presets for name, presets in STEPPED.items() if presets}


def rows(title: str) -> dict[str, list[str]]:
    """The cells of a section's tables by what the first one names."""
    section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", section, flags=re.MULTILINE)
    # The first table alone: a generated one may follow.
    cells: dict[str, list[str]] = {}
    for name, rest in found:
        cells.setdefault(name, [cell.strip() for cell in rest.split("|")])
    return cells


def test_every_corruption_has_a_row_and_every_row_a_corruption() -> None:
    assert set(rows("All of them")) == set(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_a_row_has_every_parameter_with_its_default(entry: CorruptionEntry) -> None:
    built: Any = entry.build()
    defaults = {f.name: f.default for f in fields(built) if f.name in entry.parameters}
    parameters, summary = rows("All of them")[entry.name]
    shown = dict(re.findall(r"`(\w+)=([^`]+)`", parameters))
    assert shown == {name: str(default) for name, default in defaults.items()}
    assert ("A switch" in summary) == entry.is_switch


@pytest.mark.parametrize("name", STEPPED)
def test_a_row_has_the_published_steps(name: str) -> None:
    _, *shown = rows("Published severities")[name]
    presets = ("medmnist-c", "robustmedclip", "imagenet-c")
    for preset, cell in zip(presets, shown, strict=True):
        steps = STEPPED[name].get(preset)
        values = list(steps.published) if steps else []
        if name == "quantum-noise":
            values = [round(value**-2) for value in values]
        assert cell == ", ".join(f"{value:g}" for value in values)


def small_sides() -> list[tuple[str, float, int]]:
    """(corruption, severity, side at which nothing changes) of the page's table."""
    table = TEXT.split("**Nothing changes in small pictures.**")[1].split("\n\n")[1]
    lines = re.findall(r"^\| `([^`]+)` \|(.*)\|$", table, flags=re.MULTILINE)
    return [
        (name, (place + 1) / 5, int(side))
        for name, rest in lines
        for place, side in enumerate(rest.split("|"))
    ]


@pytest.mark.parametrize(("name", "severity", "side"), small_sides())
def test_nothing_changes_up_to_the_side_on_the_page_and_something_beyond(
    name: str, severity: float, side: int
) -> None:
    corruption = load_corruption(name)
    for pixels in (side, side + 1):
        # No multiple of a grey level: rounding would be a change too.
        drawn = torch.rand(1, 1, pixels, pixels, generator=torch.Generator())
        picture = drawn.expand(1, 3, -1, -1).contiguous()
        after = corruption.corrupt(picture, ["a"], severity, 0, WHOLE)
        assert torch.equal(after, picture) == (pixels == side)

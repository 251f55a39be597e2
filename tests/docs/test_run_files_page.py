"""docs/run-files.md has every field of a saved run, and every array beside it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from training.run_files_page import bounded, kind_of, tables

from ..saved_runs import make_run
from .pages import read

PAGE = read("docs/run-files.md")


def test_the_tables_are_made_of_the_schema() -> None:
    generated = PAGE.partition("<!-- schema: generated -->\n")[2]
    generated = generated.partition("\n<!-- schema: end -->")[0]
    assert generated == tables(), "run python -m training.run_files_page"


def test_every_array_is_on_the_page(tmp_path: Path) -> None:
    strata = {"view": ["PA", "AP"] * 100}
    made = make_run(tmp_path / "store", strata=strata)
    with np.load(made.save(tmp_path / "run") / "ranks.npz") as arrays:
        names = {name.rpartition("/")[2] for name in arrays}
    assert {"image_ranks", "image_query_key", "image_strata"} <= names
    assert names <= set(re.findall(r"`(?:KEY|DATA)/(\w+)`", PAGE))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": ["string", "null"]}, "text or null"),
        ({"type": "array", "items": {"type": "boolean"}}, "list of: true or false"),
        ({"$ref": "#/$defs/CurveForm"}, "[Curve](#curve)"),
    ],
)
def test_a_field_is_described_by_its_type(field: dict[str, object], words: str) -> None:
    assert kind_of(field) == words


def test_bounds_are_written_out() -> None:
    assert bounded("number", {"minimum": 0, "maximum": 1}) == "number, 0 to 1"
    assert bounded("whole number", {"minimum": 1}) == "whole number from 1"

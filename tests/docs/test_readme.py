"""README.md is short, and what it and the suite that `init` copies say is so."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_retrieval_robust import Curve
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.run.commands.init import copy_suite
from training.readme_page import MODELS, cut, first_block

from .pages import block, read

README = read("README.md")


def test_the_readme_is_read_in_minutes() -> None:
    assert len(README.splitlines()) <= 120


def test_the_test_has_three_lines_and_the_policy_ten() -> None:
    assert len(first_block(README, "python").splitlines()) == 3
    assert len(first_block(README, "toml").splitlines()) <= 10


def test_the_readme_shows_the_models_that_its_generator_measures() -> None:
    shown = block("README.md", "console", 1).text
    assert shown.startswith(f'$ pytest --robust-models "{MODELS}"\n')


def test_the_readmes_output_is_what_is_cut_out_of_a_summary() -> None:
    whole = block("docs/reports.md", "text").text.splitlines()
    kept = cut(whole)
    assert kept[0].endswith("Recall@10 in %")
    assert kept[1].endswith("kept  half")
    assert kept[-1] == whole[-1]
    assert len(kept) < len(whole) / 2


def test_every_member_of_a_curve_that_the_page_names_is_there() -> None:
    cells = [
        line.split("|")[1]
        for line in read("docs/python.md").partition("| of a curve")[2].splitlines()
        if line.startswith("| `")
    ]
    names = set(re.findall(r"`(\w+)", " ".join(cells)))
    functions = {name for name in names if "_" in name and name.startswith("load_")}
    assert {"recall", "to_dataframe", "ks"} <= names
    members = names & {*dir(Curve), *Curve.__dataclass_fields__}
    assert {"recall", "retention", "area", "half_level", "slope"} <= members
    of_changes = {"load_occluder", "load_corruption", "load_text_noise"}
    assert functions == {"load_model", "load_dataset", "load_run"} | of_changes


def test_the_tables_that_are_to_be_filled_in_can_be_read(tmp_path: Path) -> None:
    copy_suite(tmp_path)
    text = (tmp_path / "robust.toml").read_text()
    filled = re.sub(r"^# ?((?:\[|\w+ = ).*)$", r"\1", text, flags=re.MULTILINE)
    assert filled != text
    (tmp_path / "robust.toml").write_text(filled)
    config = read_config_file(tmp_path / "robust.toml")
    assert [table.name for table in config.models] == ["mine"]
    assert [table.name for table in config.datasets] == ["mine"]
    assert config.gates[0]["model"] == "mine"
    assert read_policy(config).rules


def test_the_suite_refers_to_nothing_that_a_wheel_lacks(tmp_path: Path) -> None:
    for file in copy_suite(tmp_path):
        assert not re.search(
            r"docs/|README|ARCHITECTURE|training/", file.read_text()
        ), file.name

"""Strata in a run: chosen in robust.toml or in parentheses, saved, and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.strata import strata_in
from pytest_retrieval_robust.reports.saved.read import load_run

from ..conftest import Run
from ..datasets.files.trees import save, write_table

SITES = ["Rare"] * 3 + ["North"] * 9 + ["South"] * 8
GATES = """
[datasets.ours]
loader = "table"
path = "table.csv"
strata = ["site", "sex", "length"]
smallest_group = 5

[[gate]]
level = 0.0
recall = { 10 = 0.05 }
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A table of 20 patients of their own, and a robust.toml that names its strata."""
    rows = []
    for number, site in enumerate(SITES):
        save(pytester.path / f"{number}.png", number)
        sex = "F" if number < 19 else "M"
        rows.append((f"{number}.png", f"Report {number}.", site, sex))
    header = ["image", "report", "site", "sex"]
    write_table(pytester.path / "table.csv", header, rows)
    (pytester.path / "robust.toml").write_text(GATES)
    return pytester.path


def records_of(folder: Path) -> Any:
    return json.loads((folder / "run.json").read_text())


def test_a_run_saves_groups_that_a_replay_reads(
    run_suite: Run, project: Path, pytester: pytest.Pytester
) -> None:
    result = run_suite(
        "--robust-datasets=ours", "--robust-results=out", "--robust-measure-only"
    )
    assert result.ret == 0
    # The one patient of the other sex is merged with all others.
    result.stdout.fnmatch_lines(
        ["*Expected several groups of the stratum sex of ours, got one: all is*"]
    )
    run = load_run(project / "out")
    site, sex, length = strata_in(run.measured.datasets[0])
    groups = [(group.name, group.images, group.reports) for group in site.groups]
    assert groups == [("North", 9, 9), ("too small", 11, 11)]
    assert [group.kind for group in sex.groups] == ["too small"]
    assert [group.name for group in length.groups] == ["1-10"]
    codes = run.evidence.group_codes("ours", "image-to-report")
    assert codes is not None
    assert codes[0].tolist() == [1] * 3 + [0] * 9 + [1] * 8
    assert "Rare" not in (project / "out/run.json").read_text()

    replayed = pytester.runpytest_inprocess(
        "--robust-replay=out",
        "--robust-results=again",
        "-p",
        "no:cacheprovider",
    )
    # Noise is not recognised: the gate on recall is not met, now as then.
    assert replayed.ret == pytest.ExitCode.TESTS_FAILED
    assert (
        records_of(project / "again")["datasets"]
        == records_of(project / "out")["datasets"]
    )
    assert np.array_equal(
        np.load(project / "again/ranks.npz")["ours/report_strata"],
        np.load(project / "out/ranks.npz")["ours/report_strata"],
    )


def test_strata_change_no_number_and_no_stored_embedding(
    run_suite: Run, project: Path
) -> None:
    options = ("--robust-datasets=ours", "--robust-measure-only")
    assert run_suite(*options, "--robust-results=with").ret == 0
    gates = GATES.replace('strata = ["site", "sex", "length"]\n', "")
    (project / "robust.toml").write_text(gates)
    assert run_suite(*options, "--robust-results=without").ret == 0
    grouped = records_of(project / "with")
    plain = records_of(project / "without")
    del grouped["datasets"][0]["strata"]
    assert grouped["datasets"] == plain["datasets"]
    for ours, theirs in zip(grouped["outcomes"], plain["outcomes"], strict=True):
        assert theirs["timing"].pop("from_store") > 0
        del ours["timing"], theirs["timing"]
        assert ours == theirs


def test_a_misspelt_stratum_is_reported_before_anything_is_measured(
    run_suite: Run, project: Path
) -> None:
    gates = GATES.replace('"site"', '"sit"')
    (project / "robust.toml").write_text(gates)
    result = run_suite("--robust-datasets=ours")
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        ["*Expected a known stratum of ours, got strata='sit'. Did you mean 'site'*"]
    )


def test_inspect_shows_groups_and_hides_small_ones(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert main(["inspect", "ours"]) == 0
    shown = capsys.readouterr().out
    assert "  stratum site (images, reports):\n    North: 9, 9\n" in shown
    assert "too small (merged, because of fewer than 5 patients): 11, 11" in shown
    assert "note: Expected several groups of the stratum length" in shown
    assert "Rare" not in shown


def test_synthetic_strata_are_typed_in_parentheses(
    run_suite: Run, pytester: pytest.Pytester
) -> None:
    dataset = "--robust-datasets=synthetic-cxr(strata=side+device,smallest_group=4)"
    assert run_suite(dataset, "--robust-results=out", "-n0").ret == 0
    run = load_run(pytester.path / "out")
    (described,) = run.measured.datasets
    assert described["name"] == "synthetic-cxr"
    assert [stratum.name for stratum in strata_in(described)] == ["side", "device"]

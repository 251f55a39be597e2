"""`compare` of models of many runs; of two runs see `tests/reports/saved/test_read.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.gate.contenders import Criterion
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.run.commands._side_by_side import CRITERIA

from ...saved_runs import make_run


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("compare")
    runs = {}
    for name, shift in (("best", 0), ("good", 4), ("worst", 200)):
        made = make_run(folder / f"{name} store", 300, shift=shift, models=(name,))
        runs[name] = made.save(folder / name)
    other = make_run(folder / "other store", 300, models=("o",), precision="bf16")
    several = make_run(folder / "several store", 60, models=("m-1", "m-2", "n"))
    return {
        **runs,
        "other": other.save(folder / "other"),
        "several": several.save(folder / "several"),
    }


def test_the_options_words_are_the_criteria() -> None:
    assert tuple(Criterion) == CRITERIA


def test_a_partial_run_is_marked(
    saved: Mapping[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_run(tmp_path / "store", 300, models=("part",))
    partial = made.measured(scope=Scope("-k", "pytest -k x")).save(tmp_path / "part")
    assert compare(saved["best"], saved["good"], partial) == 0
    assert "  part [partial run]\n" in capsys.readouterr().out


def compare(*arguments: object) -> int:
    return main(["compare", *map(str, arguments)])


def test_three_runs_are_set_side_by_side(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(saved["worst"], saved["best"], saved["good"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(
        "d, patches at levels 0, 0.2, 0.4, seed 0, fp32: 300 queries"
    )
    assert "By mean Recall@10 over 3 levels, image-to-report, in %:" in shown
    assert "The order of the first 3 is known: best, good, worst." in shown
    places = [shown.index(f"  {pair}\n") for pair in ("best - good", "good - worst")]
    assert places == sorted(places)


def test_json_has_the_pairs_and_every_number(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = (saved["worst"], saved["best"], saved["good"], saved["other"])
    assert compare(*runs, "--json", "--by", "hardest") == 0
    data = json.loads(capsys.readouterr().out)
    (table,) = data["tables"]
    assert [model["rank"] for model in table["models"]] == [1, 2, 3]
    assert table["not_told_apart"] == []
    values = {model["name"]: model["value"] for model in table["models"]}
    for pair in table["pairs"]:
        difference = values[pair["first"]] - values[pair["second"]]
        assert pair["difference"] == pytest.approx(difference)
        low, high = pair["interval"]
        assert low <= difference <= high
        assert pair["p"] <= pair["adjusted_p"]
        assert pair["told_apart"] == (pair["adjusted_p"] < 0.05)
    (apart,) = data["apart"]
    assert apart["name"] == "o"
    assert apart["reason"].endswith("because of precision='bf16' and there 'fp32'.")


def test_models_of_one_run_are_compared(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(saved["several"]) == 0
    assert "The order of the first 3 is not known" in capsys.readouterr().out
    assert compare(saved["several"], "--models", "m-*") == 0
    shown = capsys.readouterr().out
    assert "m-1 - m-2" in shown
    assert " n\n" not in shown
    assert compare(saved["several"], "--models", "n") == 2
    assert "n stands alone. No other model was measured on d" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert compare(saved["several"], "--models", "z") == 2
    shown = capsys.readouterr().err
    assert "Expected a model with Recall@k at level 0" in shown
    assert "Expected a model of this run (m-1, m-2, n), got models='z'" in shown


def test_a_run_that_takes_no_part_is_named(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = (saved["best"], saved["good"], saved["several"])
    assert compare(*runs, "--models", "best,good") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "several was left out. Expected a model of this run" in shown


def test_two_runs_of_different_models_take_the_option(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(saved["best"], saved["good"]) == 2
    assert "The two have no cell in common" in capsys.readouterr().out
    assert compare(saved["best"], saved["good"], "--models", "*") == 0
    assert "The order of the first 2 is known: best, good." in capsys.readouterr().out


def test_runs_that_may_not_be_compared_are_an_error_that_names_the_field(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(saved["best"], saved["other"], "--models", "*") == 2
    shown = " ".join(capsys.readouterr().out.split())
    assert "o stands alone." in shown
    assert "because of precision='bf16' and there 'fp32'." in shown


def test_two_runs_are_a_candidate_and_its_baseline_in_json_too(
    saved: Mapping[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = make_run(tmp_path / "store", 300, shift=200, models=("best",))
    candidate = worse.save(tmp_path / "worse")
    assert compare(saved["best"], candidate, "--json") == 1
    data = json.loads(capsys.readouterr().out)
    assert len(data["cells"]) == 12
    assert min(cell["difference"] for cell in data["cells"]) < -0.1
    assert compare(saved["best"], candidate) == 1
    printed = capsys.readouterr().out
    assert compare(saved["best"], candidate, "--out", tmp_path / "text") == 1
    assert capsys.readouterr().out == ""
    assert (tmp_path / "text").read_text() == printed


def test_the_picture_is_a_whole_drawing(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    runs = (saved["worst"], saved["best"], saved["good"])
    assert compare(*runs, "--picture", tmp_path / "order.svg") == 0
    drawn = ElementTree.parse(tmp_path / "order.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.tag == f"{space}svg"
    assert len(list(drawn.iter(f"{space}circle"))) == 3
    assert "order of the first 3 is known" in str(drawn.get("aria-label"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ("--policy", "robust.toml"),
            "Expected a baseline and a candidate for --policy",
        ),
        (("--models", "a,,b"), "Expected comma-separated items"),
        (("--out", "."), "Expected a file or nothing at --out"),
    ],
)
def test_what_does_not_fit_is_said(
    saved: Mapping[str, Path],
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    problem: str,
) -> None:
    runs = (saved["worst"], saved["best"], saved["good"])
    assert compare(*runs, *options) == 2
    assert problem in capsys.readouterr().err


def test_a_run_that_is_named_twice_is_refused(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = (saved["best"], saved["good"], saved["best"])
    assert compare(*runs) == 2
    assert "Expected different runs, got the same" in capsys.readouterr().err


def test_a_picture_of_a_baseline_is_refused(
    saved: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(saved["best"], saved["good"], "--picture", "x.svg") == 2
    assert "Add --models '*'." in capsys.readouterr().err

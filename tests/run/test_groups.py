"""Gates on groups in runs of pytest: an embedded encoder on the embedded data set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..conftest import THREE_LINES
from ..forked_runs import forked_pytest
from .encode.suites import OPTIONS, Suite

GATES = """
[[gate]]
too_small = "ignore"

[[gate]]
model = "tiny-*"
worst_group = { strata = "side", k = 10, min = 0.3 }
group_gap = { strata = "side", k = 10, max = 0.6 }
"""
TWO_STRATA = "synthetic-cxr(pairs=90,strata=side+device)"


@dataclass(frozen=True)
class Finished:
    """A run that ended: its folder, exit status and output."""

    folder: Path
    code: int
    output: str

    def data(self) -> dict[str, Any]:
        text = (self.folder / "results" / "run.json").read_text()
        data: dict[str, Any] = json.loads(text)
        return data


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run for all tests that look at its record."""
    folder = tmp_path_factory.mktemp("groups")
    (folder / "test_mine.py").write_text(THREE_LINES)
    (folder / "robust.toml").write_text(GATES)
    options = [
        "--robust-models=tiny-cxr-clip-robust",
        f"--robust-datasets={TWO_STRATA}",
        "--robust-levels=0.3",
        "--robust-no-cache",
        "--robust-results=results",
        "--robust-report=report.html",
        "--robust-report=report.md",
        "-pno:cacheprovider",
    ]
    ended = forked_pytest(folder, *options)
    return Finished(folder, int(ended.ret), ended.stdout.str())


def test_a_run_is_judged_and_shown_by_group(finished: Finished) -> None:
    assert finished.code == 0, finished.output
    assert "RELEASE GATE: PASSED (4 gates met)" in finished.output
    assert "groups: tiny-cxr-clip-robust on synthetic-cxr(pairs=90)" in finished.output
    gates = {verdict["gate"] for verdict in finished.data()["verdicts"]}
    assert gates == {
        "worst_group@10 by side image-to-report",
        "group_gap@10 by side image-to-report",
    }
    for name in ("report.html", "report.md"):
        text = (finished.folder / name).read_text()
        assert "By group" in text
        assert "right" in text


def test_the_numbers_of_groups_are_those_of_the_saved_ranks(finished: Finished) -> None:
    data = finished.data()
    [dataset] = data["datasets"]
    names = [stratum["name"] for stratum in dataset["strata"]]
    with np.load(finished.folder / "results" / "ranks.npz") as arrays:
        codes = arrays[f"{dataset['name']}/image_strata"]
        ranks = {
            outcome["case"]["level"]: arrays[f"{outcome['ranks_key']}/image_ranks"]
            for outcome in data["outcomes"]
        }
    shown = 0
    for cell in data["groups"]:
        if cell["direction"] != "image-to-report" or cell["k"] != 10:
            continue
        line = names.index(cell["stratum"])
        known = [group["name"] for group in dataset["strata"][line]["groups"]]
        for group in cell["groups"]:
            own = codes[line] == known.index(group["name"])
            assert group["queries"] == int(own.sum())
            if group["recall"] is not None:
                hits = ranks[cell["case"]["level"]][own] <= 10
                assert group["recall"] == pytest.approx(hits.mean())
                shown += 1
    assert shown >= 4


def test_a_replay_says_the_same_by_group(
    finished: Finished, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text(GATES)
    results = finished.folder / "results"
    options = ("--robust-replay", str(results), "-pno:cacheprovider")
    again = pytester.runpytest_inprocess(*options, "--robust-report=again.json")
    assert again.ret == 0
    data = json.loads((pytester.path / "again.json").read_text())
    assert data["verdicts"] == finished.data()["verdicts"]
    assert data["groups"] == finished.data()["groups"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (
            'worst_group = { strata = "device", k = 10, min = 0.99 }',
            "of the worst group of device",
        ),
        (
            'worst_group = { strata = "sex", k = 10, min = 0.1 }',
            "was measured without the stratum sex, with side, device",
        ),
    ],
)
def test_a_replay_fails_by_a_group(
    finished: Finished, pytester: pytest.Pytester, limit: str, expected: str
) -> None:
    policy = f'[[gate]]\nlevel = 0.3\n{limit}\ntoo_small = "ignore"\n'
    (pytester.path / "robust.toml").write_text(policy)
    results = finished.folder / "results"
    options = ("--robust-replay", str(results), "-pno:cacheprovider")
    again = pytester.runpytest_inprocess(*options)
    assert again.ret == 1
    output = " ".join(again.stdout.str().split())
    assert expected in output
    assert "RELEASE GATE: FAILED" in output


@pytest.mark.usefixtures("one_thread")
def test_a_stratum_that_the_data_has_not_is_an_error_before_anything_is_encoded(
    pytester: pytest.Pytester,
) -> None:
    Suite(pytester.path).write()
    policy = '[[gate]]\nworst_group = { strata = "sides", k = 10, min = 0.3 }\n'
    (pytester.path / "robust.toml").write_text(policy)
    options = [
        option
        for option in OPTIONS
        if not option.startswith(("--robust-measure-only", "--robust-datasets"))
    ]
    dataset = "--robust-datasets=synthetic-cxr(pairs=24,strata=side)"
    result = pytester.runpytest_inprocess(*options, dataset, "--robust-no-cache")
    assert result.ret == 1
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines(
        [
            "*ConfigError: robust.toml, line 1: this gate has no groups. Expected a known"
            " stratum of synthetic-cxr(pairs=24), got strata='sides'. Did you mean 'side'?"
            " Name it among the strata of the data set, *"
        ]
    )
    result.stdout.no_fnmatch_line("*Recall@10 in %*")

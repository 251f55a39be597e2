"""The search as a test of a suite: asked for by a gate or an option, judged, summed up, saved."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pytest_retrieval_robust.reports.saved.read import SCHEMA_FILE

pytestmark = pytest.mark.usefixtures("one_thread")
SUITE = """
def test_breaking_occlusion(breaking, gate):
    assert gate.breaking_violations(breaking) == []
"""
WITH_RECALL = SUITE + "def test_recall(clean_outcome): pass\n"
SMALL = (
    "--robust-models=tiny-cxr-clip",
    "--robust-limit=24",
    "--robust-search-grid=4",
    "-p",
    "no:cacheprovider",
)
GATE = (
    '[[gate]]\nmodel = "tiny-cxr-clip"\nbreaking_share = {{ k = 5, quantile = 0.5, min'
    " = {}, images = {} }}\n"
)


def run(pytester: pytest.Pytester, *options: str, gate: str = "") -> pytest.RunResult:
    # A gate on it is judged where the model is known to retrieve anything.
    pytester.makepyfile(test_mine=WITH_RECALL if gate else SUITE)
    (pytester.path / "robust.toml").write_text(gate)
    return pytester.runpytest_inprocess(*SMALL, *options)


def test_without_a_gate_nothing_is_searched(pytester: pytest.Pytester) -> None:
    result = run(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        [
            "*no gate asks for the breaking share of tiny-cxr-clip;"
            " --robust-search-images*"
        ]
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(["RELEASE GATE: FAILED because nothing was measured*"])


def test_an_option_asks_for_the_search_and_the_summary_tells_of_it(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        "--robust-search-images=3",
        "--robust-k=5",
        "-v",
        "--robust-measure-only",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            (
                "synthetic-cxr: smallest hidden area that pushes the report out of the"
                " top 5"
            ),
            "in % of the image (upper bounds); 3 images, 4 x 4 cells, black",
            "* 5 %   25 %   50 %   75 %   found  encodings",
            "tiny-cxr-clip *",
            (
                "tiny-cxr-clip on synthetic-cxr: mean fall of the right report's score"
                " by hidden cell"
            ),
            "MEASURED ONLY (smoke run: the first 24 pairs; 1 measurement)",
        ]
    )


@pytest.mark.parametrize(
    ("floor", "verdict", "said"),
    [
        (0.001, 0, "1 gate met, 1 cell ungated)"),
        (0.0, 1, "RELEASE GATE: NOT JUDGED"),
        (0.99, 1, "*below the floor of 0.9900*"),
    ],
)
def test_a_gate_is_met_or_not(
    pytester: pytest.Pytester, floor: float, verdict: int, said: str
) -> None:
    result = run(pytester, gate=GATE.format(floor, 3))
    assert result.ret == verdict
    assert said.strip("*") in " ".join(result.stdout.str().split())


def test_too_few_images_for_a_quantile_are_inconclusive(
    pytester: pytest.Pytester,
) -> None:
    result = run(pytester, gate=GATE.format(0.001, 1))
    assert result.ret == 1
    assert "the 50 % quantile takes 2. Search more images" in " ".join(
        result.stdout.str().split()
    )
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because 1 of 1 gate was inconclusive"]
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{ k = 10 }", "line 2: expected { k = 10, quantile = 0.05, min = 0.03 }"),
        ("{ k = 0, quantile = 0.1, min = 0.1 }", "a whole k from 1"),
        ("{ k = 1, quantile = 1, min = 0.1 }", "a quantile above 0 and below 1"),
        ("{ k = 1, quantile = 0.1, min = 3 }", "a min from 0 to 1"),
        ("{ k = 1, quantile = 0.1, min = 0, images = 0 }", "a whole images from 1"),
        ("{ k = 1, quantile = true, min = 0 }", "numbers for quantile and min"),
        ("{ k = 1, quantile = 0.1, min = 0, grids = 3 }", "expected {"),
    ],
)
def test_a_gate_that_is_written_wrong_says_where(
    pytester: pytest.Pytester, written: str, said: str
) -> None:
    result = run(pytester, gate=f"[[gate]]\nbreaking_share = {written}\n")
    assert result.ret == 4
    assert said in result.stderr.str()


@pytest.fixture
def saved(pytester: pytest.Pytester) -> Path:
    assert (
        run(
            pytester,
            "--robust-search-images=3",
            "--robust-results=out",
            "-n1",
            "--robust-measure-only",
        ).ret
        == 0
    )
    return pytester.path / "out"


@pytest.mark.usefixtures("forked_workers")
def test_the_saved_run_holds_shares_maps_and_masks(saved: Path) -> None:
    """Through a worker: what it found crosses to the controller."""
    data = json.loads((saved / "run.json").read_text())
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text()))
    (search,) = data["breaking"]
    assert np.shape(search["sensitivity"]["rows"]) == (4, 4)
    with np.load(saved / "ranks.npz", allow_pickle=False) as arrays:
        masks = arrays[f"{search['arrays_key']}/breaking_mask"]
        before, after = (
            arrays[f"{search['arrays_key']}/rank_{when}"]
            for when in ("before", "after")
        )
    there = before <= search["k"]
    assert sorted(masks[there].mean(axis=(1, 2)).tolist()) == pytest.approx(
        search["shares"]
    )
    assert (after[there] > search["k"]).all()
    assert (
        (saved / "sensitivity-tiny-cxr-clip-synthetic-cxr.png")
        .read_bytes()
        .startswith(b"\x89PNG")
    )


COUNTING = """
from pathlib import Path
from pytest_retrieval_robust import ModelEntry, load_model

class Counting:
    name = "counting"
    device = "cpu"

    def __init__(self):
        self.inner = load_model("tiny-cxr-clip", device="cpu")
        self.card = self.inner.card
        self.prepare = self.inner.prepare
        self.encode_images = self.inner.encode_images

    def encode_reports(self, texts):
        with Path("batches.txt").open("a") as file:
            print(len(texts), file=file)
        return self.inner.encode_reports(texts)

def pytest_robust_register(catalogues):
    entry = ModelEntry("counting", "notes its batches", lambda request: Counting())
    catalogues.models.add(entry)
"""


def test_reports_that_the_sweep_has_stored_are_not_encoded_again(
    pytester: pytest.Pytester,
) -> None:
    # Code that is younger than the process is not known, and nothing of it is stored.
    os.utime(pytester.makeconftest(COUNTING), (0, 0))
    pytester.makepyfile(test_mine=WITH_RECALL)
    gate = GATE.format(0.01, 2).replace("tiny-cxr-clip", "counting")
    (pytester.path / "robust.toml").write_text(gate)
    options = (*SMALL, "--robust-models=counting", "--robust-cache-dir=cache")
    assert pytester.runpytest_inprocess(*options).ret == 0
    batches = (pytester.path / "batches.txt").read_text().split()
    assert batches.count("24") == 1

"""Edited reports in a run: measured where the option or a gate asks, saved, judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SUITE = """
from pytest_retrieval_robust import Counterfactuals, GateFixture, Outcome

def test_counterfactuals(counterfactuals: Counterfactuals, gate: GateFixture) -> None:
    assert gate.counterfactual_violations(counterfactuals) == []

def test_recall(outcome: Outcome, clean_outcome: Outcome, gate: GateFixture) -> None:
    assert gate.violations(outcome, clean_outcome) == []
"""
CONFTEST = """
import numpy as np
import pytest
from pytest_retrieval_robust import (
    DatasetEntry, EditedReports, ModelEntry, ReportEdit, dataset_from_lists,
    encoder_from_callables,
)

SECRET = "secret-patient"
PAIRS = 40

def rows(values):
    greys = np.asarray(values, dtype=np.float32)
    return np.stack([np.cos(greys), np.sin(greys)], axis=1)

def encode_images(pixels):
    return rows(np.asarray(pixels).max(axis=(1, 2, 3)) * 3)

def encode_reports(texts):
    return rows([int(text.split()[1]) / 255 * 3 for text in texts])

class Edited:
    def __init__(self, dataset, edits):
        self._dataset, self._edits = dataset, edits

    def __getattr__(self, name):
        return getattr(self._dataset, name)

    def edited_reports(self):
        return EditedReports(self._edits, PAIRS, "exact")

def load(edited):
    greys = [20 + 5 * number for number in range(PAIRS)]
    images = [np.full((16, 16), grey, np.uint8) for grey in greys]
    texts = [f"grey {grey} {SECRET}" for grey in greys]
    name = "greys" if edited else "plain"
    dataset = dataset_from_lists(name, images, texts)
    if not edited:
        return dataset
    edits = [
        ReportEdit(number, "side" if number % 2 else "own word", "swapped",
                   f"grey {grey + (2 if number % 4 else 0)} {SECRET} edited")
        for number, grey in enumerate(greys)
    ]
    return Edited(dataset, edits)

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("grey-reader", "", lambda request: (
        encoder_from_callables("grey-reader", encode_images, encode_reports, size=16)
    )))
    for name, edited in (("greys", True), ("plain", False)):
        catalogues.datasets.add(
            DatasetEntry(name, "", lambda edited=edited: load(edited))
        )
"""
CHOICES = (
    "--robust-models=grey-reader",
    "--robust-datasets=greys",
    "--robust-levels=0,0.2",
    "--robust-corruptions=contrast",
    "--robust-severities=0,0.6",
    "--robust-k=1,5",
    "--robust-no-cache",
    "-p",
    "no:cacheprovider",
)
OPTION = "--robust-counterfactuals"


@pytest.fixture(autouse=True)
def _files(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_suite=SUITE)


def _gate(pytester: pytest.Pytester, text: str) -> None:
    (pytester.path / "robust.toml").write_text(f"[[gate]]\n{text}\n")


def _saved(folder: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return run


def test_the_option_measures_every_cell_and_replays_to_the_same(
    pytester: pytest.Pytester,
) -> None:
    _gate(pytester, 'counterfactual = { kind = "side", min = 0.9 }')
    done = pytester.runpytest_inprocess(
        *CHOICES, OPTION, "--robust-results=out", "--robust-report=out.html"
    )
    run = _saved(pytester.path / "out")
    cells = [
        (one["case"]["occluder"], one["case"]["level"])
        for one in run["counterfactuals"]
    ]
    assert cells == [("none", 0.0), ("contrast", 0.6), ("patches", 0.2)]
    clean = run["counterfactuals"][0]
    shares = {share["kind"]: share["share"] for share in clean["kinds"]}
    # Every fourth edit has the grey of its report: a tie, which is lost.
    assert shares == {"side": 1.0, "own word": 0.5}
    assert clean["overall"]["share"] == 0.75
    assert clean["unseen"] == 10
    assert clean["with_distractors"]["distractors"] == 40
    verdicts = [v for v in run["verdicts"] if v["gate"].startswith("counterfactual")]
    assert [(v["gate"], v["verdict"]) for v in verdicts] == [
        ("counterfactual side", "pass")
    ]
    done.stdout.fnmatch_lines(["*own report beats an edit*", "*grey-reader*75.0*"])
    page = (pytester.path / "out.html").read_text()
    assert 'id="edits"' in page
    for text in (page, json.dumps(run), str(done.stdout)):
        assert "secret-patient" not in text
    again = pytester.runpytest_inprocess(
        *CHOICES, "--robust-replay=out", "--robust-results=again"
    )
    assert again.ret == done.ret
    replayed = _saved(pytester.path / "again")
    assert replayed["counterfactuals"] == run["counterfactuals"]
    assert replayed["verdicts"] == run["verdicts"]


def test_a_gate_alone_measures_its_own_cells(pytester: pytest.Pytester) -> None:
    _gate(
        pytester,
        'corruption = "contrast"\ncounterfactual = { kind = "own word", min = 0.8 }',
    )
    done = pytester.runpytest_inprocess(
        *CHOICES, "-k", "counterfactuals", "--robust-results=out"
    )
    done.assert_outcomes(failed=1, deselected=4)
    run = _saved(pytester.path / "out")
    cells = [one["case"]["occluder"] for one in run["counterfactuals"]]
    assert cells == ["none", "contrast"]
    done.stdout.fnmatch_lines(["*win share over edits of kind own word*below*0.800*"])


def test_without_option_and_gate_nothing_is_measured(
    pytester: pytest.Pytester,
) -> None:
    done = pytester.runpytest_inprocess(
        *CHOICES, "-rs", "--robust-measure-only", "--robust-results=out"
    )
    done.assert_outcomes(skipped=1, passed=4)
    done.stdout.fnmatch_lines(["*SKIPPED*--robust-counterfactuals compares*"])
    assert "counterfactuals" not in _saved(pytester.path / "out")


def test_a_kind_without_edits_fails_its_gate(pytester: pytest.Pytester) -> None:
    _gate(pytester, 'counterfactual = { kind = "device", min = 0.6 }')
    done = pytester.runpytest_inprocess(*CHOICES, "-k", "counterfactuals")
    done.assert_outcomes(failed=1, deselected=4)
    done.stdout.fnmatch_lines(["*not measured*no report has an edit of kind 'device'*"])


def test_data_without_edits_is_skipped_and_fails_where_a_gate_asks(
    pytester: pytest.Pytester,
) -> None:
    plain = (*CHOICES, "--robust-datasets=plain", "-k", "counterfactuals", "-rs")
    done = pytester.runpytest_inprocess(*plain, OPTION, "--robust-measure-only")
    done.assert_outcomes(skipped=1, deselected=4)
    done.stdout.fnmatch_lines(["*plain has no edited reports*"])
    _gate(pytester, "counterfactual = { min = 0.6 }")
    done = pytester.runpytest_inprocess(*plain)
    done.assert_outcomes(errors=1, deselected=4)
    done.stdout.fnmatch_lines(["*Expected edits of the reports of plain*"])


@pytest.mark.usefixtures("forked_workers")
def test_workers_measure_the_same(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.runpytest_inprocess(*CHOICES, OPTION, "--robust-results=one")
    pytester.runpytest_inprocess(*CHOICES, OPTION, "-n1", "--robust-results=two")
    one = _saved(pytester.path / "one")
    two = _saved(pytester.path / "two")
    assert two["counterfactuals"] == one["counterfactuals"]

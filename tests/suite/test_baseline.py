"""A whole suite beside the run of an earlier one, as a user meets it: a real model,
before and after it got worse.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_retrieval_robust.reports.saved.read import content_digest

from ..conftest import THREE_LINES

BASELINE_TEST = """
def test_not_worse(robustness_curves, gate):
    assert gate.baseline_violations(robustness_curves) == []
"""
MODEL = """
import os
import pytest
from pytest_retrieval_robust.models import ModelEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    from pytest_retrieval_robust import load_model

    class Worse:
        def __init__(self, model, noise):
            self._model, self._noise, self.name = model, noise, "ours"

        def __getattr__(self, name):
            return getattr(self._model, name)

        def encode_images(self, pixels):
            import torch
            rows = self._model.encode_images(pixels)
            noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(1))
            return torch.nn.functional.normalize(rows + self._noise * noise, dim=1)

    def load(request):
        return Worse(load_model("tiny-cxr-clip", device="cpu"), float(os.environ.get("NOISE", "0")))

    catalogues.models.add(ModelEntry("ours", "our candidate", load))
"""
GATES = """
[[gate]]
model = "ours"
recall = { 10 = 0.1 }
not_worse_than_baseline = { k = 10, margin = 0.05 }
"""
OPTIONS = (
    "--robust-models=ours",
    "--robust-datasets=synthetic-cxr(pairs=150)",
    "--robust-levels=0,0.1",
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_recall=THREE_LINES, test_baseline=BASELINE_TEST)
    pytester.makeconftest(MODEL)
    (pytester.path / "robust.toml").write_text(GATES)
    return pytester


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs a baseline leaves it for the others."""
    return tmp_path_factory.mktemp("saved") / "base"


@pytest.fixture
def with_baseline(project: pytest.Pytester, saved: Path) -> pytest.Pytester:
    if not saved.exists():
        _save_baseline(project)
        shutil.copytree(project.path / "base", saved)
    else:
        shutil.copytree(saved, project.path / "base")
    return project


def _save_baseline(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess(*OPTIONS, "--robust-results=base")
    result.assert_outcomes(passed=2, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*Baseline gates were skipped: no baseline given.*",
            "RELEASE GATE: PASSED (2 gates met, 1 gate with*",
        ]
    )


def test_the_same_model_passes_and_a_worse_one_fails(
    with_baseline: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = (*OPTIONS, "--robust-baseline=base", "--robust-results=mine")
    same = with_baseline.runpytest_inprocess(*compared)
    same.assert_outcomes(passed=3)
    assert same.ret == 0
    same.stdout.fnmatch_lines(
        ["against the baseline of *", "RELEASE GATE: PASSED (3 gates met)"]
    )
    monkeypatch.setenv("NOISE", "0.4")
    worse = with_baseline.runpytest_inprocess(*compared, "--junitxml=junit.xml")
    worse.assert_outcomes(passed=2, failed=1)
    assert worse.ret == 1
    worse.stdout.fnmatch_lines(
        [
            "failed: ours on synthetic-cxr(pairs=150), patches, 2 levels pooled,*",
            "*FAILED because 1 of 3 gates was not met",
        ]
    )
    assert (
        "a loss beyond the margin of 0.05"
        in (with_baseline.path / "junit.xml").read_text()
    )
    data = json.loads((with_baseline.path / "mine/run.json").read_text())
    assert {
        v["verdict"] for v in data["verdicts"] if v["gate"].startswith("not_worse")
    } == {"fail"}


@pytest.mark.usefixtures("forked_workers")
def test_a_worker_judges_as_one_process_does(
    with_baseline: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISE", "0.4")
    result = with_baseline.runpytest_inprocess(
        *OPTIONS, "--robust-baseline=base", "-n1"
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: FAILED because 1 of 3 gates was not met"]
    )


def test_k_changes_no_verdict(
    with_baseline: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gates that share out a false block are those that were planned, not those
    that were run.
    """
    monkeypatch.setenv("NOISE", "0.2")
    sentences = []
    for narrowed in ((), ("-k", "not_worse")):
        compared = ("--robust-baseline=base", "--robust-results=mine")
        with_baseline.runpytest_inprocess(*OPTIONS, *compared, *narrowed)
        data = json.loads((with_baseline.path / "mine/run.json").read_text())
        sentences.append(
            [
                v["sentence"]
                for v in data["verdicts"]
                if v["gate"].startswith("not_worse")
            ]
        )
    assert sentences[0] == sentences[1] != []


def test_a_baseline_that_is_not_there_yet_is_a_state_of_its_own(
    project: pytest.Pytester,
) -> None:
    result = project.runpytest_inprocess(
        *OPTIONS, "--robust-baseline=nowhere", "--robust-results=first"
    )
    result.assert_outcomes(passed=2, skipped=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*There is no baseline yet: --robust-baseline names 'nowhere', *",
            "*because there is no baseline to compare with",
        ]
    )
    assert (project.path / "first/run.json").is_file()


def test_a_smoke_run_is_not_compared(with_baseline: pytest.Pytester) -> None:
    result = with_baseline.runpytest_inprocess(
        *OPTIONS, "--robust-baseline=base", "--robust-limit=50"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*not comparable with*", "*the baseline cannot be compared with*"]
    )


def test_other_data_is_named_before_any_number(with_baseline: pytest.Pytester) -> None:
    run = with_baseline.path / "base/run.json"
    data = json.loads(run.read_text())
    data["datasets"][0]["relevance"] = "strict-id"
    data["run"]["content_sha256"] = content_digest(data)
    run.write_text(json.dumps(data))
    result = with_baseline.runpytest_inprocess(*OPTIONS, "--robust-baseline=base")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*Expected the same relevance rule of synthetic-cxr(pairs=150) in both runs*"]
    )


def test_a_cell_that_was_skipped_leaves_its_gates_unjudged(
    project: pytest.Pytester,
) -> None:
    body = THREE_LINES.replace(
        "    assert", "    pytest.skip() if outcome.case.level else None\n    assert"
    )
    project.makepyfile(test_recall=f"import pytest\n{body}", test_baseline="")
    assert (
        project.runpytest_inprocess(*OPTIONS).ret == 0
    )  # the skipped test had its outcome, which is judged
    project.makepyfile(
        test_recall=f"import pytest\n@pytest.mark.skip\n{THREE_LINES.strip()}\n"
    )
    assert project.runpytest_inprocess(*OPTIONS).ret == 1
    project.makepyfile(
        test_recall="""
        def test_clean(clean_outcome, gate):
            assert gate.violations(clean_outcome, clean_outcome) == []
        """
    )
    result = project.runpytest_inprocess(*OPTIONS)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*No test of this run measured what the policy gates:*", "*were not judged"]
    )

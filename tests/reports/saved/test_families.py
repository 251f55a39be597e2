"""Runs of corruptions and text noise are saved and read like those of occlusions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.saved.read import SavedRunError, load_run

from ...saved_runs import Made, make_run

GATES = """
[[gate]]
recall = { 10 = 0.3 }
decide = "bound"

[[gate]]
corruption = "*"
recall = { 10 = 0.1 }
auc = { 10 = 0.4 }
half_level = { 10 = 0.9 }
not_worse_than_baseline = { k = 10, margin = 0.05 }

[[gate]]
corruption = "jpeg"
severity = 0.6
recall = { 10 = 0.9 }
retention = { 10 = 0.99 }

[[gate]]
text_noise = "typing"
direction = "report-to-image"
recall = { 10 = 0.4 }
slope = { 10 = -0.1 }
not_worse_than_baseline = { k = 10, margin = 0.2, over = "cells" }
"""


def three_families(folder: Path, **choices: Any) -> Made:
    """A run with one name in two families, which must not be mixed up."""
    choices = {
        "corruptions": ("jpeg", "patches"),
        "text_noise": ("typing",),
        **choices,
    }
    return make_run(folder, **choices)


def judged(made: Made, other: Made, folder: Path) -> RunRecord:
    (folder / "robust.toml").write_text(GATES)
    policy = read_policy(read_config_file(folder / "robust.toml"))
    return judge_run(made.run, policy, Against(other.run))


def changed(made: Made, folder: Path, change: Callable[[Any], None]) -> Path:
    def without_digest(data: Any) -> None:
        del data["run"]["content_sha256"]
        change(data)

    return made.save(folder, without_digest)


def test_a_run_of_three_families_is_judged_alike_after_it_was_saved(
    tmp_path: Path,
) -> None:
    mine = three_families(tmp_path / "a", shift=30, seeds=(0, 1), studies=2)
    theirs = three_families(tmp_path / "b", seeds=(0, 1), studies=2)
    before = judged(mine, theirs, tmp_path)
    read = Made(load_run(mine.save(tmp_path / "mine")), mine.store)
    baseline = Made(load_run(theirs.save(tmp_path / "theirs")), theirs.store)
    after = judged(read, baseline, tmp_path)
    assert read.run.measured.plan == mine.run.measured.plan
    assert read.run.measured.outcomes == mine.run.measured.outcomes
    assert after.verdicts == before.verdicts
    assert after.intervals == before.intervals
    assert after.layouts == before.layouts
    assert {layout.family for layout in after.layouts} == {
        "occlusion",
        "corruption",
        "text-noise",
    }
    said = {verdict.verdict for verdict in after.verdicts}
    assert {"pass", "fail"} <= said
    assert not [gate for gate in after.warnings if "No test of this run" in gate]


def test_sentences_call_the_levels_of_a_corruption_severities(tmp_path: Path) -> None:
    made = three_families(tmp_path / "a", shift=30)
    record = judged(made, three_families(tmp_path / "b"), tmp_path)
    for verdict in record.verdicts:
        if verdict.case.family == "occlusion":
            assert "severit" not in verdict.sentence
        else:
            assert "level" not in verdict.sentence.replace("half_level", "")
    sentences = [verdict.sentence for verdict in record.verdicts]
    assert any(
        "ours on d, jpeg at severity 0.6, seed 0, image-to-report: Recall@10 is"
        in sentence
        for sentence in sentences
    )
    assert any("half severity of Recall@10" in sentence for sentence in sentences)
    assert any("4 severities pooled" in sentence for sentence in sentences)


def test_a_run_of_occlusions_alone_is_written_as_before(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", seeds=(0, 1)).save(tmp_path / "run")
    text = (folder / "run.json").read_text()
    plan = json.loads(text)["run"]["plan"]
    assert set(plan) == {"models", "datasets", "occluders", "levels", "seeds", "ks"}
    assert '"family"' not in text


def test_the_family_of_a_case_is_part_of_its_ranks(tmp_path: Path) -> None:
    def as_occlusions(data: Any) -> None:
        data["run"]["plan"]["occluders"] += ["jpeg"]
        for outcome in data["outcomes"]:
            if outcome["case"]["occluder"] == "jpeg":
                outcome["case"].pop("family", None)

    folder = changed(three_families(tmp_path / "a"), tmp_path / "run", as_occlusions)
    with pytest.raises(SavedRunError, match="with its own ranks"):
        load_run(folder)


def test_a_corruption_that_the_run_was_not_asked_for_is_noticed(
    tmp_path: Path,
) -> None:
    def forget(data: Any) -> None:
        data["run"]["plan"]["corruptions"] = ["patches"]

    folder = changed(three_families(tmp_path / "a"), tmp_path / "run", forget)
    with pytest.raises(
        SavedRunError,
        match="cells of corruptions of the run's plan alone, got cells of jpeg",
    ):
        load_run(folder)


def test_an_unknown_family_breaks_the_schema(tmp_path: Path) -> None:
    def rename(data: Any) -> None:
        data["outcomes"][-1]["case"]["family"] = "sound"

    folder = changed(three_families(tmp_path / "a"), tmp_path / "run", rename)
    with pytest.raises(SavedRunError, match="breaks its schema"):
        load_run(folder)


@pytest.mark.parametrize("left_out", ["contrast", "a severity"])
def test_a_gate_on_a_corruption_that_no_test_measured_is_not_met(
    tmp_path: Path, left_out: str
) -> None:
    made = make_run(tmp_path / "a", corruptions=("jpeg", "contrast"))
    kept = [
        outcome
        for outcome in made.run.measured.outcomes
        if outcome.case.occluder != "contrast"
        or (left_out == "a severity" and outcome.case.level != 0.6)
    ]
    (tmp_path / "robust.toml").write_text(
        '[[gate]]\ncorruption = "*"\nrecall = { 10 = 0.01 }\n'
    )
    policy = read_policy(read_config_file(tmp_path / "robust.toml"))
    record = judge_run(made.measured(outcomes=tuple(kept)).run, policy, Against())
    assert not record.release.is_green
    assert any("not judged" in failure for failure in record.failures)
    assert any("contrast at severity" in warning for warning in record.warnings)


def test_a_curve_that_lacks_a_severity_is_not_judged(tmp_path: Path) -> None:
    made = make_run(tmp_path / "a", corruptions=("jpeg",))
    kept = [each for each in made.run.measured.outcomes if each.case.level != 0.6]
    (tmp_path / "robust.toml").write_text(
        '[[gate]]\ncorruption = "*"\nauc = { 10 = 0.01 }\n'
    )
    policy = read_policy(read_config_file(tmp_path / "robust.toml"))
    record = judge_run(made.measured(outcomes=tuple(kept)).run, policy, Against())
    assert not record.release.is_green


def test_a_baseline_without_the_corruption_decides_nothing(tmp_path: Path) -> None:
    mine = three_families(tmp_path / "a")
    theirs = make_run(tmp_path / "b")
    record = judged(mine, theirs, tmp_path)
    pooled = [
        verdict
        for verdict in record.verdicts
        if verdict.gate.is_pooled and verdict.case.family == "corruption"
    ]
    assert {verdict.verdict for verdict in pooled} == {"inconclusive"}
    assert "corruptions, severities and seeds" in pooled[0].sentence


def test_a_candidate_that_lacks_the_corruption_of_its_baseline_fails(
    tmp_path: Path,
) -> None:
    mine = make_run(tmp_path / "a")
    theirs = make_run(tmp_path / "b", corruptions=("jpeg",))
    record = judge_run(mine.run, Policy(), Against(theirs.run))
    assert record.baseline is not None
    (sentence,) = record.baseline.vanished
    assert "ours on d, jpeg at severity 0, seed 0 and 3 more" in sentence

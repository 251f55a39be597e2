"""A cell of a corruption or text noise that changed nothing passes no gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.cases import Family
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.outcomes import Outcome
from pytest_retrieval_robust.core.verdict import GateKind, Verdict
from pytest_retrieval_robust.gate.pairing import Run
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy

from ..saved_runs import make_run

GATES = """
[[gate]]
{selector} = "*"
recall = {{ 10 = 0.05 }}
retention = {{ 10 = 0.05 }}
auc = {{ 10 = 0.05 }}
metric = {{ told = 0.05 }}
not_worse_than_baseline = {{ k = 10, margin = 0.5, over = "cells" }}

[[gate]]
occluder = "*"
recall = {{ 10 = 0.05 }}
"""
CELL_KINDS = {GateKind.RECALL, GateKind.RETENTION, GateKind.BASELINE}
Altered = Mapping[float, float | None]
"""The share that was changed, by severity."""


def with_altered(run: Run, altered: Altered) -> Run:
    """The run, as if its other families had changed these shares."""

    def told(outcome: Outcome) -> Outcome:
        if outcome.case.family == "occlusion":
            return outcome
        scores = outcome.image_to_report
        return replace(
            outcome,
            image_to_report=replace(scores, metrics={"told": 0.9}),
            altered=altered.get(outcome.case.level),
        )

    outcomes = tuple(map(told, run.measured.outcomes))
    return replace(run, measured=replace(run.measured, outcomes=outcomes))


def judged(
    folder: Path,
    altered: Altered,
    *,
    family: Family = "corruption",
    gates: str = GATES,
    before: str = "",
    studies: int = 1,
) -> RunRecord:
    selector = family.replace("-", "_")
    policy = folder / "robust.toml"
    policy.write_text(before + gates.format(selector=selector))
    names = {f"{'corruptions' if family == 'corruption' else 'text_noise'}": ("x",)}
    mine = make_run(folder / "mine", studies=studies, **names).run  # type: ignore[arg-type]
    theirs = make_run(folder / "theirs", studies=studies, **names).run  # type: ignore[arg-type]
    mine = with_altered(mine, altered)
    return judge_run(mine, read_policy(read_config_file(policy)), Against(theirs))


def verdicts_at(run: RunRecord, level: float) -> list[Verdict]:
    """Those on cells of the corruption or noise."""
    return [
        verdict
        for verdict in run.verdicts
        if verdict.case.family != "occlusion"
        and verdict.case.level == level
        and verdict.gate.kind in CELL_KINDS
    ]


@pytest.mark.parametrize(
    ("family", "what"), [("corruption", "images"), ("text-noise", "reports")]
)
def test_a_cell_that_changed_nothing_passes_no_gate(
    tmp_path: Path, family: Family, what: str
) -> None:
    run = judged(tmp_path, {0.2: 0.0, 0.6: 0.5, 1.0: 1.0}, family=family)
    idle = verdicts_at(run, 0.2)
    assert {verdict.gate.kind for verdict in idle} == CELL_KINDS
    for verdict in idle:
        assert verdict.verdict == "inconclusive"
        assert verdict.objects
        assert (
            f"nothing was changed: x at severity 0.2 left all 200 {what} as they are."
            " Choose a higher severity or another preset."
        ) in verdict.sentence
    assert {verdict.verdict for verdict in verdicts_at(run, 0.6)} == {"pass"}
    assert run.release.status.name == "FAILED"


def test_errors_over_cells_that_changed_nothing_are_open(tmp_path: Path) -> None:
    gates = "[[gate]]\n{selector} = '*'\nmce = {{ k = 10, max = 3 }}\n"
    run = judged(tmp_path, {0.2: 0.0, 0.6: 0.0, 1.0: 0.0}, gates=gates)
    [verdict] = [v for v in run.verdicts if v.gate.kind is GateKind.MCE]
    assert verdict.verdict == "inconclusive"
    assert verdict.objects
    assert "nothing was changed" in verdict.sentence


def test_a_metric_of_a_cell_that_changed_nothing_is_open(tmp_path: Path) -> None:
    run = judged(tmp_path, {0.2: 0.0})
    told = {
        verdict.case.level: verdict
        for verdict in run.verdicts
        if verdict.gate.kind is GateKind.METRIC
        and verdict.gate.direction == "image-to-report"
    }
    assert {level: each.verdict for level, each in told.items()} == {
        0.0: "pass",
        0.2: "inconclusive",
        0.6: "pass",
        1.0: "pass",
    }
    assert "nothing was changed: x at severity 0.2" in told[0.2].sentence


@pytest.mark.parametrize(
    ("altered", "expected"),
    [
        ({0.2: 0.0, 0.6: 0.0, 1.0: 0.0}, "inconclusive"),
        ({0.2: 0.0, 0.6: 0.0, 1.0: 0.01}, "pass"),
        ({0.2: 0.0, 0.6: 0.0, 1.0: None}, "pass"),
        ({}, "pass"),
    ],
)
def test_a_curve_is_open_where_nothing_was_changed_anywhere(
    tmp_path: Path, altered: Altered, expected: str
) -> None:
    run = judged(tmp_path, altered)
    of_curves = [each for each in run.verdicts if each.gate.kind is GateKind.AUC]
    assert {verdict.verdict for verdict in of_curves} == {expected}
    if expected == "inconclusive":
        sentence = of_curves[0].sentence
        assert "x at severities 0.2 to 1 left all 200 images as they are." in sentence
        # There is no higher severity than 1.
        assert sentence.endswith("Choose another preset.")


def test_occlusions_and_level_0_are_judged_as_before(tmp_path: Path) -> None:
    run = judged(tmp_path, {0.0: None, 0.2: 0.0})
    before = judged(tmp_path, {})
    others = [
        (one.verdict, one.sentence)
        for one in run.verdicts
        if one.case.family == "occlusion" or one.case.level in (0.0, 0.6)
    ]
    assert others == [
        (one.verdict, one.sentence)
        for one in before.verdicts
        if one.case.family == "occlusion" or one.case.level in (0.0, 0.6)
    ]
    assert others


def test_an_occlusion_that_hides_nothing_passes_no_gate(tmp_path: Path) -> None:
    mine = make_run(tmp_path / "mine").run
    first, *higher = sorted({each.case.level for each in mine.measured.outcomes})[1:]
    outcomes = tuple(
        replace(each, visible_level=0.0) if each.case.level <= first else each
        for each in mine.measured.outcomes
    )
    mine = replace(mine, measured=replace(mine.measured, outcomes=outcomes))
    policy = tmp_path / "robust.toml"
    policy.write_text("[[gate]]\nrecall = { 10 = 0.05 }\n")
    run = judge_run(mine, read_policy(read_config_file(policy)), Against(None))
    found = {each.case.level: each for each in run.verdicts}
    assert {found[level].verdict for level in (0.0, *higher)} == {"pass"}
    assert found[first].verdict == "inconclusive"
    assert (
        "left all 200 images as they are. Choose a higher level, another occluder"
        in found[first].sentence
    )


def test_a_policy_that_tolerates_open_gates_tolerates_these(tmp_path: Path) -> None:
    strict = judged(tmp_path, {0.2: 0.0})
    before = '[[gate]]\ninconclusive = "allow"\n'
    mild = judged(tmp_path, {0.2: 0.0}, before=before)
    assert not any(verdict.tolerated for verdict in verdicts_at(strict, 0.2))
    recalls = [
        verdict
        for verdict in verdicts_at(mild, 0.2)
        if verdict.gate.kind is GateKind.RECALL
    ]
    assert recalls
    assert all(verdict.tolerated for verdict in recalls)


def test_a_floor_that_clean_images_miss_still_fails(tmp_path: Path) -> None:
    gates = "[[gate]]\n{selector} = '*'\nrecall = {{ 10 = 1.0 }}\n"
    run = judged(tmp_path, {0.6: 0.0, 1.0: 0.0}, gates=gates)
    assert {verdict.verdict for verdict in verdicts_at(run, 1.0)} == {"fail"}


@pytest.mark.parametrize(
    ("share", "is_told"), [(0.0, True), (0.095, True), (0.1, False), (None, False)]
)
def test_a_run_is_warned_of_cells_that_changed_few(
    tmp_path: Path, share: float | None, is_told: bool
) -> None:
    run = judged(tmp_path, {0.2: share, 0.6: 1.0, 1.0: 1.0})
    found = [one for one in run.warnings if "images or reports were changed" in one]
    assert len(found) == is_told
    if is_told and share is not None:
        counted = f"x at severity 0.2 on d ({100 * share:.3g} % of 200 images changed)"
        assert counted in found[0]


@pytest.mark.parametrize(
    ("gate", "studies"),
    [
        # Bounds over four patients.
        ("recall = {{ 10 = 0.05 }}", 50),
        # An error that is spent over attempts, which nobody counts.
        (
            "not_worse_than_baseline = {{ k = 10, margin = 0.5, attempts = 'spend' }}",
            1,
        ),
    ],
)
def test_what_no_setting_lets_pass_stays_so_where_nothing_was_changed(
    tmp_path: Path, gate: str, studies: int
) -> None:
    settings = 'decide = "bound"\ninconclusive = "allow"\n'
    run = judged(
        tmp_path,
        {0.2: 0.0, 0.6: 0.0, 1.0: 0.0},
        gates=f'[[gate]]\n{{selector}} = "*"\n{gate}\n{settings}',
        studies=studies,
    )
    idle = [one for one in run.verdicts if one.gate.kind is not GateKind.NONE]
    idle = [one for one in idle if one.case.level > 0]
    assert idle
    assert all(verdict.objects for verdict in idle)

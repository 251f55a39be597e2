"""A run beside a reference that stays: gates on it, and what releases have lost together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKind, Verdict
from pytest_retrieval_robust.gate.compared_runs import ReferenceRecord
from pytest_retrieval_robust.gate.plan import paired_gates
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.saved.read import _validator
from pytest_retrieval_robust.reports.saved_run import run_as_json

from ..saved_runs import KS, LEVELS, Made, make_run, ranks_of

QUERIES = 600
BASELINE = "not_worse_than_baseline = { k = 10, margin = 0.05 }\n"
REFERENCE = "not_worse_than_reference = { k = 10, margin = 0.05 }\n"


def policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "robust.toml").write_text(f"[[gate]]\n{text}")
    return read_policy(read_config_file(tmp_path / "robust.toml"))


def judged(
    tmp_path: Path,
    candidate: Made,
    baseline: Made | None,
    reference: Made | None,
    text: str = BASELINE + REFERENCE,
) -> RunRecord:
    return judge_run(
        candidate.run,
        policy(tmp_path, text),
        Against(None if baseline is None else baseline.run),
        against_reference=Against(None if reference is None else reference.run),
    )


def of(record: RunRecord, kind: GateKind) -> Verdict:
    [verdict] = [each for each in record.verdicts if each.gate.kind is kind]
    return verdict


def releases(tmp_path: Path) -> list[Made]:
    """Each a little worse than the one before."""
    return [
        make_run(tmp_path / f"v{shift}", QUERIES, shift=shift)
        for shift in (0, 4, 8, 12)
    ]


def reference_of(record: RunRecord) -> ReferenceRecord:
    assert record.reference is not None
    return record.reference


def test_small_losses_that_pass_one_by_one_fail_together(tmp_path: Path) -> None:
    first, *later = releases(tmp_path)
    verdicts = []
    baseline = first
    for candidate in later:
        record = judged(tmp_path, candidate, baseline, first)
        verdicts.append(
            (
                of(record, GateKind.BASELINE).verdict,
                of(record, GateKind.REFERENCE).verdict,
            )
        )
        baseline = candidate
    assert [beside_baseline for beside_baseline, _ in verdicts] == ["pass"] * 3
    assert verdicts[0][1] == "pass"
    assert verdicts[-1][1] == "fail"


def test_the_sentence_and_the_key_name_the_reference(tmp_path: Path) -> None:
    first, *_, last = releases(tmp_path)
    verdict = of(judged(tmp_path, last, None, first, REFERENCE), GateKind.REFERENCE)
    assert str(verdict.gate) == "not_worse_than_reference@10 image-to-report"
    assert " against the reference's " in verdict.sentence
    assert "baseline" not in verdict.sentence


def test_a_false_block_is_shared_with_the_baselines_gates(tmp_path: Path) -> None:
    """The bound that fails a gate is at 5 % for one gate, and at 2.5 % for two."""
    first, second, *_ = releases(tmp_path)
    alone = judged(tmp_path, second, first, first, REFERENCE)
    both = judged(tmp_path, second, first, first)
    assert paired_gates(
        policy(tmp_path, BASELINE + REFERENCE).planned(second.run.measured.plan)
    ) == {"ours": 2}

    def reach(record: RunRecord) -> tuple[float, float]:
        verdict = of(record, GateKind.REFERENCE)
        assert verdict.bounds is not None
        assert verdict.observed is not None
        low, high = verdict.bounds
        return verdict.observed - low, high - verdict.observed

    assert reach(alone)[0] == reach(both)[0]
    ratio = NormalDist().inv_cdf(0.975) / NormalDist().inv_cdf(0.95)
    assert reach(both)[1] / reach(alone)[1] == pytest.approx(ratio, rel=0.05)


def test_the_accumulated_change_is_the_mean_over_levels(tmp_path: Path) -> None:
    """Beside plain arithmetic on the ranks, and a normal interval of the queries."""
    first, second, *_, last = releases(tmp_path)
    record = judged(tmp_path, last, second, first)
    [change] = [
        each
        for each in reference_of(record).changes
        if (each.k, each.direction) == (10, "image-to-report")
    ]

    def recalls(shift: int) -> NDArray[np.float64]:
        hits = [ranks_of(QUERIES, level, 0, shift) <= 10 for level in LEVELS]
        means: NDArray[np.float64] = np.mean(hits, axis=0)
        return means

    reference = recalls(0)
    assert change.reference == pytest.approx(reference.mean())
    assert change.baseline is not None
    for side, shift in ((change.candidate, 12), (change.baseline, 4)):
        difference = recalls(shift) - reference
        assert side.recall == pytest.approx(recalls(shift).mean())
        assert side.value == pytest.approx(difference.mean())
        error = 1.96 * difference.std() / np.sqrt(QUERIES)
        assert side.high - side.low == pytest.approx(2 * error, rel=0.15)
        assert side.low < side.value < side.high


def test_a_baseline_that_is_the_reference_has_no_change_of_its_own(
    tmp_path: Path,
) -> None:
    first, second, *_ = releases(tmp_path)
    changes = reference_of(judged(tmp_path, second, first, first)).changes
    assert changes
    assert all(change.baseline is None for change in changes)


def test_a_baseline_at_other_levels_has_none_either(tmp_path: Path) -> None:
    first, second, *_ = releases(tmp_path)
    other = make_run(tmp_path / "other", QUERIES, levels=(0.0, 0.2))
    changes = reference_of(judged(tmp_path, second, other, first)).changes
    assert changes
    assert all(change.baseline is None for change in changes)


def test_without_a_reference_its_gates_are_left_out_and_counted(tmp_path: Path) -> None:
    first, second, *_ = releases(tmp_path)
    record = judged(tmp_path, second, first, None)
    assert of(record, GateKind.REFERENCE).verdict == "ungated"
    assert record.reference is None
    assert record.release.line == (
        "RELEASE GATE: PASSED (1 gate met, 3 cells ungated, 1 gate without a reference)"
    )
    assert any(
        "Reference gates were skipped: no reference given." in warning
        for warning in record.warnings
    )


def test_nothing_but_the_reference_to_compare_with_is_not_judged(
    tmp_path: Path,
) -> None:
    first, *_ = releases(tmp_path)
    record = judged(tmp_path, first, None, None, REFERENCE)
    assert record.release.line == (
        "RELEASE GATE: NOT JUDGED (every gate compares with a reference, and none was"
        " given; add --robust-reference DIR)"
    )


def test_a_reference_that_is_not_there_yet_fails(tmp_path: Path) -> None:
    first, *_ = releases(tmp_path)
    record = judge_run(
        first.run,
        policy(tmp_path, REFERENCE),
        Against(),
        against_reference=Against(problem="There is none yet."),
    )
    assert record.failures == ("there is no reference to compare with",)
    assert "There is none yet." in record.warnings


def test_other_data_and_missing_cells_are_those_of_the_reference(
    tmp_path: Path,
) -> None:
    first, second, *_ = releases(tmp_path)
    other = make_run(tmp_path / "other", QUERIES, facts={"fingerprint": "e" * 64})
    record = judged(tmp_path, second, first, other)
    assert record.failures == (
        "1 of 2 gates was not met",
        "the reference cannot be compared with",
    )
    assert (
        "and in the reference fingerprint=" in of(record, GateKind.REFERENCE).sentence
    )
    more = make_run(tmp_path / "more", QUERIES, occluders=("patches", "border"))
    record = judged(tmp_path, second, first, more)
    assert record.failures == ("cells of the reference are missing",)
    assert "Expected all cells of the reference" in reference_of(record).vanished[0]


def test_the_run_itself_and_a_part_of_it_are_no_reference(tmp_path: Path) -> None:
    first, *_ = releases(tmp_path)
    itself = judged(tmp_path, first, None, first, REFERENCE)
    assert "Expected a reference of another run" in itself.warnings[0]
    smoke = first.measured(
        limit=50, identity=replace(first.run.measured.identity, id="x")
    )
    limited = judged(tmp_path, first, None, smoke, REFERENCE)
    assert "Expected a whole run as reference, got a limited one" in limited.warnings[0]


@pytest.mark.parametrize("metric", ["retention", "auc"])
def test_every_metric_is_compared_with_the_reference(
    tmp_path: Path, metric: str
) -> None:
    first, *_, last = releases(tmp_path)
    text = REFERENCE.replace("0.05", f'0.05, metric = "{metric}"')
    verdict = of(judged(tmp_path, last, None, first, text), GateKind.REFERENCE)
    assert verdict.gate.metric == metric
    assert verdict.observed is not None
    assert verdict.observed < 0


def test_run_json_has_the_changes_as_its_schema_says(tmp_path: Path) -> None:
    first, second, *_, last = releases(tmp_path)
    record = judged(tmp_path, last, second, first)
    data = run_as_json(record)
    assert _validator()(data) is None
    changes = data["reference"]["changes"]
    assert {change["k"] for change in changes} <= set(KS)
    assert all(change["candidate"]["value"] <= 0 for change in changes)
    assert "reference" not in run_as_json(judged(tmp_path, last, second, None))


def test_a_wrong_limit_names_its_own_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got not_worse_than_reference="):
        policy(tmp_path, "not_worse_than_reference = { k = 10 }\n")

"""Gates on the drift from a fingerprint: whom they are about, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.cases import DIRECTIONS, Case, Plan
from pytest_retrieval_robust.core.drift import DriftOutcome, DriftPart, drift_case
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKey, GateKind, Verdict
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.record import Against, Ending, RunRecord, judge_run

from ..reports.records import drifted
from ..saved_runs import make_run
from .test_judge import policy

PLAN = Plan(("ours", "theirs"), ("d", "e"), ("patches",), (0.0, 0.2), (0, 1), (1, 10))
GATE = '[[gate]]\nmodel = "ours"\ndrift = { max = 1e-3 }\n'
ANY = "[[gate]]\ndrift = { max = 1e-3 }\n"
CELL = Case("ours", "d", "patches", 0.2, 0)


def verdict(folder: Path, table: str, drift: DriftOutcome) -> Verdict:
    (found,) = Judge(policy(folder, table)).drift(drift)
    return found


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(0.0, "pass"), (1e-3, "pass"), (1.01e-3, "fail"), (2.0, "fail")],
)
def test_the_largest_distance_is_held_against_the_limit(
    tmp_path: Path, largest: float, expected: str
) -> None:
    found = verdict(tmp_path, GATE, drifted("ours", largest))
    assert found.verdict == expected
    assert (found.observed, found.limit) == (largest, 1e-3)
    assert found.gate == GateKey(GateKind.DRIFT)
    assert str(found.gate) == "drift"
    assert found.case == drift_case("ours")


def test_a_part_that_is_not_known_is_never_called_the_same(tmp_path: Path) -> None:
    said = verdict(tmp_path, GATE, drifted("ours", 0.5)).sentence
    assert "The same: token ids, prepared pixels. Not known: weights." in said
    assert "So one of them, or the numerics, moved" in said
    assert "Other versions and settings: torch 2.9.1, not 2.9.0." in said


def test_numerics_are_named_where_all_parts_are_known_and_the_same(
    tmp_path: Path,
) -> None:
    drift = drifted("ours", 0.5)
    parts = (*drift.parts[:2], DriftPart("weights", "same"))
    said = verdict(tmp_path, GATE, replace(drift, parts=parts, differences=())).sentence
    assert "So the numerics moved" in said
    assert "Versions, device and precision are the same." in said


def test_many_differences_are_counted(tmp_path: Path) -> None:
    differences = tuple(f"library{number} 2, not 1" for number in range(9))
    drift = replace(drifted("ours", 0.5), differences=differences)
    said = verdict(tmp_path, GATE, drift).sentence
    assert "library3 2, not 1; and 5 more" in said


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (ANY, "ungated"),
        (GATE.replace("ours", "ou*"), "ungated"),
        (GATE, "fail"),
        (GATE.replace("{ max", '{ file = "f.json", max'), "fail"),
    ],
)
def test_a_missing_file_fails_where_the_gate_names_it_or_the_model(
    tmp_path: Path, table: str, expected: str
) -> None:
    found = verdict(tmp_path, table, DriftOutcome("ours", "f.json", None))
    assert found.verdict == expected
    assert "there is no fingerprint f.json. Make it with" in found.sentence
    assert "fingerprint ours" in found.sentence


def test_the_most_specific_table_wins(tmp_path: Path) -> None:
    rules = policy(tmp_path, ANY.replace("1e-3", "0.5") + GATE)
    ours = rules.drift_limit("ours")
    theirs = rules.drift_limit("theirs")
    assert ours is not None
    assert theirs is not None
    assert (ours.maximum, theirs.maximum) == (1e-3, 0.5)
    assert not ours.applies_at(CELL)


def test_each_model_has_one_planned_gate(tmp_path: Path) -> None:
    rules = policy(tmp_path, GATE + "[[gate]]\nrecall = { 10 = 0.5 }\n")
    planned = rules.planned(PLAN)
    drift = [gate for gate in planned if gate.gate.kind is GateKind.DRIFT]
    assert [str(gate) for gate in drift] == ["drift of ours"]
    # Limits on data are not looked for where there is none, nor the other way round.
    kinds = {limit.key.kind for limit in rules.limits_for(CELL, DIRECTIONS[0])}
    assert kinds == {GateKind.RECALL}
    assert rules.idle(planned, PLAN) == 0
    assert rules.idle(policy(tmp_path, "").planned(PLAN), PLAN) == 2


def test_two_tables_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    rules = policy(tmp_path, GATE + GATE.replace("1e-3", "1e-4"))
    with pytest.raises(ConfigError, match="one most specific gate for drift of ours"):
        rules.check(PLAN)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('dataset = "d"\ndrift = { max = 0.1 }', "no selector but model beside drift"),
        ('occluder = "*"\ndrift = { max = 0.1 }', "no selector but model"),
        ("level = 0.2\ndrift = { max = 0.1 }", "no selector but model"),
        ('direction = "report-to-image"\ndrift = { max = 0.1 }', "no selector but"),
        ("drift = 0.1", "expected { max = 1e-3 }"),
        ("drift = { max = 1e-3, files = 3 }", "expected { max = 1e-3 }"),
        ("drift = { max = -1.0 }", "a max from 0 and below 2"),
        ("drift = { max = nan }", "a max from 0 and below 2"),
        ("drift = { max = true }", "a max from 0 and below 2"),
        ('drift = { max = 1, file = "f" }', "the name of one model alone"),
        ('model = "o*"\ndrift = { max = 1, file = "f" }', "the name of one model"),
        ('model = "o"\ndrift = { max = 1, file = 3 }', "a file in quotes"),
        ('model = "o"\ndrift = { max = 1, file = " " }', "a file in quotes"),
    ],
)
def test_what_is_written_wrong_says_where(
    tmp_path: Path, written: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{written}\n")
    assert said in str(caught.value)
    assert "robust.toml, line" in str(caught.value)


# Within a run


def run_with(
    folder: Path, table: str, *drift: DriftOutcome, passed_tests: int = 1
) -> RunRecord:
    """The gates of a run in which nothing but drifts were measured."""
    made = make_run(folder / "run").run
    measured = replace(
        made.measured, outcomes=(), costs=(), datasets=(), drift=tuple(drift)
    )
    rules = policy(folder, table)
    return judge_run(
        replace(made, measured=measured),
        rules,
        Against(),
        Ending(passed_tests=passed_tests),
    )


def test_a_drift_that_is_met_decides_without_any_recall(tmp_path: Path) -> None:
    record = run_with(tmp_path, ANY, drifted("ours"))
    assert record.failures == ()
    assert record.release.line.startswith("RELEASE GATE: PASSED")
    assert "1 gate met" in record.release.line
    assert [verdict.gate.kind for verdict in record.verdicts] == [GateKind.DRIFT]


def test_a_drift_that_is_not_met_blocks(tmp_path: Path) -> None:
    record = run_with(tmp_path, ANY, drifted("ours", 0.5))
    assert record.failures == ("1 of 1 gate was not met",)


def test_a_gate_that_no_test_compared_is_not_judged(tmp_path: Path) -> None:
    record = run_with(tmp_path, GATE, passed_tests=0)
    assert "1 gate was not judged" in record.failures
    assert any("drift of ours" in warning for warning in record.warnings)


def test_a_model_without_a_fingerprint_is_counted_and_proves_nothing(
    tmp_path: Path,
) -> None:
    record = run_with(tmp_path, ANY, DriftOutcome("ours", "ours.json", None))
    assert record.release.status.name != "PASSED"
    both = run_with(
        tmp_path,
        ANY,
        drifted("theirs"),
        DriftOutcome("ours", "ours.json", None),
    )
    assert "1 gate without a fingerprint" in both.release.line


def test_naming_a_model_by_its_drift_alone_asks_for_no_recall(tmp_path: Path) -> None:
    """A model at chance on these data may be gated by its fingerprint."""
    assert not policy(tmp_path, GATE).names("ours")
    assert policy(tmp_path, GATE).names_exactly("ours")
    assert policy(tmp_path, GATE.replace("drift", "auc = { 10 = 0.1 }\ndrift")).names(
        "ours"
    )

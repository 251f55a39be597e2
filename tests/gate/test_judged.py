"""What a judged run says of its gates: which were judged, and which a full run misses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.cases import Case, Plan
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.outcomes import ModelRecord, Outcome, Scores, Timing
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.core.verdict import (
    GateKey,
    GateKind,
    Verdict,
    VerdictName,
)
from pytest_retrieval_robust.gate.compared_runs import (
    Against,
    BaselineRecord,
    ReferenceRecord,
)
from pytest_retrieval_robust.gate.judged import Ending, Judged, clean_outcomes
from pytest_retrieval_robust.gate.measurements import Identity, Measurements, Scope
from pytest_retrieval_robust.gate.plan import PlannedGate
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.toml import read_policy

CLEAN = Case("ours", "cxr", "patches", 0.0, 0)
HIDDEN = Case("ours", "cxr", "patches", 0.3, 0)
RECALL = GateKey(GateKind.RECALL, 10, "image-to-report")
CHANCE = GateKey(GateKind.ABOVE_CHANCE)
PLANNED = PlannedGate(HIDDEN, "image-to-report", RECALL)


def outcome(case: Case, recall: float = 0.9) -> Outcome:
    scores = Scores(500, 500, {10: 0.02}, {10: recall}, {10: (0.0, 1.0)}, 1.0, recall)
    timing = Timing(100.0, 1.0, 0.0, "cpu", "fp32")
    return Outcome(case, case.level, case.level, scores, scores, timing)


def measured(*outcomes: Outcome, partial: str | None = None) -> Measurements:
    return Measurements(
        identity=Identity("id", "2026-01-01T00:00:00+00:00", "0"),
        scope=Scope(partial, "pytest"),
        limit=None,
        plan=Plan(("ours",), ("cxr",), ("patches",), (0.0, 0.3), (0,), (10,)),
        outcomes=outcomes,
        costs=(),
        breaking=(),
        counterfactuals=(),
        models=(),
        datasets=(),
        broken=(),
        broken_tests=0,
        notes=(),
    )


def judged(*verdicts: Verdict, of: Measurements | None = None) -> Judged:
    """A run that planned one gate on the hidden cell."""
    if of is None:
        of = measured(outcome(CLEAN), outcome(HIDDEN))
    return Judged(of, Policy(), (PLANNED,), verdicts)


def verdict(word: VerdictName, case: Case = HIDDEN, gate: GateKey = RECALL) -> Verdict:
    return Verdict(case, gate, word, 0.8, 0.5, "")


def test_ungated_cells_are_no_gated_verdicts() -> None:
    passed = verdict("pass")
    ungated = verdict("ungated", gate=GateKey(GateKind.NONE))
    assert judged(passed, ungated).gated == (passed,)


def test_the_clean_outcome_of_each_model_and_data_set_is_at_level_0() -> None:
    clean = outcome(CLEAN)
    elsewhere = outcome(replace(CLEAN, dataset="other"))
    found = clean_outcomes(measured(clean, outcome(HIDDEN), elsewhere))
    assert found == {("ours", "cxr"): clean, ("ours", "other"): elsewhere}


def test_only_models_above_chance_are_retrieving() -> None:
    lost = outcome(replace(CLEAN, model="lost"), recall=0.02)
    run = judged(of=measured(outcome(CLEAN), outcome(HIDDEN), lost))
    assert run.retrieving == {("ours", "cxr")}


def test_a_planned_gate_without_a_verdict_is_unjudged() -> None:
    assert judged().unjudged == (PLANNED,)


def test_a_planned_gate_with_a_verdict_is_judged() -> None:
    assert judged(verdict("inconclusive")).unjudged == ()


@pytest.mark.parametrize(
    ("case", "gate"),
    [(CLEAN, RECALL), (HIDDEN, GateKey(GateKind.RECALL, 1, "image-to-report"))],
)
def test_a_verdict_on_another_case_or_gate_judges_nothing(
    case: Case, gate: GateKey
) -> None:
    assert judged(verdict("pass", case, gate)).unjudged == (PLANNED,)


def test_a_partial_run_misses_nothing() -> None:
    partial = measured(outcome(CLEAN), outcome(HIDDEN), partial="-k something")
    assert judged(of=partial).unjudged == ()


def test_the_gates_of_a_model_at_chance_are_not_missed_one_by_one() -> None:
    assert judged(verdict("fail", CLEAN, CHANCE)).unjudged == ()


@pytest.mark.parametrize(
    "other",
    [
        verdict("fail", replace(CLEAN, dataset="other"), CHANCE),
        verdict("fail", replace(CLEAN, model="other"), CHANCE),
        verdict("pass", CLEAN, CHANCE),
        verdict("fail", CLEAN, RECALL),
    ],
    ids=["other data", "other model", "above chance", "failed otherwise"],
)
def test_no_other_verdict_excuses_a_missing_one(other: Verdict) -> None:
    assert judged(other).unjudged == (PLANNED,)


NOTHING = measured()


def test_a_model_that_only_a_glob_brought_in_is_not_missed() -> None:
    assert judged(of=NOTHING).unjudged == ()


@pytest.mark.parametrize(
    "ending",
    [
        Ending(own_models=frozenset({"ours"})),
        Ending(must_be_tested=frozenset({"ours"})),
    ],
    ids=["own table", "must be tested"],
)
def test_a_model_that_must_be_there_is_missed(ending: Ending) -> None:
    assert replace(judged(of=NOTHING), ending=ending).unjudged == (PLANNED,)


@pytest.mark.parametrize(
    ("name", "named", "missed"),
    [("ours", True, True), ("ours", False, False), ("other", True, False)],
)
def test_a_model_that_was_asked_for_by_name_is_missed(
    name: str, named: bool, missed: bool
) -> None:
    record = ModelRecord(name, tested=False, reason="no file", named=named)
    run = judged(of=replace(NOTHING, models=(record,)))
    assert (run.unjudged == (PLANNED,)) is missed


@pytest.mark.parametrize(("model", "missed"), [("ours", True), ("ou*", False)])
def test_a_model_that_a_gate_names_is_missed(
    tmp_path: Path, model: str, missed: bool
) -> None:
    file = tmp_path / "robust.toml"
    file.write_text(f'[[gate]]\nmodel = "{model}"\nrecall = {{ 10 = 0.5 }}\n')
    run = replace(judged(of=NOTHING), policy=read_policy(read_config_file(file)))
    assert (run.unjudged == (PLANNED,)) is missed


def test_each_role_has_its_own_run_and_record() -> None:
    beside = ("id", "started", "0", (), ())
    baseline, reference = BaselineRecord(*beside, ()), ReferenceRecord(*beside, ())
    shipped, kept = Against(problem="gone"), Against(problem="lost")
    run = replace(
        judged(),
        against=shipped,
        against_reference=kept,
        baseline=baseline,
        reference=reference,
    )
    assert run.against_of(Role.BASELINE) is shipped
    assert run.against_of(Role.REFERENCE) is kept
    assert run.record_of(Role.BASELINE) is baseline
    assert run.record_of(Role.REFERENCE) is reference

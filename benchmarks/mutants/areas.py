"""The code that is mutated, by what it decides, and the tests that are about it."""

from __future__ import annotations

from collections.abc import Mapping

PACKAGE = "pytest_retrieval_robust"

AREAS: Mapping[str, tuple[str, ...]] = {
    "judging": (
        "gate.judged",
        "gate.judge",
        "gate.decision",
        "gate.floors",
        "gate.few_patients",
        "gate.evidence",
    ),
    "comparison": (
        "gate.comparison",
        "gate.baseline",
        "gate.difference",
        "gate.paired_hits",
        "gate.pairing",
    ),
    "intervals": (
        "retrieval.intervals",
        "retrieval.binomial",
        "retrieval.bisection",
        "retrieval.student",
        "retrieval.patients",
    ),
    "ranks": (
        "retrieval.metrics.recall",
        "retrieval.ranking.__init__",
        "retrieval.ranking._best_answers",
        "retrieval.ranking._checks",
        "retrieval.ranking._counting",
        "retrieval.ranking._duels",
        "retrieval.ranking._exact",
        "retrieval.ranking._factors",
        "retrieval.ranking._filter",
        "retrieval.ranking._means",
        "retrieval.ranking._plain",
        "retrieval.ranking._precisions",
        "retrieval.ranking._right_pairs",
        "retrieval.ranking._thresholds",
        "retrieval.ranking._tiles",
        "retrieval.ranking._top_k",
    ),
    "policy": ("gate.policy", "gate.attempts"),
    "bounds": ("retrieval.rank_intervals", "retrieval.group_bounds"),
    "bootstrap": ("retrieval.bootstrap", "retrieval.bootstrap_counts"),
    "occluders": (
        "occluders.area._growth",
        "occluders.area.blobs",
        "occluders.area.border",
        "occluders.area.box",
        "occluders.area.boxes",
        "occluders.area.grid",
        "occluders.area.patches",
        "occluders.area.side",
        "occluders.cells",
    ),
    "relevance": (
        "datasets._files.relevance",
        "datasets._files.text_policy",
        "measure.pairs",
        "measure.same_texts",
        "measure.query_keys",
    ),
}
"""Modules of the package, without its name."""


TESTS: Mapping[str, tuple[str, ...]] = {
    "judging": (
        "tests/gate/test_judge.py",
        "tests/gate/test_judged.py",
        "tests/gate/test_decision.py",
        "tests/gate/test_evidence.py",
        "tests/gate/test_hit_samples.py",
        "tests/gate/test_attempts.py",
        "tests/gate/test_few_patients.py",
        "tests/gate/test_unaltered.py",
        "tests/gate/test_group_gates.py",
        "tests/gate/test_counterfactual_gates.py",
        "tests/gate/test_corruption_error.py",
    ),
    "comparison": (
        "tests/gate/test_paired_hits.py",
        "tests/gate/test_comparison.py",
        "tests/gate/test_reference.py",
        "tests/gate/test_group_gates.py",
        "tests/gate/test_corruption_error.py",
        "tests/gate/test_error_ratios.py",
    ),
    "intervals": (
        "tests/retrieval/test_intervals.py",
        "tests/retrieval/test_student.py",
        "tests/retrieval/test_patients.py",
        "tests/retrieval/test_bisection.py",
    ),
    "ranks": (
        "tests/retrieval/test_ranking.py",
        "tests/retrieval/test_ranking_both.py",
        "tests/retrieval/test_ranking_inputs.py",
        "tests/retrieval/test_ranking_devices.py",
        "tests/retrieval/test_ranking_bounds.py",
        "tests/retrieval/test_ranking_means.py",
        "tests/retrieval/test_right_pairs.py",
        "tests/retrieval/test_precisions.py",
        "tests/retrieval/test_best_answers.py",
        "tests/retrieval/test_duels.py",
        "tests/retrieval/metrics/test_recall.py",
    ),
    "policy": (
        "tests/gate/test_policy.py",
        "tests/gate/test_attempts.py",
        "tests/gate/test_judge.py",
        "tests/gate/test_gate_keys.py",
        "tests/gate/test_corruption_error.py",
    ),
    "bounds": (
        "tests/retrieval/test_rank_intervals.py",
        "tests/retrieval/test_group_bounds.py",
    ),
    "bootstrap": (
        "tests/retrieval/test_bootstrap.py",
        "tests/retrieval/test_bootstrap_counts.py",
        "tests/retrieval/test_patients.py",
        "tests/gate/test_evidence.py",
    ),
    "occluders": (
        "tests/occluders/area",
        "tests/occluders/test_batch.py",
        "tests/occluders/test_cells.py",
    ),
    "relevance": (
        "tests/datasets/files/test_relevance.py",
        "tests/measure/test_pairs.py",
        "tests/measure/test_strata.py",
        "tests/measure/test_same_texts.py",
        "tests/measure/test_query_keys.py",
    ),
}
"""The narrow tests of each area: others call this code too, and are left out.

None of them starts a process of its own, which would import the mutants without mutmut.
"""


def file_of(module: str) -> str:
    """The path of a module below the root of the repository."""
    return f"{PACKAGE}/{module.replace('.', '/')}.py"


def area_of(mutant: str) -> str:
    """The area of a mutant, by its name: `pytest_retrieval_robust.gate.judge.x_...`."""
    module = mutant.removeprefix(f"{PACKAGE}.").rpartition(".")[0]
    for area, modules in AREAS.items():
        if module in modules or f"{module}.__init__" in modules:
            return area
    raise KeyError(f"Expected a mutant of a module in AREAS, got mutant={mutant!r}.")

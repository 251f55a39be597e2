"""Every verdict of a run, in the order in which reports have them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ..core.cases import FAMILIES, Case
from ..core.verdict import GateKey, GateKind, Verdict
from ..retrieval.curve import Curve
from .judge import Judge
from .judged import clean_outcomes, subject_of
from .measurements import Measurements
from .perturbed import whole_perturbations


def every_verdict(judge: Judge, measured: Measurements) -> Iterator[Verdict]:
    """What each gate says; and where a gate judged a model whose clean recall is not
    known, that it is not known.
    """
    judged: dict[tuple[str, str], Case] = {}
    for verdict in _verdicts_of_gates(judge, measured):
        yield verdict
        # What looks at no data asks for no recall.
        if verdict.verdict != "ungated" and not verdict.gate.kind.is_without_data:
            judged[subject_of(verdict.case)] = verdict.case.clean()
    clean = clean_outcomes(measured)
    for subject, case in judged.items():
        if subject not in clean:
            sentence = (
                f"{case.model} on {case.dataset} has gates, and no test measured its"
                " recall with nothing hidden: it may be at chance. Run a test that"
                " takes clean_outcome or robustness_curve beside it, as test_recall.py"
                " does."
            )
            gate = GateKey(GateKind.ABOVE_CHANCE)
            yield Verdict(case, gate, "inconclusive", None, None, sentence)


def _verdicts_of_gates(judge: Judge, measured: Measurements) -> Iterator[Verdict]:
    for outcome in measured.outcomes:
        clean = measured.by_case.get(outcome.case.clean())
        if clean is not None:
            yield from judge.cell(outcome, clean)
    # A curve that lacks a level of the plan would be judged by other numbers.
    whole = [
        curve
        for curve in measured.curves
        if curve.levels == measured.plan.levels_of(curve.clean.case.family)
    ]
    for curve in whole:
        yield from judge.curve(curve)
    whole.sort(key=_without_seed)
    for _, group in groupby(whole, key=_without_seed):
        curves = sorted(group, key=lambda curve: curve.clean.case.seed)
        seeds = tuple(curve.clean.case.seed for curve in curves)
        if seeds == measured.plan.seeds:
            yield from judge.baseline(curves)
    for perturbed in whole_perturbations(measured).values():
        yield from judge.errors(perturbed, measured.plan)
    for cost in measured.costs:
        yield from judge.cost(cost)
    for search in measured.breaking:
        yield from judge.breaking(search)
    for counterfactual in measured.counterfactuals:
        yield from judge.counterfactual(counterfactual)
    for drift in measured.drift:
        yield from judge.drift(drift)


def _without_seed(curve: Curve) -> tuple[str, str, int, str]:
    case = curve.clean.case
    return case.model, case.dataset, FAMILIES.index(case.family), case.occluder

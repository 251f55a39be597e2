"""Answers that were lost and won in a cell, against a loop over the queries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pytest_retrieval_robust.core.cases import DIRECTIONS
from pytest_retrieval_robust.gate.changed_answers import changed_answers
from pytest_retrieval_robust.retrieval.intervals import wilson_interval
from pytest_retrieval_robust.retrieval.patients import PatientSizes

from ..saved_runs import KS, LEVELS, Made, make_run


def ranks(made: Made, level: float, name: str = "image_ranks") -> list[int]:
    [outcome] = [
        one
        for one in made.run.measured.outcomes
        if one.case.level == level and one.case.family == "occlusion"
    ]
    assert outcome.ranks_key is not None
    arrays = made.store.of_case(outcome.ranks_key)
    assert arrays is not None
    return [int(rank) for rank in arrays[name]]


def test_shares_are_those_of_a_loop_over_the_queries(tmp_path: Path) -> None:
    made = make_run(tmp_path, 120)
    changed = list(changed_answers(made.run.measured, made.run.evidence))
    assert [(one.case.level, one.direction, one.k) for one in changed] == [
        (level, direction, k)
        for level in LEVELS[1:]
        for direction in DIRECTIONS
        for k in KS
    ]
    for one in changed:
        lost = won = 0
        for before, after in zip(
            ranks(made, 0.0), ranks(made, one.case.level), strict=True
        ):
            lost += before <= one.k < after
            won += after <= one.k < before
        assert (one.lost, one.won) == (lost / 120, won / 120)
        assert one.lost_interval == pytest.approx(wilson_interval(lost, 120))
        assert one.won_interval == pytest.approx(wilson_interval(won, 120))


def test_recall_is_what_is_not_lost_and_what_is_won(tmp_path: Path) -> None:
    made = make_run(tmp_path, 80, corruptions=("contrast",), text_noise=("case",))
    by_case = made.run.measured.by_case
    changed = list(changed_answers(made.run.measured, made.run.evidence))
    assert {one.case.family for one in changed} == {
        "occlusion",
        "corruption",
        "text-noise",
    }
    for one in changed:
        clean = by_case[one.case.clean()].recall(one.k, one.direction)
        recall = by_case[one.case].recall(one.k, one.direction)
        assert clean - one.lost + one.won == pytest.approx(recall)


def test_intervals_know_which_queries_are_one_patients(tmp_path: Path) -> None:
    made = make_run(tmp_path, 120, studies=4, shift=100)
    arrays = made.store.of_dataset("d")
    assert arrays is not None
    patients = arrays["cluster"].tolist()
    wider = 0
    for one in changed_answers(made.run.measured, made.run.evidence):
        before = ranks(made, 0.0)
        after = ranks(made, one.case.level)
        marks = [
            first <= one.k < second for first, second in zip(before, after, strict=True)
        ]
        sums = dict.fromkeys(patients, 0.0)
        for patient, mark in zip(patients, marks, strict=True):
            sums[patient] += mark - one.lost
        usual = sum((mark - one.lost) ** 2 for mark in marks)
        sizes = {patient: patients.count(patient) for patient in sums}
        between = sum(
            value**2 / (1 - sizes[patient] / 120) for patient, value in sums.items()
        )
        effect = max(1.0, between / usual)
        wider += effect > 1
        degrees = PatientSizes(np.array(list(sizes.values()))).degrees_of_freedom
        reach = stats.t.ppf(0.975, degrees) / stats.t.ppf(0.975, 119)
        effect *= reach**2
        expected = wilson_interval(sum(marks) / effect, 120 / effect)
        assert one.lost_interval == pytest.approx(expected)
    assert wider


def test_without_ranks_nothing_is_said(tmp_path: Path) -> None:
    made = make_run(tmp_path / "a", 40)
    elsewhere = make_run(tmp_path / "b", 40, models=("another",))
    assert list(changed_answers(made.run.measured, elsewhere.run.evidence)) == []

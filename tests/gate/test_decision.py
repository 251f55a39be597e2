"""How a limit is decided: the error of the bound that passes it, and what stays open."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.errors import ArgumentError
from pytest_retrieval_robust.core.verdict import (
    GateKey,
    GateKind,
    Verdict,
    VerdictName,
)
from pytest_retrieval_robust.gate.decision import Decision, pass_or_fail, tolerated

BY_BOUND = Decision("bound", 0.95, tolerates_inconclusive=False, hardware=None)
OPEN = Verdict(
    Case("ours", "cxr", "patches", 0.3, 0),
    GateKey(GateKind.RECALL, 10),
    "inconclusive",
    0.8,
    0.5,
    "",
)


def test_a_limit_is_decided_by_point_or_by_bound_alone() -> None:
    unknown: Any = "luck"
    with pytest.raises(ArgumentError, match="'luck'"):
        replace(BY_BOUND, by=unknown)


@pytest.mark.parametrize(
    ("spends", "attempt"), [(False, None), (False, 2), (True, None)]
)
def test_an_error_is_whole_unless_it_is_spent_and_counted(
    spends: bool, attempt: int | None
) -> None:
    decision = replace(BY_BOUND, spends=spends, attempt=attempt)
    assert decision.error == decision.passing_error == pytest.approx(0.05)
    assert decision.passing_confidence == 0.95


@pytest.mark.parametrize("attempt", [1, 2, 7])
def test_an_attempt_spends_its_share_of_the_error(attempt: int) -> None:
    decision = replace(BY_BOUND, spends=True, attempt=attempt)
    spent = 0.05 * 6 / (math.pi**2 * attempt**2)
    assert decision.passing_error == pytest.approx(spent)
    assert decision.passing_confidence == pytest.approx(1 - spent)
    assert decision.error == pytest.approx(0.05)


def test_what_is_reached_passes_and_all_else_fails() -> None:
    assert (pass_or_fail(True), pass_or_fail(False)) == ("pass", "fail")


@pytest.mark.parametrize(
    ("word", "observed", "allows", "passes"),
    [
        ("inconclusive", 0.8, True, True),
        ("inconclusive", 0.8, False, False),
        ("inconclusive", None, True, False),
        ("fail", 0.8, True, False),
        ("pass", 0.8, True, False),
    ],
)
def test_only_an_open_number_that_was_measured_is_tolerated(
    word: VerdictName, observed: float | None, allows: bool, passes: bool
) -> None:
    verdict = replace(OPEN, verdict=word, observed=observed, tolerated=not passes)
    decision = replace(BY_BOUND, tolerates_inconclusive=allows)
    assert tolerated(verdict, decision) == replace(verdict, tolerated=passes)

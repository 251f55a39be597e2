"""Gates over few patients, and over few queries in which two runs differ."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from pytest_retrieval_robust.core.cases import Case
from pytest_retrieval_robust.core.counterfactual_outcomes import CounterfactualOutcome
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.core.verdict import GateKey, GateKind, Verdict
from pytest_retrieval_robust.gate.comparison import compare
from pytest_retrieval_robust.gate.difference import Errors
from pytest_retrieval_robust.gate.few_patients import (
    FewPatients,
    unless_patients_are_too_few,
)
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.paired_hits import PairedHits
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.intervals import paired_score_bounds
from pytest_retrieval_robust.retrieval.paired_power import (
    PairedSpread,
    detectable_paired_loss,
)
from pytest_retrieval_robust.retrieval.power import detectable_loss_of_hits

from ..reports.records import compared
from ..saved_runs import make_run
from .test_comparison import policy
from .test_counterfactual_gates import CLEAN

BY_BOUND = """
[[gate]]
recall = { 10 = 0.2 }
retention = { 10 = 0.1 }
auc = { 10 = 0.1 }
not_worse_than_baseline = { k = 10, margin = 0.3 }
decide = "bound"
"""


def verdicts_of(tmp_path: Path, studies: int, text: str = BY_BOUND) -> list[Verdict]:
    """Of an equal candidate with so many images per patient."""
    candidate = make_run(tmp_path / "a", 200, studies=studies)
    baseline = make_run(tmp_path / "b", 200, studies=studies)
    rules = policy(tmp_path, text)
    record = judge_run(candidate.run, rules, Against(baseline.run))
    return [each for each in record.verdicts if each.gate.kind is not GateKind.NONE]


def test_what_many_patients_pass_is_open_with_few(tmp_path: Path) -> None:
    for verdict in verdicts_of(tmp_path / "many", 4):
        assert verdict.verdict == "pass", verdict.sentence
    few = verdicts_of(tmp_path / "few", 50)
    assert len({verdict.gate.kind for verdict in few}) == 4
    for verdict in few:
        assert (verdict.verdict, verdict.bounds) == ("inconclusive", None)
        assert "4 patients with 3.0 degrees of freedom" in verdict.sentence
        assert "bounds need 5. Measure about 6 patients" in verdict.sentence
        assert verdict.more_queries is None


def test_no_setting_lets_few_patients_pass(tmp_path: Path) -> None:
    text = BY_BOUND + 'inconclusive = "allow"\n'
    assert all(verdict.objects for verdict in verdicts_of(tmp_path, 50, text))


def test_a_number_without_bounds_needs_no_patients(tmp_path: Path) -> None:
    text = "[[gate]]\nrecall = { 10 = 0.2 }\n"
    for verdict in verdicts_of(tmp_path, 50, text):
        assert (verdict.verdict, verdict.decided_by) == ("pass", "point")


BOUNDED = Verdict(
    Case("ours", "cxr", "patches", 0.3, 0),
    GateKey(GateKind.RECALL, 10),
    "pass",
    0.8,
    0.5,
    "",
    bounds=(0.6, 0.9),
    decided_by="bound",
    confidence=0.95,
    detectable_loss=0.1,
    more_queries=7,
    tolerated=True,
    weak=True,
)


def test_nothing_that_follows_from_bounds_is_left_of_too_few_patients() -> None:
    verdict = unless_patients_are_too_few(BOUNDED, FewPatients(4, 3.0))
    assert verdict == replace(
        BOUNDED,
        verdict="inconclusive",
        sentence=verdict.sentence,
        bounds=None,
        detectable_loss=None,
        more_queries=None,
        tolerated=False,
        weak=False,
    )
    assert verdict.sentence.startswith("ours on cxr, patches, recall@10: 0.800 has no")
    assert "4 patients with 3.0 degrees of freedom" in verdict.sentence


def test_enough_patients_points_and_what_was_not_measured_stay_as_they_are() -> None:
    few = FewPatients(4, 3.0)
    by_point = replace(BOUNDED, decided_by="point")
    unmeasured = replace(BOUNDED, observed=None)
    assert unless_patients_are_too_few(BOUNDED, None) is BOUNDED
    assert unless_patients_are_too_few(by_point, few) is by_point
    assert unless_patients_are_too_few(unmeasured, few) is unmeasured


@pytest.mark.parametrize(
    ("count", "degrees", "is_few"),
    [
        (4, 3.0, True),
        (9, 5.0, False),
        (9, 4.99, True),
        (None, 3.0, False),
        (4, None, False),
    ],
)
def test_patients_are_few_below_five_degrees_of_freedom(
    count: int | None, degrees: float | None, is_few: bool
) -> None:
    few = FewPatients.among(count, degrees)
    assert (few is not None) is is_few
    if few is not None:
        assert (few.count, few.degrees_of_freedom) == (count, degrees)


def with_patients(
    outcome: CounterfactualOutcome, patients: int, degrees: float
) -> CounterfactualOutcome:
    kinds = tuple(
        replace(share, patients=patients, degrees_of_freedom=degrees)
        for share in outcome.kinds
    )
    return replace(outcome, kinds=kinds)


def test_win_shares_of_few_patients_are_open(tmp_path: Path) -> None:
    table = (
        '[[gate]]\ncounterfactual = { kind = "negation", min = 0.7 }\ndecide = "bound"'
    )
    judge = Judge(policy(tmp_path, table))
    outcome = compared(CLEAN, 200, {"negation": 0.95})
    (many,) = judge.counterfactual(with_patients(outcome, 50, 30.0))
    (few,) = judge.counterfactual(with_patients(outcome, 20, 2.5))
    (alone,) = judge.counterfactual(outcome)
    assert (many.verdict, few.verdict, alone.verdict) == (
        "pass",
        "inconclusive",
        "pass",
    )
    assert "Measure about 40 patients" in few.sentence
    assert many.bounds is not None
    assert alone.bounds is not None
    assert many.bounds[0] < alone.bounds[0]


def test_a_kind_of_few_patients_is_not_hidden_by_one_that_may_stay_open(
    tmp_path: Path,
) -> None:
    """The lower share is open and allowed to be; the higher one has no bounds at all."""
    table = (
        '[[gate]]\ncounterfactual = { kind = "*", min = 0.7 }\ndecide = "bound"\n'
        'inconclusive = "allow"'
    )
    judge = Judge(policy(tmp_path, table))
    outcome = compared(CLEAN, 200, {"negation": 0.7, "side": 0.95})
    (verdict,) = judge.counterfactual(outcome)
    assert (verdict.verdict, verdict.tolerated) == ("inconclusive", True)
    kinds = tuple(
        replace(share, patients=20, degrees_of_freedom=2.5)
        if share.kind == "side"
        else share
        for share in outcome.kinds
    )
    (few,) = judge.counterfactual(replace(outcome, kinds=kinds))
    assert (few.verdict, few.observed) == ("inconclusive", 0.95)
    assert few.objects


@pytest.mark.parametrize("role", list(Role))
def test_few_patients_are_seen_beside_either_saved_run(
    tmp_path: Path, role: Role
) -> None:
    mine = make_run(tmp_path / "a", 200, studies=50).run
    theirs = make_run(tmp_path / "b", 200, studies=50).run
    comparison = compare(mine, theirs, role=role)
    text = f"[[gate]]\nnot_worse_than_{role} = {{ k = 10, margin = 0.3 }}\n"
    rules = policy(tmp_path, text)
    judge = Judge(rules, comparison=comparison)
    if role is Role.REFERENCE:
        judge = Judge(rules, reference=comparison)
    verdicts = judge.baseline(mine.measured.curves)
    assert [each.verdict for each in verdicts] == ["inconclusive"]
    assert "bounds need 5" in verdicts[0].sentence


# Few queries in which two runs differ


def paired(wins: int, losses: int, queries: int, levels: int = 1) -> PairedHits:
    """Runs that differ in so many queries, at all levels alike."""
    candidate = np.ones((queries, levels))
    baseline = np.ones((queries, levels))
    candidate[:losses] = 0
    baseline[losses : losses + wins] = 0
    return PairedHits(candidate, baseline, Clusters.of(np.arange(queries)))


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 1), (1, 2), (3, 4)])
@pytest.mark.parametrize("levels", [1, 3])
def test_a_pooled_bound_reaches_as_far_as_that_of_a_score_test(
    wins: int, losses: int, levels: int
) -> None:
    """At levels that are all alike, pooling adds nothing to one cell."""
    hits = paired(wins, losses, 120, levels)
    difference = hits.over_levels("recall", tuple(range(levels)), Errors(0.05, 4))
    low, _ = paired_score_bounds(wins, losses, 120, 0.05)
    _, high = paired_score_bounds(wins, losses, 120, 0.05 / 4)
    assert difference.passes_at <= low + 1e-9
    assert difference.fails_at >= high - 1e-9


def test_few_lost_queries_are_rarely_released() -> None:
    """A loss of the margin in 150 queries of which 3 % differ: 8 to 10 % of such pairs
    would pass by resamples alone.
    """
    rng = np.random.default_rng(12)
    passed = 0
    for _ in range(200):
        losses, wins = rng.multinomial(150, [0.025, 0.005, 0.97])[:2]
        difference = paired(int(wins), int(losses), 150).over_levels(
            "recall", (0.0,), Errors(0.05)
        )
        passed += difference.passes_at >= -0.02
    assert stats.binomtest(passed, 200, 0.05, "greater").pvalue > 0.01


# The smallest loss that is told


@pytest.mark.parametrize(
    ("share", "floor"), [(0.5, 0.45), (0.9, 0.88), (0.99, 0.97), (0.7, 0.5)]
)
@pytest.mark.parametrize("by_bound", [True, False])
def test_the_told_loss_of_a_share_is_told_four_times_in_five(
    share: float, floor: float, by_bound: bool
) -> None:
    """Exactly, from the binomial distribution."""
    n = 400
    z = stats.norm.ppf(0.95) if by_bound else 0.0
    loss = detectable_loss_of_hits(share, floor, n, z)
    hits = np.arange(n + 1)
    # Below the floor by the score test.
    is_told = hits / n < floor - z * math.sqrt(floor * (1 - floor) / n)
    power = stats.binom.pmf(hits, n, share - loss)[is_told].sum()
    assert power == pytest.approx(0.8, abs=0.06)


def latent_rates(baseline: float, loss: float, alike: float) -> tuple[float, float]:
    """Shares of queries that candidate and baseline alone hit, of two normal variables."""
    thresholds = stats.norm.ppf([baseline - loss, baseline])
    both = stats.multivariate_normal.cdf(thresholds, cov=[[1, alike], [alike, 1]])
    return baseline - loss - float(both), baseline - float(both)


@pytest.mark.parametrize(
    ("baseline", "alike"),
    [(0.99, 0.7), (0.95, 0.7), (0.95, 0.95), (0.8, 0.7), (0.8, 0.95), (0.5, 0.95)],
)
@pytest.mark.parametrize("is_score_test", [True, False])
def test_the_told_loss_beside_a_baseline_is_told_four_times_in_five(
    baseline: float, alike: float, is_score_test: bool
) -> None:
    """Of models that follow another law than the formula assumes: a normal one."""
    n, margin, z = 500, 0.02, float(stats.norm.ppf(1 - 0.05 / 24))
    wins, losses = latent_rates(baseline, 0.0, alike)
    spread = PairedSpread.of(wins * n, losses * n, baseline, n)
    loss = detectable_paired_loss(margin, spread, z, is_score_test=is_score_test)
    won, lost = latent_rates(baseline, loss, alike)
    rng = np.random.default_rng(3)
    drawn = rng.multinomial(n, [won, lost, 1 - won - lost], 4000)
    told = 0
    cells, times = np.unique(drawn[:, :2], axis=0, return_counts=True)
    for (a, b), time in zip(cells.tolist(), times.tolist(), strict=True):
        if is_score_test:
            told += time * (paired_score_bounds(a, b, n, 0.05 / 24)[1] < -margin)
        else:
            error = math.sqrt(max(a + b - (a - b) ** 2 / n, 1e-9)) / n
            told += time * ((a - b) / n + z * error < -margin)
    assert told / 4000 == pytest.approx(0.8, abs=0.06)


def test_the_score_error_at_the_margin_is_that_of_the_likeliest_shares() -> None:
    """The shares of wins and losses that maximise the likelihood at the margin."""
    spread = PairedSpread(0.1, 0.8, 300.0)
    loss, margin = 0.08, 0.02
    discordance = spread.discordance_at(loss)
    won, lost = (discordance - loss) / 2, (discordance + loss) / 2

    def less_likely(wins: float) -> float:
        losses = wins + margin
        same = 1 - wins - losses
        return -(
            won * math.log(wins)
            + lost * math.log(losses)
            + (1 - won - lost) * math.log(same)
        )

    best = optimize.minimize_scalar(less_likely, bounds=(1e-6, 0.48), method="bounded")
    variance = (2 * best.x + margin - margin**2) / 300
    assert spread.score_error_at(loss, margin) == pytest.approx(
        math.sqrt(variance), rel=1e-3
    )

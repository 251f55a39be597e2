"""What repeated attempts do to the error of a gate, and how it is spent over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.core.verdict import GateKind, Verdict
from pytest_retrieval_robust.gate.attempts import (
    AttemptRecord,
    TriedRole,
    repeated_error,
    tried_role,
)
from pytest_retrieval_robust.gate.decision import Decision, share_of_attempt
from pytest_retrieval_robust.gate.difference import Errors, non_inferior
from pytest_retrieval_robust.gate.paired_hits import PairedHits
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

from ..saved_runs import make_run

GATE = "not_worse_than_baseline = { k = 10, margin = 0.05 }\n"
SPEND = f'attempts = "spend"\n{GATE}'


def policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "robust.toml").write_text(f"[[gate]]\n{text}")
    return read_policy(read_config_file(tmp_path / "robust.toml"))


def judged(tmp_path: Path, text: str, number: int | None, shift: int = 0) -> RunRecord:
    return judge_run(
        make_run(tmp_path / "mine", 500, shift=shift).run,
        policy(tmp_path, text),
        Against(make_run(tmp_path / "theirs", 500).run),
        attempts=None if number is None else {Role.BASELINE: number},
    )


def of_baseline(record: RunRecord) -> Verdict:
    [verdict] = [v for v in record.verdicts if v.gate.kind is GateKind.BASELINE]
    return verdict


@given(error=st.floats(0.001, 0.499), attempts=st.integers(1, 200))
def test_the_chance_of_any_error_is_that_of_the_binomial(
    error: float, attempts: int
) -> None:
    expected = stats.binom.sf(0, attempts, error)
    assert repeated_error(error, attempts) == pytest.approx(expected, rel=1e-9)


def test_the_shares_of_all_attempts_add_up_to_one() -> None:
    shares = [share_of_attempt(number) for number in range(1, 200_001)]
    total = float(np.sum(shares))
    # What is left of the sum of 1 / n^2 is about 1 / n.
    assert 1 - 1e-5 < total < 1
    assert shares == sorted(shares, reverse=True)


# Simulated: a candidate that is worse by exactly the margin, measured anew at each try.

QUERIES = 400
MARGIN = 0.05
TRIES = 6
SEQUENCES = 400


def releases(rng: np.random.Generator, *, spends: bool) -> bool:
    """Whether any of some tries passes: none should."""
    decision = Decision("bound", 0.95, False, None, spends=spends)
    for number in range(1, TRIES + 1):
        here = replace(decision, attempt=number)
        baseline = rng.random(QUERIES) < 0.7
        # Hits of the baseline are lost, so that the recall is lower by the margin.
        lost = rng.random(QUERIES) < (MARGIN + 0.05 * 0.3) / 0.7
        won = rng.random(QUERIES) < 0.05
        candidate = np.where(baseline, ~lost, won)
        hits = PairedHits(
            candidate[:, None].astype(float),
            baseline[:, None].astype(float),
            Clusters.of(np.arange(QUERIES)),
        )
        difference = hits.of_recall(Errors(here.error, 1, here.passing_error))
        if non_inferior(difference, MARGIN) == "pass":
            return True
    return False


def test_repeated_tries_release_too_often_unless_the_error_is_spent() -> None:
    """Bounds are Wilson's at 99.9 %, and the seeds are fixed."""
    rates = {}
    for spends in (False, True):
        rng = np.random.default_rng(11)
        passed = sum(releases(rng, spends=spends) for _ in range(SEQUENCES))
        rates[spends] = stats.binomtest(passed, SEQUENCES).proportion_ci(
            0.999, method="wilson"
        )
    assert rates[False].low > 0.1
    assert rates[False].low < repeated_error(0.05, TRIES) < rates[False].high
    assert rates[True].high < 0.1
    assert rates[True].low < 0.05


# Verdicts


def test_a_later_attempt_needs_more(tmp_path: Path) -> None:
    """A loss of 3 points with a margin of 5: the first attempt shows it, the fifth does
    not.
    """
    first = of_baseline(judged(tmp_path, SPEND, 1, shift=4))
    tenth = of_baseline(judged(tmp_path, SPEND, 40, shift=4))
    assert (first.verdict, tenth.verdict) == ("pass", "inconclusive")
    assert first.confidence == pytest.approx(1 - 0.05 * 0.6079, abs=1e-5)
    assert (
        "This is attempt 1: the bound that passes has an error of 3.04 %, of 5 %"
        in (first.sentence)
    )
    assert "attempt 40" in tenth.sentence


def test_the_bound_that_fails_is_not_spent(tmp_path: Path) -> None:
    """Or a later attempt would be blocked less surely."""
    bounds = [
        of_baseline(judged(tmp_path, SPEND, number, shift=4)).bounds
        for number in (1, 9)
    ]
    assert bounds[0] is not None
    assert bounds[1] is not None
    assert bounds[0][1] == bounds[1][1]
    assert bounds[0][0] > bounds[1][0]


def test_attempts_change_nothing_unless_the_policy_spends(tmp_path: Path) -> None:
    verdicts = [
        of_baseline(judged(tmp_path, GATE, number, shift=4)) for number in (None, 1, 40)
    ]
    assert verdicts[0] == verdicts[1] == verdicts[2]


def test_an_error_that_nobody_counts_is_not_spent(tmp_path: Path) -> None:
    verdict = of_baseline(judged(tmp_path, f'{SPEND}inconclusive = "allow"\n', None))
    assert (verdict.verdict, verdict.tolerated) == ("inconclusive", False)
    assert "Add --robust-attempts FILE or --robust-results DIR" in verdict.sentence
    lost = of_baseline(judged(tmp_path, SPEND, None, shift=300))
    assert lost.verdict == "fail"


def test_corruption_errors_are_spent_where_they_are_decided_by_bound(
    tmp_path: Path,
) -> None:
    text = (
        'occluder = "*"\nattempts = "spend"\nmce = { k = 10, max = 1.2 }\n'
        'decide = "bound"\n'
    )

    def of_errors(text: str) -> Verdict:
        record = judged(tmp_path, text, 6, shift=2)
        [verdict] = [v for v in record.verdicts if v.gate.kind is GateKind.MCE]
        return verdict

    bound = of_errors(text)
    assert bound.confidence == pytest.approx(1 - 0.05 * share_of_attempt(6))
    assert "This is attempt 6" in bound.sentence
    assert "attempt" not in of_errors(text.replace('decide = "bound"', "")).sentence


def test_a_limit_may_say_otherwise_than_the_setting(tmp_path: Path) -> None:
    made = make_run(tmp_path / "a")
    counted = GATE.replace(" }", ', attempts = "count" }')
    text = f"{SPEND.replace('baseline', 'reference')}[[gate]]\n{counted}"
    both = policy(tmp_path, text)
    plan = made.run.measured.plan
    baseline = tried_role(Role.BASELINE, 4, both, plan)
    reference = tried_role(Role.REFERENCE, 4, both, plan)
    assert baseline.error == pytest.approx(0.05)
    assert baseline.spent is None
    assert reference.error is None
    assert reference.spent == pytest.approx(0.05)
    [said] = baseline.sentences
    assert "4 independent attempts" in said
    assert "up to 18.5 %" in said
    [said] = reference.sentences
    assert "attempt 4 has 0.19 % of it" in said


def test_the_first_attempt_has_nothing_to_warn_of(tmp_path: Path) -> None:
    plan = make_run(tmp_path / "a").run.measured.plan
    tried = tried_role(Role.BASELINE, 1, policy(tmp_path, GATE), plan)
    assert list(tried.sentences) == []


@pytest.mark.parametrize(("word", "spends"), [("spend", True), ("count", False)])
@pytest.mark.parametrize("setting", ["spend", "count"])
def test_the_word_of_a_limit_counts_before_that_of_its_table(
    tmp_path: Path, word: str, spends: bool, setting: str
) -> None:
    plan = make_run(tmp_path / "a", 40).run.measured.plan
    limit = GATE.replace(" }", f', attempts = "{word}" }}')
    rules = policy(tmp_path, f'attempts = "{setting}"\n{limit}')
    tried = tried_role(Role.BASELINE, 2, rules, plan)
    assert (tried.spent is not None, tried.error is not None) == (spends, not spends)


def test_a_gate_that_spends_in_one_direction_does_so_there(tmp_path: Path) -> None:
    plan = make_run(tmp_path / "a", 40).run.measured.plan
    text = f'direction = "report-to-image"\n{SPEND}'
    tried = tried_role(Role.BASELINE, 2, policy(tmp_path, text), plan)
    assert (tried.error, tried.number) == (None, 2)
    assert tried.spent == pytest.approx(0.05)
    assert tried.spent_here == pytest.approx(0.05 * share_of_attempt(2))


def test_a_gate_over_levels_spends_as_its_table_at_one_level_says(
    tmp_path: Path,
) -> None:
    plan = make_run(tmp_path / "a", 40).run.measured.plan
    rules = policy(tmp_path, f"level = 0.2\n{SPEND}")
    tried = tried_role(Role.BASELINE, 2, rules, plan)
    assert tried.error is None
    assert tried.spent == pytest.approx(0.05)


def test_the_greatest_error_of_several_gates_counts(tmp_path: Path) -> None:
    plan = make_run(tmp_path / "a", 40).run.measured.plan
    retention = GATE.replace(" }", ', metric = "retention" }')
    text = f"{GATE}confidence = 0.99\n[[gate]]\n{retention}confidence = 0.9\n"
    text = text.replace("[[gate]]", '[[gate]]\nmodel = "ours"')
    tried = tried_role(Role.BASELINE, 2, policy(tmp_path, text), plan)
    assert tried.error == pytest.approx(0.1)


@pytest.mark.parametrize(("decide", "error"), [("bound", 0.05), ("point", None)])
def test_corruption_errors_count_as_tries_where_bounds_decide(
    tmp_path: Path, decide: str, error: float | None
) -> None:
    plan = make_run(tmp_path / "a", 40).run.measured.plan
    text = f'occluder = "*"\nmce = {{ k = 10, max = 1.2 }}\ndecide = "{decide}"\n'
    tried = tried_role(Role.BASELINE, 2, policy(tmp_path, text), plan)
    assert tried.error == (error and pytest.approx(error))
    assert tried.spent is None


@pytest.mark.parametrize(
    ("same_weights", "is_new", "title"),
    [
        (
            None,
            True,
            "Attempt 4 against this baseline, attempt 9 against this reference",
        ),
        (2, True, "with the same weights as attempt 2: it counts all the same"),
        (2, False, "judged again: that is no new attempt"),
    ],
)
def test_a_record_says_which_attempt_it_is(
    same_weights: int | None, is_new: bool, title: str
) -> None:
    tried = (
        TriedRole(Role.BASELINE, 4, 0.05, None),
        TriedRole(Role.REFERENCE, 9, None, 0.05, 0.001),
    )
    record = AttemptRecord(tried, same_weights, is_new, "", "")
    [first, of_baseline, of_reference] = record.sentences
    assert first.endswith(title)
    assert first.count("attempt 2") == ("weights" in title)
    assert [of_baseline, of_reference] == [next(iter(each.sentences)) for each in tried]


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='expected "count"'):
        policy(tmp_path, f'attempts = "often"\n{GATE}')
    with pytest.raises(ConfigError, match="attempts to be one of count, spend"):
        policy(tmp_path, GATE.replace(" }", ', attempts = "often" }'))


def test_a_bad_candidate_fails_its_corruption_errors_at_every_attempt(
    tmp_path: Path,
) -> None:
    """The bound that fails a gate is not spent: see `corruption_error`."""
    rules = policy(
        tmp_path,
        'corruption = "*"\ndecide = "bound"\nattempts = "spend"\n'
        "mce = { k = 10, max = 1.05 }\nworst_ce = { k = 10, max = 1.05 }\n",
    )
    mine = make_run(tmp_path / "mine", 200, corruptions=("x",), shift=12).run
    theirs = make_run(tmp_path / "theirs", 200, corruptions=("x",)).run
    ends = {}
    for number in (1, 20):
        record = judge_run(
            mine, rules, Against(theirs), attempts={Role.BASELINE: number}
        )
        found = [v for v in record.verdicts if v.gate.kind.is_of_perturbations]
        assert [v.verdict for v in found] == ["fail", "fail"]
        assert all(" at 95 %, upper one " in v.sentence for v in found)
        ends[number] = [v.bounds for v in found]
    for first, last in zip(ends[1], ends[20], strict=True):
        assert first is not None
        assert last is not None
        assert first[0] == last[0]
        assert first[1] < last[1]

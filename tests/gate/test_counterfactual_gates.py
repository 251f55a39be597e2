"""Gates on edited reports: which cells they are about, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_retrieval_robust.core.cases import Case, Plan
from pytest_retrieval_robust.core.counterfactual_outcomes import (
    CounterfactualOutcome,
    clean_case,
)
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKey, GateKind, Verdict
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.policy import Policy

from ..reports.records import compared, win_share
from .test_judge import policy

CLEAN = clean_case("ours", "d")
HIDDEN = Case("ours", "d", "patches", 0.2, 0)
JPEG = Case("ours", "d", "jpeg", 0.6, 0, "corruption")
PLAN = Plan(
    ("ours",),
    ("d",),
    ("patches",),
    (0.0, 0.2, 0.4),
    (0,),
    (1, 5, 10),
    ("jpeg",),
    (),
    (0.0, 0.6),
)
NEGATION = 'counterfactual = { kind = "negation", min = 0.7 }'


def _verdicts(rules: Policy, outcome: CounterfactualOutcome) -> list[Verdict]:
    return Judge(rules).counterfactual(outcome)


def _verdict(folder: Path, table: str, case: Case = CLEAN, **kinds: float) -> Verdict:
    rules = policy(folder, f"[[gate]]\n{table}\n")
    (verdict,) = _verdicts(rules, compared(case, 200, kinds))
    return verdict


@pytest.mark.parametrize(
    ("share", "expected"), [(0.7, "pass"), (0.9, "pass"), (0.69, "fail"), (0.0, "fail")]
)
def test_a_kind_has_to_reach_its_floor(
    tmp_path: Path, share: float, expected: str
) -> None:
    verdict = _verdict(tmp_path, NEGATION, negation=share, side=0.1)
    assert verdict.verdict == expected
    assert verdict.observed == share
    assert verdict.gate == GateKey(GateKind.COUNTERFACTUAL, name="negation")
    assert f"{share:.3f}" in verdict.sentence


def test_bounds_decide_where_the_table_says_so(tmp_path: Path) -> None:
    table = f'{NEGATION}\ndecide = "bound"'
    assert _verdict(tmp_path, table, negation=0.95).verdict == "pass"
    assert _verdict(tmp_path, table, negation=0.3).verdict == "fail"
    open_one = _verdict(tmp_path, table, negation=0.72)
    assert open_one.verdict == "inconclusive"
    assert open_one.objects
    assert open_one.more_queries is not None
    low, high = open_one.bounds or (1.0, 0.0)
    assert low < 0.7 < 0.72 < high
    allowed = _verdict(tmp_path, f'{table}\ninconclusive = "allow"', negation=0.72)
    assert not allowed.objects


def test_without_a_kind_it_is_about_all_kinds(tmp_path: Path) -> None:
    verdict = _verdict(
        tmp_path, "counterfactual = { min = 0.7 }", negation=0.9, side=0.6
    )
    assert verdict.verdict == "pass"
    assert verdict.observed == pytest.approx(0.75)
    assert str(verdict.gate) == "counterfactual"


def test_of_the_kinds_of_a_glob_the_worst_decides(tmp_path: Path) -> None:
    table = 'counterfactual = { kind = "s*", min = 0.7 }'
    verdict = _verdict(tmp_path, table, negation=0.1, side=0.9, size=0.65)
    assert (verdict.verdict, verdict.observed) == ("fail", 0.65)
    assert "size" in verdict.sentence


@pytest.mark.parametrize("kind", ["device", "dev*", "typo"])
def test_a_kind_without_edits_never_passes(tmp_path: Path, kind: str) -> None:
    table = f'counterfactual = {{ kind = "{kind}", min = 0.7 }}'
    verdict = _verdict(tmp_path, f'{table}\ninconclusive = "allow"', negation=1.0)
    assert verdict.objects
    assert verdict.observed is None
    assert "not measured" in verdict.sentence
    assert "negation" in verdict.sentence


def test_data_without_edits_never_passes(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        "[[gate]]\ncounterfactual = { min = 0.7 }\ndistractor_recall = { k = 10, min ="
        " 0.2 }\n",
    )
    nothing = compared(CLEAN, 200)
    none = replace(
        nothing,
        overall=None,
        kinds=(),
        edits=0,
        edited=0,
        with_distractors=replace(nothing.with_distractors, distractors=0, gallery=200),
    )
    verdicts = _verdicts(rules, none)
    assert len(verdicts) == 2
    assert all(verdict.objects for verdict in verdicts)
    assert all("not measured" in verdict.sentence for verdict in verdicts)


def test_a_floor_that_a_coin_reaches_is_no_gate(tmp_path: Path) -> None:
    verdict = _verdict(
        tmp_path,
        'counterfactual = { kind = "negation", min = 0.3 }\ninconclusive = "allow"',
        negation=0.9,
    )
    assert verdict.objects
    assert "cannot fail" in verdict.sentence


def test_a_floor_of_0_takes_a_broader_gate_away(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        f'[[gate]]\n{NEGATION}\n[[gate]]\nmodel = "ours"\ncounterfactual = {{ kind ='
        ' "negation", min = 0 }\n',
    )
    (verdict,) = _verdicts(rules, compared(CLEAN, 200))
    assert verdict.verdict == "ungated"


@pytest.mark.parametrize(("minimum", "expected"), [(0.35, "pass"), (0.36, "fail")])
def test_recall_among_edits_has_to_reach_its_floor(
    tmp_path: Path, minimum: float, expected: str
) -> None:
    table = f"distractor_recall = {{ k = 10, min = {minimum} }}"
    verdict = _verdict(tmp_path, table)
    assert verdict.verdict == expected
    assert str(verdict.gate) == "distractor_recall@10"
    assert "with 240 edits in the gallery" in verdict.sentence


@pytest.mark.parametrize(
    ("selectors", "judged"),
    [
        ("", {CLEAN}),
        ("level = 0", {CLEAN}),
        ("level = 0.2", {HIDDEN}),
        ('occluder = "patches"', {HIDDEN}),
        ('occluder = "box"', set()),
        ('corruption = "*"', {JPEG}),
        ('corruption = "jpeg"\nseverity = 0.6', {JPEG}),
        ('corruption = "jpeg"\nseverity = 0.4', set()),
        ('model = "theirs"', set()),
    ],
)
def test_a_table_is_about_the_clean_images_unless_it_names_cells(
    tmp_path: Path, selectors: str, judged: set[Case]
) -> None:
    rules = policy(tmp_path, f"[[gate]]\n{selectors}\n{NEGATION}\n")
    found = {
        case for case in (CLEAN, HIDDEN, JPEG) if _verdicts(rules, compared(case, 200))
    }
    assert found == judged


def test_every_gate_is_planned_once_and_where_it_is_judged(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        f"[[gate]]\n{NEGATION}\ndistractor_recall = {{ k = 10, min = 0.4 }}\n[[gate]]"
        '\ncorruption = "*"\ncounterfactual = { min = 0.6 }\n[[gate]]\nlevel ='
        " 0.4\ncounterfactual = { min = 0.55 }\n",
    )
    planned = {(gate.case, str(gate.gate)) for gate in rules.planned(PLAN)}
    assert planned == {
        (CLEAN, "counterfactual negation"),
        (CLEAN, "distractor_recall@10"),
        (JPEG, "counterfactual"),
        (replace(HIDDEN, level=0.4), "counterfactual"),
    }
    assert rules.metrics == ()
    assert rules.idle(rules.planned(PLAN), PLAN) == 0
    rules.check(PLAN)


def test_a_list_states_floors_of_several_kinds(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\ncounterfactual = [{ kind = "negation", min = 0.8 }, { kind = "side",'
        " min = 0.8 }]\n",
    )
    verdicts = _verdicts(rules, compared(CLEAN, 200))
    assert [(v.gate.name, v.verdict) for v in verdicts] == [
        ("negation", "pass"),
        ("side", "fail"),
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("counterfactual = 0.7", '{ kind = "negation", min = 0.7 }'),
        ("counterfactual = { kind = 3, min = 0.7 }", "a kind of edits or a glob"),
        ("counterfactual = { min = 1.2 }", "a min from 0 to 1"),
        ("counterfactual = { min = true }", "a min from 0 to 1"),
        ("counterfactual = []", "or a list of these"),
        ("counterfactual = [{ min = 0.6 }, { min = 0.7 }]", "each kind once"),
        ("distractor_recall = { 10 = 0.4 }", "{ k = 10, min = 0.4 }"),
        ("distractor_recall = { k = 0, min = 0.4 }", "a whole k from 1"),
        (f'text_noise = "typos"\n{NEGATION}', "occluder or corruption beside"),
        (f'direction = "report-to-image"\n{NEGATION}', "image-to-report, beside"),
        (
            'direction = "report-to-image"\ndistractor_recall = { k = 10, min = 0.4 }',
            "image-to-report, beside distractor_recall",
        ),
    ],
)
def test_what_is_written_wrong_is_refused_with_its_line(
    tmp_path: Path, table: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{table}\n")
    assert expected in str(caught.value)
    assert "line 2" in str(caught.value) or "line 3" in str(caught.value)


def test_a_k_that_is_not_measured_is_refused(tmp_path: Path) -> None:
    rules = policy(tmp_path, "[[gate]]\ndistractor_recall = { k = 7, min = 0.4 }\n")
    with pytest.raises(ConfigError, match="distractor_recall at k=7"):
        rules.check(PLAN)


def _with_images(share: float, images: int, edits: int) -> CounterfactualOutcome:
    """Each of so many images is compared with so many edits."""
    outcome = compared(CLEAN, 200)
    negation = replace(win_share("negation", share, images), comparisons=edits * images)
    return replace(outcome, kinds=(negation,), overall=negation, edited=images)


@pytest.mark.parametrize(("edits", "can_fail"), [(1, True), (9, False)])
def test_a_coin_is_flipped_at_every_comparison(
    tmp_path: Path, edits: int, can_fail: bool
) -> None:
    rules = policy(tmp_path, "[[gate]]\ncounterfactual = { min = 0.4 }\n")
    [verdict] = _verdicts(rules, _with_images(0.9, 100, edits))
    assert verdict.verdict == ("pass" if can_fail else "inconclusive")
    assert ("cannot fail" in verdict.sentence) is not can_fail
    # A coin, 9 times for each of 100 images.
    flips = np.random.default_rng(0).random((2_000, 100, edits)) < 0.5
    reached = (flips.mean(axis=(1, 2)) >= 0.4).mean()
    assert (reached >= 0.999) is not can_fail


@pytest.mark.parametrize(("images", "expected"), [(9, "inconclusive"), (10, "pass")])
def test_a_few_images_decide_nothing(
    tmp_path: Path, images: int, expected: str
) -> None:
    rules = policy(tmp_path, f'[[gate]]\n{NEGATION}\ninconclusive = "allow"\n')
    [verdict] = _verdicts(rules, _with_images(1.0, images, 2))
    assert verdict.verdict == expected
    assert verdict.objects is (expected == "inconclusive")
    assert f"({images} images; {images} of 200 reports edited)" in verdict.sentence


def test_of_several_kinds_each_fails_at_its_part_of_the_error(tmp_path: Path) -> None:
    table = 'counterfactual = {{ kind = "{kind}", min = 0.7 }}\ndecide = "bound"'
    alone = table.format(kind="size")
    both = table.format(kind="s*")
    # 90 effective images: below the floor at an error of 0.05, and not at 0.025.
    share = 0.615
    assert _verdict(tmp_path, alone, size=share, side=0.9).verdict == "fail"
    shared = _verdict(tmp_path, both, size=share, side=0.9)
    assert shared.verdict == "inconclusive"
    assert "the upper one at the error of 2 kinds" in shared.sentence
    # Passing takes every kind: its bound is as for one.
    found = [
        _verdict(tmp_path, text, size=0.85, side=0.9).bounds or (0.0, 0.0)
        for text in (alone, both)
    ]
    assert found[0][0] == found[1][0]
    assert found[0][1] < found[1][1]

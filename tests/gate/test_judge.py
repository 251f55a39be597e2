"""The policy: which limit applies, and what it says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.cases import Case, Plan
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.costs import CostMeasurement, Latency, ReferenceCost
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.outcomes import Outcome, Scores, Timing
from pytest_retrieval_robust.core.searches import BreakingOutcome, HeatMap
from pytest_retrieval_robust.core.verdict import GateKind
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.limits import Floor
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.retrieval.curve import Curve
from pytest_retrieval_robust.retrieval.intervals import proportion

CASE = Case("ours-v2", "synthetic-cxr", "patches", 0.3, 0)


def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all examples of a test, below which no other test's folders lie."""
    folder = tmp_path_factory.getbasetemp() / "policies"
    folder.mkdir(exist_ok=True)
    return folder


def policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "robust.toml").write_text(text)
    return read_policy(read_config_file(tmp_path / "robust.toml"))


def scores(recall: float, n: int = 500) -> Scores:
    return Scores(n, n, {10: 10 / n}, {10: recall}, {10: (0.0, 1.0)}, 1.0, recall)


def outcome(
    recall: float, level: float = 0.3, model: str = "ours-v2", speed: float = 100.0
) -> Outcome:
    case = Case(model, "synthetic-cxr", "patches", level, 0)
    return Outcome(
        case,
        level,
        level,
        scores(recall),
        scores(recall),
        Timing(speed, 1.0, 0.0, "cpu", "fp32"),
    )


def verdicts(
    tmp_path: Path, text: str, recall: float, clean: float = 0.9
) -> Mapping[str, str]:
    judged = Judge(policy(tmp_path, text)).cell(outcome(recall), outcome(clean, 0.0))
    return {str(verdict.gate): verdict.verdict for verdict in judged}


def test_a_cell_without_a_gate_is_ungated(tmp_path: Path) -> None:
    assert verdicts(tmp_path, "", 0.5) == {"none": "ungated"}


@given(floor=st.floats(0.01, 1), recall=st.floats(0, 1))
def test_a_floor_passes_exactly_what_reaches_it(
    tmp_path_factory: pytest.TempPathFactory, floor: float, recall: float
) -> None:
    folder = policies(tmp_path_factory)
    judged = verdicts(folder, f"[[gate]]\nrecall = {{ 10 = {floor!r} }}", recall)
    expected = "pass" if recall >= floor - 1e-12 else "fail"
    assert judged == {"recall@10 image-to-report": expected}


def test_a_floor_that_chance_reaches_is_weak(tmp_path: Path) -> None:
    near = replace(
        outcome(0.5),
        image_to_report=Scores(
            20, 20, {10: 0.5}, {10: 0.5}, {10: (0.0, 1.0)}, 1.0, 0.5
        ),
    )
    for floor, weak in ((0.49, True), (0.51, False)):
        (verdict,) = Judge(
            policy(tmp_path, f"[[gate]]\nrecall = {{ 10 = {floor} }}")
        ).cell(near, outcome(0.9, 0.0))
        assert verdict.weak is weak


def test_retention_is_recall_over_clean_recall(tmp_path: Path) -> None:
    text = "[[gate]]\nretention = { 10 = 0.5 }"
    assert verdicts(tmp_path, text, 0.46, 0.9) == {
        "retention@10 image-to-report": "pass"
    }
    assert verdicts(tmp_path, text, 0.44, 0.9) == {
        "retention@10 image-to-report": "fail"
    }


@pytest.mark.parametrize(
    ("selectors", "floor"),
    [
        ("", 0.1),
        ('model = "ours-*"', 0.2),
        ('model = "ours-v2"', 0.3),
        ('model = "ours-v2"\nlevel = 0.3', 0.4),
        ('model = "ours-v2"\noccluder = "patches*"', 0.5),
        ('model = "ours-v2"\noccluder = "patches"\nlevel = 0.3', 0.6),
        ('model = "ours-v2"\ndataset = "synthetic-cxr"', 0.7),
    ],
)
def test_the_most_specific_gate_wins_in_the_documented_order(
    tmp_path: Path, selectors: str, floor: float
) -> None:
    broader = (
        '[[gate]]\nrecall = { 10 = 0.0 }\n[[gate]]\nmodel = "o*"\nlevel = 0.4\nrecall ='
        " { 10 = 0.9 }\n"
    )
    text = f"[[gate]]\n{selectors}\nrecall = {{ 10 = {floor} }}\n"
    limits = policy(tmp_path, text + (broader if selectors else "")).limits_for(
        CASE, "image-to-report"
    )
    assert limits == [Floor(GateKind.RECALL, 10, floor)]


def test_gates_merge_key_by_key(tmp_path: Path) -> None:
    text = (
        "[[gate]]\nretention = { 10 = 0.5 }\nrecall = { 10 = 0.1 }\n[[gate]]\nmodel ="
        ' "ours-v2"\nrecall = { 10 = 0.2 }'
    )
    limits = policy(tmp_path, text).limits_for(CASE, "image-to-report")
    assert limits == [
        Floor(GateKind.RECALL, 10, 0.2),
        Floor(GateKind.RETENTION, 10, 0.5),
    ]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("patches", False), ("patches*", True), ("patches(fill=mean)", True)],
)
def test_patches_is_not_patches_with_another_fill(
    tmp_path: Path, pattern: str, matches: bool
) -> None:
    text = f'[[gate]]\noccluder = "{pattern}"\nrecall = {{ 10 = 0.5 }}'
    case = Case("m", "d", "patches(fill=mean)", 0.3, 0)
    assert bool(policy(tmp_path, text).limits_for(case, "image-to-report")) is matches


def test_another_direction_is_judged_by_its_own_scores(tmp_path: Path) -> None:
    text = '[[gate]]\ndirection = "report-to-image"\nrecall = { 10 = 0.6 }'
    assert verdicts(tmp_path, text, 0.5) == {"recall@10 report-to-image": "fail"}


def test_a_named_model_at_chance_fails_before_any_floor(tmp_path: Path) -> None:
    text = '[[gate]]\nmodel = "ours-*"\nrecall = { 10 = 0.0 }'
    judged = Judge(policy(tmp_path, text)).cell(outcome(0.02), outcome(0.02, 0.0))
    assert [(str(verdict.gate), verdict.verdict) for verdict in judged] == [
        ("above_chance", "fail")
    ]
    assert judged[0].case == CASE
    assert "weights may not have been loaded" in judged[0].sentence


def test_a_model_at_chance_shows_no_retention() -> None:
    assert Curve((outcome(0.02, 0.0), outcome(0.02))).retention(10) is None


def test_a_sentence_says_what_was_expected_and_got(tmp_path: Path) -> None:
    judged = Judge(policy(tmp_path, "[[gate]]\nrecall = { 10 = 0.6 }")).cell(
        outcome(0.5), outcome(0.9, 0.0)
    )
    assert (
        judged[0].sentence
        == "ours-v2 on synthetic-cxr, patches at level 0.3, seed 0, image-to-report: "
        "Recall@10 is 0.500, below the floor of 0.600."
    )


@pytest.mark.parametrize(
    ("recall", "ending"),
    [
        (0.3, " (95 % bounds 0.267 and 0.335), below the floor of 0.500."),
        (0.9, " (95 % bounds 0.876 and 0.920), at least the floor of 0.500."),
    ],
)
def test_a_sentence_has_the_bounds_that_decided(
    tmp_path: Path, recall: float, ending: str
) -> None:
    text = '[[gate]]\nrecall = { 10 = 0.5 }\ndecide = "bound"\n'
    [verdict] = Judge(policy(tmp_path, text)).cell(outcome(recall), outcome(0.9, 0.0))
    assert verdict.sentence.endswith(f"is {recall:.3f}{ending}")


def test_a_floor_at_the_lower_bound_is_met(tmp_path: Path) -> None:
    low = proportion(0.9, 500, 0.95).low
    text = f'[[gate]]\nrecall = {{ 10 = {low!r} }}\ndecide = "bound"\n'
    [verdict] = Judge(policy(tmp_path, text)).cell(outcome(0.9), outcome(0.9, 0.0))
    assert verdict.verdict == "pass"


def test_a_floor_that_is_reached_says_so(tmp_path: Path) -> None:
    text = "[[gate]]\nrecall = { 10 = 0.4 }"
    [verdict] = Judge(policy(tmp_path, text)).cell(outcome(0.5), outcome(0.9, 0.0))
    assert verdict.sentence.endswith("is 0.500, at least the floor of 0.400.")


def test_an_open_floor_says_how_many_more_queries_would_settle_it(
    tmp_path: Path,
) -> None:
    text = '[[gate]]\nrecall = { 10 = 0.49 }\ndecide = "bound"\n'
    [verdict] = Judge(policy(tmp_path, text)).cell(outcome(0.5), outcome(0.9, 0.0))
    more = proportion(0.5, 500, 0.95).queries_to_clear(0.49, 0.95)
    assert (verdict.verdict, verdict.more_queries) == ("inconclusive", more)
    assert f"about {more} more queries would settle it" in verdict.sentence
    assert verdict.confidence == 0.95


def cost(relative: float, seconds: float = 0.01) -> CostMeasurement:
    return CostMeasurement(CASE, seconds, seconds * relative, relative, 5, 32, "cpu")


def test_the_cost_of_hiding_is_judged(tmp_path: Path) -> None:
    rules = Judge(policy(tmp_path, "[[gate]]\nrelative_cost = 1.1"))
    assert [v.verdict for v in rules.cost(cost(1.05))] == ["pass"]
    assert [v.verdict for v in rules.cost(cost(1.2))] == ["fail"]


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ((1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06), "pass"),
        (
            (1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.5),
            "pass",
        ),  # the largest of seven is above the median in 99 of 100
        ((1.0, 1.01, 1.02, 1.03, 1.04, 1.5, 1.5), "inconclusive"),
        ((1.2, 1.21, 1.22, 1.23, 1.24, 1.25, 1.26), "fail"),
        ((1.0, 1.0), "inconclusive"),
    ],
)
def test_the_bound_of_a_cost_is_an_order_statistic(
    tmp_path: Path, ratios: tuple[float, ...], expected: str
) -> None:
    rules = Judge(
        policy(
            tmp_path,
            '[[gate]]\nrelative_cost = 1.1\ndecide = "bound"\nconfidence = 0.9',
        )
    )
    (verdict,) = rules.cost(replace(cost(median(ratios)), ratios=ratios))
    assert verdict.verdict == expected


def test_cost_relative_to_another_model_needs_that_model(tmp_path: Path) -> None:
    rules = Judge(
        policy(
            tmp_path,
            '[[gate]]\nmodel = "ours-v2"\ncost_relative_to = { model = "clip", max ='
            " 1.5 }",
        )
    )
    clean = replace(cost(1.0), case=CASE.clean())
    for ratio, expected in ((1.4, "pass"), (1.6, "fail")):
        (verdict,) = rules.cost(
            replace(clean, reference=ReferenceCost("clip", 0.01, (ratio,) * 7))
        )
        assert (verdict.verdict, verdict.observed) == (expected, ratio)
    assert [verdict.verdict for verdict in rules.cost(clean)] == ["inconclusive"]
    assert rules.cost(cost(1.0)) == []


ABSOLUTE = (
    "images_per_second = 50\nlatency = { p50 = 0.02, p95 = 0.03 }\npeak_memory_gib ="
    " 1.0\n"
)


def test_absolute_limits_hold_on_their_hardware_alone(tmp_path: Path) -> None:
    measured = replace(
        cost(1.0, 0.01),
        case=CASE.clean(),
        hardware="NVIDIA H100 80GB HBM3",
        latency=Latency(0.01, 0.04, 30),
        peak_memory_bytes=2**29,
    )
    judged = {
        pattern: {
            str(v.gate): v.verdict
            for v in Judge(policy(tmp_path, f"[[gate]]\n{ABSOLUTE}{pattern}")).cost(
                measured
            )
        }
        for pattern in ('hardware = "NVIDIA H100*"', 'hardware = "NVIDIA A100*"', "")
    }
    passed, elsewhere, unnamed = judged.values()
    assert passed == {
        "images_per_second": "pass",
        "latency_p50": "pass",
        "latency_p95": "fail",
        "peak_memory_gib": "pass",
    }
    assert set(elsewhere.values()) == {"ungated"}
    assert set(unnamed.values()) == {"inconclusive"}


def test_a_limit_without_hardware_says_what_to_write(tmp_path: Path) -> None:
    rules = Judge(policy(tmp_path, "[[gate]]\nimages_per_second = 50"))
    (verdict,) = rules.cost(replace(cost(1.0), hardware="AMD EPYC x 2 threads"))
    assert 'Add hardware = "AMD EPYC x 2 threads" to the gate.' in verdict.sentence


def test_curves_are_judged_over_their_levels(tmp_path: Path) -> None:
    rules = Judge(
        policy(tmp_path, "[[gate]]\nauc = { 10 = 0.6 }\nhalf_level = { 10 = 0.35 }")
    )
    falling = Curve((outcome(0.8, 0.0), outcome(0.6, 0.2), outcome(0.2, 0.4)))
    assert [v.verdict for v in rules.curve(falling)] == ["fail", "fail"]
    flat = Curve((outcome(0.8, 0.0), outcome(0.8, 0.2), outcome(0.8, 0.4)))
    assert [v.verdict for v in rules.curve(flat)] == ["pass", "pass"]
    short = Curve((outcome(0.8, 0.0), outcome(0.8, 0.2)))
    assert [v.verdict for v in rules.curve(short)] == ["pass", "inconclusive"]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("retention = { 10 = 0.1 }", 0.5),
        ("auc = { 10 = 0.1 }", 0.6),
        ("half_level = { 10 = 0.1 }", 0.3),
        ("slope = { 10 = -3.0 }", (0.4 - 0.8) / 0.3),
    ],
)
@pytest.mark.parametrize("decide", ["point", "bound"])
def test_a_curve_is_judged_in_the_direction_of_its_gate(
    tmp_path: Path, limit: str, expected: float, decide: str
) -> None:
    text = f'[[gate]]\ndirection = "report-to-image"\n{limit}\ndecide = "{decide}"\n'
    rules = Judge(policy(tmp_path, text))
    clean, hidden = (
        replace(outcome(0.9, level), report_to_image=scores(recall))
        for level, recall in ((0.0, 0.8), (0.3, 0.4))
    )
    judged = [*rules.cell(hidden, clean), *rules.curve(Curve((clean, hidden)))]
    [verdict] = [each for each in judged if each.verdict != "ungated"]
    assert verdict.observed == pytest.approx(expected)
    assert verdict.gate.direction == "report-to-image"
    # Without ranks there are no bounds, so that they decide nothing.
    assert verdict.verdict == ("pass" if decide == "point" else "inconclusive")
    assert verdict.bounds is None


@pytest.mark.parametrize(
    "limit", ["retention = { 10 = 0.8 }", "half_level = { 10 = 0.3 }"]
)
@pytest.mark.parametrize("clean", [0.0, 0.02])
def test_what_retrieves_nothing_keeps_nothing(
    tmp_path: Path, limit: str, clean: float
) -> None:
    """Also where the gate names no model, and so does not ask for better than chance first."""
    rules = Judge(policy(tmp_path, f"[[gate]]\n{limit}"))
    curve = Curve((outcome(clean, 0.0), outcome(clean, 0.3)))
    judged = [*rules.cell(curve.outcomes[1], curve.clean), *rules.curve(curve)]
    (verdict,) = [each for each in judged if each.verdict != "ungated"]
    assert (verdict.verdict, verdict.observed) == ("fail", None)
    assert verdict.gate.direction == "image-to-report"
    assert "better than chance with nothing hidden before its" in verdict.sentence


@pytest.mark.parametrize("kind", ["auc", "half_level", "slope"])
def test_one_level_alone_is_no_curve(tmp_path: Path, kind: str) -> None:
    rules = Judge(policy(tmp_path, f"[[gate]]\n{kind} = {{ 10 = 0.1 }}"))
    [verdict] = rules.curve(Curve((outcome(0.8, 0.0),)))
    assert (verdict.verdict, verdict.observed) == ("inconclusive", None)
    assert (verdict.case.level, verdict.limit) == (0.0, 0.1)
    assert "takes two levels or more" in verdict.sentence


def test_a_curve_at_chance_has_no_half_level() -> None:
    curve = Curve((outcome(0.02, 0.0), outcome(0.0, 0.3)))
    assert curve.half_level(10) is None
    assert (
        curve.as_json("image-to-report")["reasons"]["half_level"]
        == "clean recall is not above chance"
    )


def test_equally_specific_gates_that_differ_are_refused(tmp_path: Path) -> None:
    text = (
        '[[gate]]\nmodel = "o*"\nrecall = { 10 = 0.1 }\n[[gate]]\nmodel = "*2"\nrecall'
        " = { 10 = 0.2 }"
    )
    plan = Plan(("ours-v2",), ("synthetic-cxr",), ("patches",), (0.0, 0.3), (0,), (10,))
    with pytest.raises(
        ConfigError, match=r"line 4: .*equally specific \(robust.toml, line 1\)"
    ):
        policy(tmp_path, text).check(plan)


def test_outcomes_survive_the_way_through_json() -> None:
    assert Outcome.from_json(outcome(0.5).as_json()) == outcome(0.5)
    assert CostMeasurement.from_json(cost(1.2).as_json()) == cost(1.2)


def small(recall: float, gallery: int, level: float = 0.3) -> Outcome:
    """An outcome of which k is nearly the whole gallery."""
    near = Scores(
        gallery,
        gallery,
        {10: min(1.0, 10 / gallery)},
        {10: recall},
        {10: (0.0, 1.0)},
        1.0,
        recall,
    )
    return replace(outcome(recall, level), image_to_report=near)


@pytest.mark.parametrize(
    ("gallery", "floor", "expected"),
    [
        (10, 1.0, "inconclusive"),
        (10, 0.999, "inconclusive"),
        (11, 0.5, "inconclusive"),
        (11, 1.0, "pass"),
        (24, 0.12, "inconclusive"),
        (24, 0.5, "pass"),
        (10, 0.0, "ungated"),
        (500, 0.0, "ungated"),
        (500, 0.003, "inconclusive"),
        (500, 0.02, "pass"),
    ],
)
@pytest.mark.parametrize(
    "settings",
    ["", 'inconclusive = "allow"\n', 'decide = "bound"\nconfidence = 0.51\n'],
)
def test_a_floor_that_a_random_order_surely_reaches_is_not_met(
    tmp_path: Path, gallery: int, floor: float, expected: str, settings: str
) -> None:
    rules = Judge(
        policy(tmp_path, f"[[gate]]\nrecall = {{ 10 = {floor} }}\n{settings}")
    )
    (verdict,) = rules.cell(small(1.0, gallery), small(1.0, gallery, 0.0))
    if not settings.startswith("decide") or expected != "pass":
        assert verdict.verdict == expected
    assert verdict.objects is (verdict.verdict == "inconclusive")
    assert not verdict.tolerated


@given(gallery=st.integers(10, 400), floor=st.floats(0.001, 1))
def test_what_a_gate_passes_can_be_missed_by_a_random_order(
    tmp_path_factory: pytest.TempPathFactory, gallery: int, floor: float
) -> None:
    """Against scipy's binomial distribution."""
    from scipy.stats import binom

    rules = Judge(
        policy(policies(tmp_path_factory), f"[[gate]]\nrecall = {{ 10 = {floor!r} }}")
    )
    (verdict,) = rules.cell(small(1.0, gallery), small(1.0, gallery, 0.0))
    needed = math.ceil(floor * gallery - 1e-9)
    reached = float(binom.sf(needed - 1, gallery, min(1.0, 10 / gallery)))
    if abs(reached - 0.999) > 1e-9:
        assert verdict.verdict == ("inconclusive" if reached >= 0.999 else "pass")


@pytest.mark.parametrize(
    ("limits", "can_fail"),
    [
        ("retention = { 10 = 0.9 }", True),
        ("auc = { 10 = 0.99 }", True),
        ("half_level = { 10 = 0.2 }", True),
        ("slope = { 10 = -1.0 }", True),
        ("slope = { 10 = -5.1 }", False),
        ("retention = { 10 = 0.001 }", False),
        ("auc = { 10 = 0.001 }", False),
    ],
)
def test_gates_on_a_curve_that_cannot_fail_are_not_met(
    tmp_path: Path, limits: str, can_fail: bool
) -> None:
    rules = Judge(policy(tmp_path, f"[[gate]]\n{limits}"))
    for gallery, met in ((500, can_fail), (10, False)):
        curve = Curve((small(1.0, gallery, 0.0), small(1.0, gallery, 0.2)))
        if gallery == 10:
            curve = Curve(tuple(beating_chance(each) for each in curve.outcomes))
        judged = [*rules.cell(curve.outcomes[1], curve.clean), *rules.curve(curve)]
        (verdict,) = [each for each in judged if each.verdict != "ungated"]
        assert verdict.verdict == ("pass" if met else "inconclusive")


def beating_chance(outcome: Outcome) -> Outcome:
    """With a k beside it at which the model is known to retrieve."""
    scores = outcome.image_to_report
    better = replace(
        scores, chance={1: 0.1, **scores.chance}, recall={1: 1.0, **scores.recall}
    )
    return replace(outcome, image_to_report=better)


def test_a_model_whose_gates_are_taken_away_is_not_judged(tmp_path: Path) -> None:
    """A floor of 0 for one model beside a broader gate."""
    text = (
        '[[gate]]\nrecall = { 10 = 0.9 }\n[[gate]]\nmodel = "ours-v2"\nrecall = { 10 ='
        " 0.0 }\n"
    )
    (verdict,) = Judge(policy(tmp_path, text)).cell(outcome(0.5), outcome(0.9, 0.0))
    assert (verdict.verdict, "takes the gate away" in verdict.sentence) == (
        "ungated",
        True,
    )


def test_a_search_that_breaks_nothing_is_a_gate_that_cannot_fail(
    tmp_path: Path,
) -> None:
    text = "[[gate]]\nbreaking_share = { k = 10, quantile = 0.1, min = 0.03 }\n"
    rules = Judge(policy(tmp_path, text + 'inconclusive = "allow"\n'))
    search = BreakingOutcome(
        "ours-v2",
        "synthetic-cxr",
        10,
        8,
        "black",
        600,
        20,
        (1.0,) * 20,
        20,
        0,
        9.0,
        HeatMap(20, ((0.0,),)),
    )
    (verdict,) = rules.breaking(search)
    assert (verdict.verdict, verdict.objects, "cannot fail" in verdict.sentence) == (
        "inconclusive",
        True,
        True,
    )
    (verdict,) = rules.breaking(replace(search, shares=(0.5,) * 20, unbroken=0))
    assert verdict.verdict == "pass"
    (verdict,) = Judge(policy(tmp_path, text.replace("0.03", "0.0"))).breaking(
        replace(search, shares=(0.5,) * 20)
    )
    assert verdict.verdict == "ungated"


AREA = '[[gate]]\nmodel = "{}"\nauc = {{ 10 = 0.5 }}\n'


@pytest.mark.parametrize("model", ["ours-v2", "ours-*"])
def test_the_curve_of_a_named_model_at_chance_is_not_judged_again(
    tmp_path: Path, model: str
) -> None:
    curve = Curve((outcome(0.02, 0.0), outcome(0.02)))
    assert Judge(policy(tmp_path, AREA.format(model))).curve(curve) == []


def test_the_curve_of_a_model_that_no_gate_names_is_judged_at_chance_too(
    tmp_path: Path,
) -> None:
    curve = Curve((outcome(0.02, 0.0), outcome(0.02)))
    rules = policy(tmp_path, "[[gate]]\nauc = { 10 = 0.5 }\n")
    (verdict,) = Judge(rules).curve(curve)
    assert (verdict.gate.kind, verdict.verdict) == (GateKind.AUC, "fail")


def test_without_curves_there_is_nothing_to_compare(tmp_path: Path) -> None:
    text = "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.02 }\n"
    assert Judge(policy(tmp_path, text)).baseline([]) == []

"""Gates on corruption errors: what they are about, when they are judged, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.cases import Case, PlannedPerturbation
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKey, Verdict
from pytest_retrieval_robust.gate.perturbed import PerturbationSet
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy

from ..saved_runs import Made, make_run

CORRUPTIONS = ("blur", "contrast")
LEVELS = (0.0, 0.2, 0.4)
GATE = '[[gate]]\ncorruption = "*"\nmce = { k = 10, max = 1.05 }\n'


def policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "robust.toml").write_text(text)
    return read_policy(read_config_file(tmp_path / "robust.toml"))


def run(folder: Path, queries: int = 400, shift: int = 0) -> Made:
    return make_run(
        folder,
        queries,
        shift=shift,
        corruptions=CORRUPTIONS,
        text_noise=("case",),
        severities=LEVELS,
    )


def judged(
    tmp_path: Path, text: str = GATE, *, shift: int = 0, beside: bool = True
) -> RunRecord:
    theirs = run(tmp_path / "theirs") if beside else None
    against = Against() if theirs is None else Against(theirs.run)
    mine = run(tmp_path / "mine", shift=shift)
    return judge_run(mine.run, policy(tmp_path, text), against)


def of_errors(record: RunRecord) -> list[Verdict]:
    return [one for one in record.verdicts if one.gate.kind.is_of_perturbations]


def test_an_equal_run_has_the_baselines_errors(tmp_path: Path) -> None:
    record = judged(tmp_path)
    [verdict] = of_errors(record)
    assert (verdict.verdict, verdict.observed, verdict.limit) == ("pass", 1.0, 1.05)
    assert verdict.case == Case("ours", "d", "*", 0.0, 0, "corruption")
    assert str(verdict.gate) == "mce@10 image-to-report"
    assert GateKey.parse(str(verdict.gate)) == verdict.gate
    assert record.failures == ()


def test_more_errors_fail_and_the_worst_is_named(tmp_path: Path) -> None:
    [verdict] = of_errors(judged(tmp_path, shift=50))
    assert verdict.verdict == "fail"
    assert verdict.observed is not None
    assert verdict.bounds is not None
    low, high = verdict.bounds
    assert 1.05 < low < verdict.observed < high
    assert verdict.sentence.startswith(
        "ours on d, all corruptions (4 cells), image-to-report: mean corruption error at"
        f" k=10 is {verdict.observed:.3f} (95 % bounds {low:.3f} and {high:.3f}), "
    )
    assert " the worst of 2 with " in verdict.sentence
    assert verdict.sentence.endswith(": above the limit of 1.05 times the baseline's.")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ('corruption = "*"', PerturbationSet("corruption", "*")),
        ('corruption = "bl*"', PerturbationSet("corruption", "bl*")),
        ('occluder = "*"', PerturbationSet("occlusion", "*")),
        ('text_noise = "case"', PerturbationSet("text-noise", "case")),
    ],
)
def test_a_table_is_about_the_set_that_it_names(
    tmp_path: Path, selector: str, expected: PerturbationSet
) -> None:
    text = f"[[gate]]\n{selector}\nworst_ce = {{ k = 10, max = 1.05 }}\n"
    [verdict] = of_errors(judged(tmp_path, text))
    assert verdict.case.family == expected.family
    assert verdict.case.occluder == expected.pattern
    assert verdict.verdict == "pass"


def test_a_set_is_a_family_and_a_name_or_glob() -> None:
    blurs = PerturbationSet("corruption", "blur*")
    assert blurs.has(PlannedPerturbation("corruption", "blur(kind=motion)"))
    assert not blurs.has(PlannedPerturbation("occlusion", "blur"))
    exact = PerturbationSet("corruption", "blur(kind=[a])")
    assert not exact.has(PlannedPerturbation("corruption", "blur"))


def test_broad_and_narrow_sets_are_gates_of_their_own(tmp_path: Path) -> None:
    text = f'{GATE}[[gate]]\ncorruption = "blur"\nmce = {{ k = 10, max = 1.5 }}\n'
    verdicts = of_errors(judged(tmp_path, text))
    assert {(one.case.occluder, one.limit) for one in verdicts} == {
        ("*", 1.05),
        ("blur", 1.5),
    }


def test_the_more_specific_table_states_the_limit(tmp_path: Path) -> None:
    text = f'{GATE}[[gate]]\nmodel = "ours"\ncorruption = "*"\nmce = {{ k = 10, max = 3 }}\n'
    [verdict] = of_errors(judged(tmp_path, text))
    assert verdict.limit == 3.0


def test_two_tables_that_are_equally_specific_are_refused(tmp_path: Path) -> None:
    rules = policy(tmp_path, f"{GATE}{GATE.replace('1.05', '3')}")
    with pytest.raises(ConfigError, match="one most specific gate for mce@10"):
        rules.check(run(tmp_path / "mine").run.measured.plan)


def test_by_bound_a_limit_within_the_bounds_is_open(tmp_path: Path) -> None:
    text = f'{GATE}decide = "bound"\nconfidence = 0.999\n'.replace("1.05", "1.0001")
    [verdict] = of_errors(judged(tmp_path, text))
    assert verdict.verdict == "inconclusive"
    assert verdict.sentence.endswith(
        ": not clear of the limit of 1.0001 times the baseline's."
    )


def test_without_a_baseline_nothing_is_judged_and_that_is_said(tmp_path: Path) -> None:
    record = judged(tmp_path, f"{GATE}[[gate]]\nrecall = {{ 10 = 0.1 }}", beside=False)
    [verdict] = of_errors(record)
    assert verdict.verdict == "ungated"
    assert (
        "mean corruption error at k=10 is not compared, because no baseline was given"
    ) in verdict.sentence
    assert "1 gate without a baseline" in record.release.line
    assert record.corruption_errors == ()


def test_a_baseline_that_lacks_a_cell_leaves_it_open(tmp_path: Path) -> None:
    mine = run(tmp_path / "mine")
    theirs = run(tmp_path / "theirs")
    fewer = [
        one for one in theirs.run.measured.outcomes if one.case.occluder != "contrast"
    ]
    theirs = theirs.measured(outcomes=tuple(fewer))
    record = judge_run(mine.run, policy(tmp_path, GATE), Against(theirs.run))
    [verdict] = of_errors(record)
    assert verdict.verdict == "inconclusive"
    assert "the baseline has no ours on d, contrast at severity" in verdict.sentence


def test_a_set_that_was_not_measured_whole_is_not_judged(tmp_path: Path) -> None:
    mine = run(tmp_path / "mine")
    fewer = [
        one
        for one in mine.run.measured.outcomes
        if (one.case.occluder, one.case.level) != ("blur", 0.4)
    ]
    mine = mine.measured(outcomes=tuple(fewer))
    against = Against(run(tmp_path / "theirs").run)
    record = judge_run(mine.run, policy(tmp_path, GATE), against)
    assert of_errors(record) == []
    assert any("not judged" in reason for reason in record.failures)


def test_a_run_without_corruptions_has_no_such_gate(tmp_path: Path) -> None:
    mine = make_run(tmp_path / "mine")
    rules = policy(tmp_path, GATE)
    assert rules.planned(mine.run.measured.plan) == []
    record = judge_run(mine.run, rules, Against())
    assert any("1 of 1 gate table names models" in one for one in record.warnings)


def test_what_a_random_order_meets_is_no_gate(tmp_path: Path) -> None:
    [verdict] = of_errors(judged(tmp_path, GATE.replace("1.05", "50")))
    assert (verdict.verdict, verdict.weak) == ("inconclusive", True)
    assert "cannot fail, because a random order is within 50 times" in verdict.sentence


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mce = 1.05", "expected { k = 10, max = 1.05 }, got mce=1.05"),
        ("mce = { k = 10 }", "expected { k = 10, max = 1.05 }"),
        ("relative_mce = { k = 0, max = 1 }", "a whole k from 1, got relative_mce"),
        ("worst_ce = { k = 1, max = 0 }", "a finite max above 0"),
        ("worst_ce = { k = 1, max = nan }", "a finite max above 0"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(
    tmp_path: Path, line: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f'[[gate]]\ncorruption = "*"\n{line}')
    assert "line 3" in str(caught.value)
    assert expected in str(caught.value)


def test_the_record_has_each_family_and_all_of_them(tmp_path: Path) -> None:
    record = judged(tmp_path, shift=50)
    at_ten = [
        one
        for one in record.corruption_errors
        if (one.k, one.direction) == (10, "image-to-report")
    ]
    assert [one.family for one in at_ten] == [
        "occlusion",
        "corruption",
        "text-noise",
        "all",
    ]
    ratios = [each.ce for one in at_ten for each in one.perturbations]
    assert len(ratios) == 4
    assert at_ten[-1].mce == pytest.approx(sum(map(float, map(_known, ratios))) / 4)
    for one in at_ten:
        assert one.mce is not None
        assert one.mce_interval is not None
        assert one.mce > 1
    assert at_ten[1].worst in at_ten[1].perturbations


def _known(value: float | None) -> float:
    assert value is not None
    return value


def test_seeds_are_pooled(tmp_path: Path) -> None:
    made = [
        make_run(
            tmp_path / name, 200, seeds=(0, 1), corruptions=("blur",), severities=LEVELS
        )
        for name in ("mine", "theirs")
    ]
    record = judge_run(made[0].run, policy(tmp_path, GATE), Against(made[1].run))
    [verdict] = of_errors(record)
    assert "all corruptions (4 cells)" in verdict.sentence
    one_seed = replace(made[0].run.measured.plan, seeds=(0,))
    assert len(policy(tmp_path, GATE).planned(one_seed)) == 1


def test_the_highest_error_is_decided_by_bounds_whatever_a_table_says(
    tmp_path: Path,
) -> None:
    text = GATE.replace("mce", "worst_ce").replace("1.05", "1.0001")
    [verdict] = of_errors(judged(tmp_path, f'{text}decide = "point"\n'))
    # The number itself is 1: that of a point would pass.
    assert verdict.observed == 1.0
    assert (verdict.verdict, verdict.decided_by) == ("inconclusive", "bound")


@pytest.mark.parametrize("kind", ["mce", "relative_mce", "worst_ce"])
def test_a_table_without_perturbations_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{kind} = {{ k = 10, max = 1.05 }}")
    assert "line 2" in str(caught.value)
    assert f'that {kind} is about beside it (write corruption = "*"' in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("selectors", "word"),
    [
        ('corruption = "*"\nseverity = 0.2', "severity"),
        ('occluder = "*"\nlevel = 0.2', "level"),
    ],
)
def test_a_level_beside_errors_over_all_levels_is_refused(
    tmp_path: Path, selectors: str, word: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{selectors}\nmce = {{ k = 10, max = 1.05 }}")
    assert "line 3" in str(caught.value)
    assert f"no {word} beside mce, which is over all of them" in str(caught.value)


@pytest.mark.parametrize(
    ("highest", "advice"), [(0.4, "measure higher severities, "), (1.0, "")]
)
def test_a_baseline_without_errors_is_named_with_gate_and_k(
    tmp_path: Path, highest: float, advice: str
) -> None:
    made = [
        make_run(
            tmp_path / name,
            60,
            ks=(1, 60),
            corruptions=CORRUPTIONS,
            severities=(0.0, highest),
        )
        for name in ("mine", "theirs")
    ]
    text = GATE.replace("10", "60")
    record = judge_run(made[0].run, policy(tmp_path, text), Against(made[1].run))
    [verdict] = of_errors(record)
    assert verdict.verdict == "inconclusive"
    assert verdict.sentence.endswith(
        "image-to-report: mean corruption error at k=60 is not compared, because the"
        " baseline makes no error under blur and 1 more: choose a smaller k,"
        f" {advice}or leave it out."
    )


@pytest.mark.parametrize(
    ("k", "expected", "is_weak"),
    [(20, "pass", False), (40, "pass", True), (45, "inconclusive", True)],
)
def test_few_errors_of_the_baseline_are_little_evidence(
    tmp_path: Path, k: int, expected: str, is_weak: bool
) -> None:
    """The baseline misses 21, 3 and 1 of 60 queries at the highest severity."""
    mine, theirs = (
        make_run(
            tmp_path / name, 60, ks=(k,), corruptions=CORRUPTIONS, severities=LEVELS
        )
        for name in ("mine", "theirs")
    )
    text = GATE.replace("10", str(k))
    record = judge_run(mine.run, policy(tmp_path, text), Against(theirs.run))
    [verdict] = of_errors(record)
    assert verdict.observed == 1.0
    assert (verdict.verdict, verdict.weak) == (expected, is_weak)
    warned = [one for one in record.warnings if "half of the baseline's errors" in one]
    assert len(warned) == (is_weak and expected == "pass")


def test_errors_are_computed_at_the_k_that_is_shown(tmp_path: Path) -> None:
    at_ten = judged(tmp_path / "ten", shift=50)
    assert {one.k for one in at_ten.corruption_errors} == {10}
    assert at_ten.shown_k == 10
    without = judged(tmp_path / "none", "", shift=50)
    assert {one.k for one in without.corruption_errors} == {1}
    assert without.shown_k == 1

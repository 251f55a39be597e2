"""Gates on corruptions and text noise: what a table selects, and what it plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.cases import FAMILIES, Case, Family
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKey, GateKind
from pytest_retrieval_robust.gate.floors import Floor
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.run.gate_names import check_names

from .test_policy import PLAN, config, policy

PERTURBED = replace(
    PLAN,
    corruptions=("contrast", "jpeg"),
    text_noise=("typing",),
    severities=(0.0, 0.2, 0.6, 1.0),
)
"""A plan with something of each family."""


def planned_names(rules: Policy) -> set[tuple[Family, str, float]]:
    return {
        (gate.case.family, gate.case.occluder, gate.case.level)
        for gate in rules.planned(PERTURBED)
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            'occluder = "patches"\ncorruption = "jpeg"',
            "line 3: expected one of occluder, corruption, text_noise per table, beside"
            " occluder, got corruption='jpeg'",
        ),
        (
            'corruption = "jpeg"\nlevel = 0.3',
            "line 3: expected severity beside corruption, not level, got level=0.3",
        ),
        (
            "severity = 0.3\nrecall = { 10 = 0.1 }",
            "line 2: expected severity beside corruption or text_noise alone",
        ),
        (
            'text_noise = "*"\nseverity = 3',
            "line 3: expected a severity from 0 to 1 (did you mean 0.6, the published step"
            " 3?), got severity=3",
        ),
        (
            "corruption = 3",
            "line 2: expected a name or glob in quotes, got corruption=3",
        ),
        (
            'corruption = "*"\nseverity = 0.2',
            "line 2: expected a limit such as recall",
        ),
        (
            'corruption = "*"\nseverity = 0\nretention = { 10 = 0.5 }',
            "line 3: expected a severity above 0 beside retention",
        ),
        (
            'text_noise = "*"\nrelative_cost = 1.5',
            "line 2: expected occluder or corruption beside relative_cost",
        ),
        (
            'corruption = "*"\nlatency = { p50 = 1.0 }',
            "line 2: expected no corruption beside latency_p50",
        ),
        (
            'corruption = "*"\nbreaking_share = { k = 1, quantile = 0.5, min = 0.1 }',
            "line 2: expected no corruption beside breaking_share",
        ),
    ],
)
def test_a_table_is_about_one_family_with_its_own_word_for_levels(
    tmp_path: Path, line: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{line}\n")
    assert expected in str(caught.value)


def test_a_table_without_a_family_is_about_occlusions(tmp_path: Path) -> None:
    rules = policy(tmp_path, "[[gate]]\nrecall = { 10 = 0.1 }")
    assert planned_names(rules) == {
        ("occlusion", "patches", level) for level in PLAN.levels
    }


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ('corruption = "*"', {("corruption", "contrast"), ("corruption", "jpeg")}),
        ('corruption = "jpeg"', {("corruption", "jpeg")}),
        ('text_noise = "*"', {("text-noise", "typing")}),
        ('corruption = "typ*"', set()),
        ('corruption = "patches"', set()),
    ],
)
def test_a_family_is_selected_by_its_own_selector_alone(
    tmp_path: Path, selectors: str, names: set[tuple[Family, str]]
) -> None:
    rules = policy(tmp_path, f"[[gate]]\n{selectors}\nrecall = {{ 10 = 0.1 }}")
    assert planned_names(rules) == {
        (*name, severity) for name in names for severity in PERTURBED.severities
    }


def test_numbers_of_a_curve_are_planned_at_the_highest_severity(tmp_path: Path) -> None:
    for limit in (
        "auc = { 10 = 0.1 }",
        "half_level = { 10 = 0.1 }",
        "not_worse_than_baseline = { k = 10, margin = 0.1 }",
    ):
        rules = policy(tmp_path, f'[[gate]]\ncorruption = "jpeg"\n{limit}')
        assert planned_names(rules) == {("corruption", "jpeg", 1.0)}


def test_the_cost_of_corrupting_is_planned_above_severity_0(tmp_path: Path) -> None:
    rules = policy(tmp_path, '[[gate]]\ncorruption = "jpeg"\nrelative_cost = 1.5')
    assert planned_names(rules) == {
        ("corruption", "jpeg", severity) for severity in (0.2, 0.6, 1.0)
    }


def decided_by(rules: Policy, family: Family, name: str, level: float) -> str:
    case = Case("tiny-cxr-clip", "synthetic-cxr", name, level, 0, family)
    return rules.decision(case, "image-to-report", GateKey(GateKind.RECALL, 10)).by


def test_settings_alone_are_the_defaults_of_every_family(tmp_path: Path) -> None:
    limits = (
        "[[gate]]\nrecall = { 10 = 0.1 }\n"
        '[[gate]]\ncorruption = "*"\nrecall = { 10 = 0.1 }\n'
    )
    rules = policy(tmp_path, f'[[gate]]\ndecide = "bound"\n{limits}')
    assert decided_by(rules, "occlusion", "patches", 0.3) == "bound"
    assert decided_by(rules, "corruption", "jpeg", 0.6) == "bound"


def test_settings_beside_a_limit_stay_in_their_family(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\nrecall = { 10 = 0.1 }\ndecide = "bound"\n'
        '[[gate]]\ncorruption = "*"\nrecall = { 10 = 0.1 }\n',
    )
    assert decided_by(rules, "occlusion", "patches", 0.3) == "bound"
    assert decided_by(rules, "corruption", "jpeg", 0.6) == "point"
    settings = policy(
        tmp_path,
        '[[gate]]\nlevel = 0.3\nrecall = { 10 = 0.1 }\ndecide = "bound"\n'
        '[[gate]]\ncorruption = "*"\nrecall = { 10 = 0.1 }\n',
    )
    assert decided_by(settings, "corruption", "jpeg", 0.3) == "point"


def test_a_corruption_and_an_occluder_of_one_name_are_told_apart(
    tmp_path: Path,
) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\noccluder = "jpeg"\nrecall = { 10 = 0.1 }\n'
        '[[gate]]\ncorruption = "jpeg"\nrecall = { 10 = 0.2 }\n',
    )
    rules.check(replace(PERTURBED, occluders=("patches", "jpeg")))
    floors = {
        family: [
            limit.minimum
            for limit in rules.limits_for(
                Case("m", "d", "jpeg", 0.2, 0, family), "image-to-report"
            )
            if isinstance(limit, Floor)
        ]
        for family in FAMILIES
    }
    assert floors == {"occlusion": [0.1], "corruption": [0.2], "text-noise": []}


def test_two_gates_on_one_corruption_that_contradict_each_other_are_refused(
    tmp_path: Path,
) -> None:
    text = (
        '[[gate]]\ncorruption = "j*"\nrecall = { 10 = 0.1 }\n'
        '[[gate]]\ncorruption = "*g"\nrecall = { 10 = 0.2 }\n'
    )
    expected = r"line 4: .*jpeg at severity 0.*equally specific \(robust.toml, line 1\)"
    with pytest.raises(ConfigError, match=expected):
        policy(tmp_path, text).check(PERTURBED)
    # The default run measures no corruption, and the tables are refused all the same.
    with pytest.raises(ConfigError, match="equally specific"):
        policy(tmp_path, text).check_ties(replace(PERTURBED, severities=()))


def test_a_severity_that_is_not_measured_is_refused_unless_severities_were_typed(
    tmp_path: Path,
) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\ncorruption = "jpeg"\nseverity = 0.4\nrecall = { 10 = 0.1 }',
    )
    expected = (
        r"line 1: expected a severity that is measured \(0, 0.2, 0.6, 1\), got"
        r" severity=0.4. Add it to --robust-severities or fix the gate."
    )
    with pytest.raises(ConfigError, match=expected):
        rules.check(PERTURBED)
    with pytest.raises(ConfigError, match=expected):
        rules.check(PERTURBED, levels_typed=True)
    rules.check(PERTURBED, severities_typed=True)
    assert rules.unmeasured_levels(PERTURBED, "corruption") == [0.4]
    assert rules.unmeasured_levels(PERTURBED) == []
    assert rules.idle(rules.planned(PERTURBED), PERTURBED) == 0


def test_a_run_without_corruptions_leaves_their_gates_idle(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\ncorruption = "jpeg"\nseverity = 0.4\nrecall = { 10 = 0.1 }',
    )
    rules.check(PLAN)
    assert rules.planned(PLAN) == []
    assert rules.unmeasured_levels(PLAN, "corruption") == []
    assert rules.idle([], PLAN) == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('corruption = "contrst"', "Did you mean 'contrast'"),
        ('corruption = "patches"', "got corruption='patches'"),
        ('corruption = "contrast(colour=red)"', "parameter_of_contrast='colour'"),
        ('corruption = "zz*"', "got corruption='zz*'"),
        ('text_noise = "contrast"', "got text_noise='contrast'"),
        ('occluder = "contrast"', "got occluder='contrast'"),
    ],
)
def test_a_corruption_that_does_not_exist_is_refused(
    tmp_path: Path, line: str, expected: str
) -> None:
    file = config(tmp_path, f"\n[[gate]]\n{line}\nrecall = {{ 10 = 0.1 }}\n")
    with pytest.raises(
        ConfigError, match=r"line 2: this gate matches nothing"
    ) as caught:
        check_names(read_policy(file), PLAN, Catalogues(), file)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "line", ['corruption = "contrast"', 'corruption = "*"', 'corruption = "con*"']
)
def test_a_gate_on_a_corruption_may_wait_for_its_run(tmp_path: Path, line: str) -> None:
    file = config(tmp_path, f"[[gate]]\n{line}\nrecall = {{ 10 = 0.1 }}\n")
    check_names(read_policy(file), PLAN, Catalogues(), file)

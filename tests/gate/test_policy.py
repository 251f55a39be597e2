"""The policy as it is written: what is refused, with its line, and which gates it plans."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.cases import DIRECTIONS, Case, Plan
from pytest_retrieval_robust.core.catalogue import Catalogues
from pytest_retrieval_robust.core.config_file import ConfigFile, read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKey, GateKind
from pytest_retrieval_robust.gate.plan import PlannedGate
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.run.gate_names import check_names

PLAN = Plan(
    ("tiny-cxr-clip",), ("synthetic-cxr",), ("patches",), (0.0, 0.1, 0.3), (0,), (1, 10)
)
CASE = Case("tiny-cxr-clip", "synthetic-cxr", "patches", 0.3, 0)


def config(tmp_path: Path, text: str) -> ConfigFile:
    (tmp_path / "robust.toml").write_text(text)
    return read_config_file(tmp_path / "robust.toml")


def policy(tmp_path: Path, text: str) -> Policy:
    return read_policy(config(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("recal = { 10 = 0.5 }", "gate_key='recal'. Did you mean 'recall'?"),
        (
            "recall = { 10 = 1.5 }",
            "expected whole k from 1 and floors from 0 to 1, got recall={'10': 1.5}",
        ),
        ("recall = { 10 = nan }", "floors from 0 to 1"),
        ("recall = { 10 = 45 }", "floors from 0 to 1 (did you mean 0.45?), got"),
        ("recall = {}", "expected floors by k"),
        (
            "level = 30",
            "expected a fraction of the image area from 0 to 1 (did you mean 0.3?), got"
            " level=30",
        ),
        ("level = nan", "expected a fraction of the image area"),
        ('direction = "image-to-text"', "expected image-to-report or report-to-image"),
        ("slope = { 10 = -inf }", "expected whole k from 1 and finite floors"),
        ("relative_cost = 0", "expected a finite number above 0"),
        ("latency = { p99 = 1.0 }", "expected { p50 = SECONDS, p95 = SECONDS }"),
        ("latency = { p50 = -1 }", "expected finite seconds above 0"),
        ("confidence = 95", "such as 0.95 (did you mean 0.95?), got confidence=95"),
        ("confidence = 0.5", "expected a share above 0.5 and below 1"),
        ('decide = "bounds"', 'expected "point" or "bound"'),
        ('inconclusive = "pass"', 'expected "fail" or "allow"'),
        ("hardware = 80", "expected the name of a processor or GPU"),
        (
            "not_worse_than_baseline = { k = 10, margin = -0.1 }",
            "expected a margin from 0 and below 1",
        ),
        ("not_worse_than_baseline = { k = 10 }", "expected { k = 10, margin = 0.02 }"),
        (
            "not_worse_than_baseline = { k = 0, margin = 0.1 }",
            "expected a whole k from 1",
        ),
        (
            'not_worse_than_baseline = { k = 1, margin = 0.1, over = "all" }',
            'over = "levels"',
        ),
        (
            'not_worse_than_baseline = { k = 1, margin = 0.1, metric = "mrr" }',
            "metric to be one of recall, retention",
        ),
        (
            (
                'not_worse_than_baseline = { k = 1, margin = 0.1, metric = "auc", over'
                ' = "cells" }'
            ),
            "for auc",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, line: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\nrecall = {{ 1 = 0.1 }}\n\n[[gate]]\n{line}\n")
    assert str(caught.value).startswith("robust.toml, line 5: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('model = "tiny-cxr-clp"', "Did you mean 'tiny-cxr-clip'"),
        ('model = "our-*"', "got model='our-*'"),
        ('dataset = "synthetic-ct"', "Did you mean 'synthetic-cxr'"),
        ('dataset = "synthetic-cxr(prevalence=2)"', "prevalence"),
        ('occluder = "patch"', "Did you mean 'patches'"),
        ('occluder = "patches(colour=red)"', "parameter_of_patches='colour'"),
        (
            'occluder = "patches(grid=14,fill=mean)"',
            "Write it as 'patches(fill=mean,grid=14)'",
        ),
        ('occluder = "patches(grid=16)"', "Write it as 'patches'"),
        ('cost_relative_to = { model = "clop", max = 2 }', "Did you mean 'clip'"),
    ],
)
def test_a_gate_that_matches_nothing_is_refused(
    tmp_path: Path, line: str, expected: str
) -> None:
    file = config(tmp_path, f"\n[[gate]]\n{line}\nrecall = {{ 10 = 0.1 }}\n")
    with pytest.raises(
        ConfigError,
        match=r"robust\.toml, line 2: this gate matches nothing\. Expected a",
    ) as caught:
        check_names(read_policy(file), PLAN, Catalogues(), file)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        'model = "medclip"',  # not on this machine, but in the catalogue
        'model = "*clip*"',
        'dataset = "mimic-cxr"',
        'dataset = "synthetic-cxr(prevalence=0.65)"',
        'dataset = "synthetic-cxr(*)"',
        'occluder = "patches(fill=mean)"',
        'occluder = "patches*"',
        'occluder = "patches(grid=*)"',
        'model = "ours"',
        'dataset = "open"',
    ],
)
def test_a_gate_on_what_there_is_may_wait_for_its_run(
    tmp_path: Path, line: str
) -> None:
    tables = '[models.ours]\ncheckpoint = "x"\n[datasets.open]\nloader = "open-i"\n'
    file = config(tmp_path, f"{tables}[[gate]]\n{line}\nrecall = {{ 10 = 0.1 }}\n")
    check_names(read_policy(file), PLAN, Catalogues(), file)


def test_two_gates_that_contradict_each_other_are_refused_whatever_was_asked_for(
    tmp_path: Path,
) -> None:
    gates = (
        '[[gate]]\nmodel = "medcl*"\nrecall = { 10 = 0.1 }\n[[gate]]\nmodel ='
        ' "*clip"\nrecall = { 10 = 0.2 }\n'
    )
    file = config(tmp_path, gates)
    read_policy(file).check(
        PLAN
    )  # neither is about the one model of this run alone ...
    with pytest.raises(
        ConfigError,
        match=r"line 4: .* of medclip on .* equally specific \(robust.toml, line 1\)",
    ):
        check_names(
            read_policy(file), PLAN, Catalogues(), file
        )  # ... and both are about medclip
    resolved = config(
        tmp_path, f'{gates}[[gate]]\nmodel = "medclip"\nrecall = {{ 10 = 0.3 }}\n'
    )
    check_names(read_policy(resolved), PLAN, Catalogues(), resolved)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (
            "recall = { 5 = 0.1 }",
            "expected a k that is measured (1, 10), got recall at k=5",
        ),
        (
            "not_worse_than_baseline = { k = 5, margin = 0.1 }",
            "got not_worse_than_baseline at k=5",
        ),
        (
            "level = 0.35\nrecall = { 10 = 0.1 }",
            "expected a level that is measured (0, 0.1, 0.3), got level=0.35",
        ),
    ],
)
def test_a_gate_on_what_is_not_measured_is_refused(
    tmp_path: Path, gate: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{gate}").check(PLAN)
    assert expected in str(caught.value)


def test_levels_that_were_typed_leave_gates_out(tmp_path: Path) -> None:
    rules = policy(tmp_path, "[[gate]]\nlevel = 0.2\nrecall = { 10 = 0.1 }")
    rules.check(PLAN, levels_typed=True)
    assert rules.unmeasured_levels(PLAN) == [0.2]
    assert rules.planned(PLAN) == []


def test_a_limit_over_all_levels_is_not_left_out_with_the_level_of_its_table(
    tmp_path: Path,
) -> None:
    over_all = "[[gate]]\nlevel = 0.2\nauc = { 10 = 0.5 }\n"
    rules = policy(tmp_path, over_all)
    assert rules.planned(PLAN)
    assert (rules.left_out_by_level(PLAN), rules.unmeasured_levels(PLAN)) == (0, [])
    rules = policy(tmp_path, f"{over_all}recall = {{ 10 = 0.5 }}\n")
    assert (rules.left_out_by_level(PLAN), rules.unmeasured_levels(PLAN)) == (1, [0.2])


def test_settings_are_inherited_from_the_broader_gate(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\ndecide = "bound"\nconfidence = 0.9\n[[gate]]\nmodel ='
        ' "tiny-*"\nconfidence = 0.99\ninconclusive = "allow"\nrecall = { 10 = 0.1 }\n',
    )
    for direction in ("image-to-report", "report-to-image"):
        decision = rules.decision(CASE, direction, GateKey(GateKind.RECALL, 10))
        assert (decision.by, decision.confidence, decision.tolerates_inconclusive) == (
            "bound",
            0.99,
            True,
        )
    broader = rules.decision(
        Case("clip", "d", "patches", 0.3, 0),
        "image-to-report",
        GateKey(GateKind.RECALL, 10),
    )
    assert (broader.by, broader.confidence, broader.tolerates_inconclusive) == (
        "bound",
        0.9,
        False,
    )


def test_settings_of_one_direction_decide_nothing_in_the_other(
    tmp_path: Path,
) -> None:
    text = '[[gate]]\ndirection = "report-to-image"\ndecide = "bound"\n'
    rules = policy(tmp_path, f"{text}[[gate]]\nrecall = {{ 10 = 0.1 }}\n")
    key = GateKey(GateKind.RECALL, 10)
    decided = [rules.decision(CASE, each, key).by for each in DIRECTIONS]
    assert decided == ["point", "bound"]


def test_settings_alone_name_no_model(tmp_path: Path) -> None:
    rules = policy(tmp_path, '[[gate]]\nmodel = "tiny-*"\ndecide = "bound"')
    assert not rules.names("tiny-cxr-clip")


def labels(rules: Policy, plan: Plan = PLAN) -> list[tuple[float, str]]:
    return [(gate.case.level, str(gate.gate)) for gate in rules.planned(plan)]


def test_the_plan_holds_every_gate_once(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        "[[gate]]\nrecall = { 10 = 0.1 }\nretention = { 10 = 0.1 }\nauc = { 10 = 0.1"
        ' }\nrelative_cost = 2\ncost_relative_to = { model = "clip", max = 2 }\nlatency'
        ' = { p95 = 1 }\nhardware = "*"\nbreaking_share = { k = 10, quantile = 0.5, min'
        " = 0.1 }\nnot_worse_than_baseline = { k = 10, margin = 0.1 }\n",
    )
    assert labels(rules) == [
        (0.0, "breaking_share@10"),
        (0.0, "cost_relative_to"),
        (0.0, "latency_p95"),
        (0.0, "recall@10 image-to-report"),
        (0.1, "recall@10 image-to-report"),
        (0.1, "relative_cost"),
        (0.1, "retention@10 image-to-report"),
        (0.3, "auc@10 image-to-report"),
        (0.3, "not_worse_than_baseline@10 image-to-report"),
        (0.3, "recall@10 image-to-report"),
        (0.3, "relative_cost"),
        (0.3, "retention@10 image-to-report"),
    ]


def test_cells_are_planned_each_and_levels_once(tmp_path: Path) -> None:
    plan = Plan(("a", "b"), ("d",), ("patches", "box"), (0.0, 0.1, 0.3), (0, 1), (10,))
    pooled = policy(
        tmp_path, "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.1 }"
    )
    cells = policy(
        tmp_path,
        '[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.1, over = "cells" }',
    )
    assert (len(labels(pooled, plan)), len(labels(cells, plan))) == (4, 24)


def test_a_table_with_a_level_may_hold_limits_over_all_levels(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\nmodel = "tiny-cxr-clip"\nlevel = 0.1\nrecall = { 10 = 0.1 }\nauc = {'
        " 10 = 0.1 }\nnot_worse_than_baseline = { k = 10, margin = 0.02 }\n",
    )
    assert [label for _, label in labels(rules)] == [
        "recall@10 image-to-report",
        "auc@10 image-to-report",
        "not_worse_than_baseline@10 image-to-report",
    ]


def test_the_hash_is_that_of_the_gates_alone(tmp_path: Path) -> None:
    gate = "[[gate]]\nrecall = { 10 = 0.1 }\n"
    plain = policy(tmp_path, gate)
    same = policy(
        tmp_path,
        f'# reviewed\n[datasets.open]\nloader = "open-i"\n{gate.replace(" = ", "=")}',
    )
    changed = policy(tmp_path, gate.replace("0.1", "0.2"))
    assert plain.sha256 == same.sha256 != changed.sha256
    assert policy(tmp_path, "").sha256 is None


def test_reading_a_policy_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "robust.toml").write_text("[[gate]]\nrecall = { 10 = 0.1 }\n")
    code = (
        "import sys, pathlib\n"
        "from pytest_retrieval_robust.core.config_file import read_config_file\n"
        "from pytest_retrieval_robust.gate.toml import read_policy\n"
        "import pytest_retrieval_robust.gate.judge\n"
        "read_policy(read_config_file(pathlib.Path('robust.toml')))\n"
        "print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("level = 0.0\nretention = { 10 = 0.5 }", "a level above 0 beside retention"),
        ("level = 0.0\nrelative_cost = 2", "a level above 0 beside relative_cost"),
        (
            'direction = "report-to-image"\nrelative_cost = 2',
            "image-to-report, beside relative_cost",
        ),
        (
            (
                'direction = "report-to-image"\nbreaking_share = { k = 10, quantile ='
                " 0.5, min = 0.1 }"
            ),
            "image-to-report, beside breaking_share",
        ),
        ('model = "tiny-*"\nlevel = 0.3', "expected a limit such as recall"),
        ('recall = { "²" = 0.5 }', "whole k from 1"),
        ("recall = { 01 = 0.5 }", "whole k from 1"),
    ],
)
def test_what_could_never_be_judged_is_refused(
    tmp_path: Path, table: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{table}\n")
    assert expected in str(caught.value)


def test_a_limit_is_decided_as_its_own_table_says(tmp_path: Path) -> None:
    """Also where the limit does not heed what the table selects: a level, or an occluder."""
    rules = policy(
        tmp_path,
        '[[gate]]\nlevel = 0.1\nauc = { 10 = 0.5 }\ndecide = "bound"\n[[gate]]\nlevel ='
        ' 0.3\nlatency = { p50 = 1 }\nhardware = "cpu*"\n[[gate]]\noccluder ='
        ' "box"\nbreaking_share = { k = 10, quantile = 0.5, min = 0.1 }\ninconclusive ='
        ' "allow"\n',
    )
    assert (
        rules.decision(CASE, "image-to-report", GateKey(GateKind.AUC, 10)).by == "bound"
    )
    assert (
        rules.decision(CASE, "image-to-report", GateKey(GateKind.RECALL, 10)).by
        == "point"
    )
    assert (
        rules.decision(
            CASE.clean(), "image-to-report", GateKey(GateKind.LATENCY_P50)
        ).hardware
        == "cpu*"
    )
    breaking = Case("tiny-cxr-clip", "synthetic-cxr", "breaking", 0.0, 0)
    assert rules.decision(
        breaking, "image-to-report", GateKey(GateKind.BREAKING_SHARE)
    ).tolerates_inconclusive


def test_limits_beside_the_baseline_do_not_displace_each_other(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.05"
        " }\n[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.05, metric ="
        ' "auc" }\n[[gate]]\nlevel = 0.3\nnot_worse_than_baseline = { k = 10, margin ='
        ' 0.5, over = "cells" }\n',
    )
    assert [label for _, label in labels(rules)] == [
        "not_worse_than_baseline@10 auc image-to-report",
        "not_worse_than_baseline@10 cell image-to-report",
        "not_worse_than_baseline@10 image-to-report",
    ]


def test_tables_about_something_else_are_counted(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        '[[gate]]\nrecall = { 10 = 0.1 }\n[[gate]]\nmodel = "clip"\nrecall = { 10 = 0.2'
        ' }\n[[gate]]\noccluder = "lines"\nrecall = { 10 = 0.3 }\n[[gate]]\ndecide ='
        ' "bound"\n',
    )
    assert rules.idle(rules.planned(PLAN), PLAN) == 2


def test_the_name_of_a_locator_may_wait_for_its_run(tmp_path: Path) -> None:
    file = config(
        tmp_path, '[[gate]]\nmodel = "hf-org-name-main"\nrecall = { 10 = 0.1 }\n'
    )
    check_names(read_policy(file), PLAN, Catalogues(), file)


EVERYTHING = """
[[gate]]
drift = { max = 1e-3 }

[[gate]]
model = "ours"
recall = { 10 = 0.1 }
breaking_share = { k = 10, quantile = 0.5, min = 0.1 }
counterfactual = { kind = "negation", min = 0.7 }

[[gate]]
corruption = "*"
mce = { k = 10, max = 1.05 }

[[gate]]
corruption = "blur"
severity = 0.4
counterfactual = { kind = "negation", min = 0.6 }
"""
PERTURBED = Plan(
    ("ours",), ("d",), ("patches",), (0.0, 0.3), (0,), (10,), ("blur",), (), (0.0, 0.4)
)


def test_a_planned_gate_names_its_case_and_direction(tmp_path: Path) -> None:
    clean = Case("ours", "d", "none", 0.0, 0)
    recall = GateKey(GateKind.RECALL, 10, DIRECTIONS[0])
    edits = GateKey(GateKind.COUNTERFACTUAL, name="negation")
    error = GateKey(GateKind.MCE, 10, DIRECTIONS[0])
    blurred = Case("ours", "d", "blur", 0.4, 0, "corruption")
    expected = [
        (Case("ours", "", "drift", 0.0, 0), GateKey(GateKind.DRIFT)),
        (
            Case("ours", "d", "breaking", 0.0, 0),
            GateKey(GateKind.BREAKING_SHARE, 10),
        ),
        (Case("ours", "d", "*", 0.0, 0, "corruption"), error),
        (clean, edits),
        (Case("ours", "d", "patches", 0.0, 0), recall),
        (Case("ours", "d", "patches", 0.3, 0), recall),
        (blurred, edits),
    ]
    rules = policy(tmp_path, EVERYTHING)
    assert rules.planned(PERTURBED) == [
        PlannedGate(case, DIRECTIONS[0], gate) for case, gate in expected
    ]
    assert rules.cases_with_edits(PERTURBED, "ours", "d") == [clean, blurred]
    assert rules.cases_with_edits(PERTURBED, "other", "d") == [
        replace(blurred, model="other")
    ]


def test_the_order_of_a_tables_lines_is_no_part_of_its_hash(tmp_path: Path) -> None:
    lines = ['model = "ours"', "recall = { 10 = 0.1 }"]
    forth, back = (
        policy(tmp_path, "\n".join(["[[gate]]", *each])).sha256
        for each in (lines, lines[::-1])
    )
    assert forth == back


def test_severities_that_were_typed_leave_gates_out(tmp_path: Path) -> None:
    text = '[[gate]]\ncorruption = "blur"\nseverity = 0.2\nrecall = { 10 = 0.1 }\n'
    rules = policy(tmp_path, text)
    rules.check(PERTURBED, severities_typed=True)
    assert rules.unmeasured_levels(PERTURBED, "corruption") == [0.2]
    for levels_typed in (False, True):
        with pytest.raises(ConfigError, match=r"got severity=0\.2"):
            rules.check(PERTURBED, levels_typed=levels_typed)


@pytest.mark.parametrize("model", ["ours", "our*"])
def test_a_gate_names_a_model_exactly_or_by_a_glob(tmp_path: Path, model: str) -> None:
    rules = policy(tmp_path, f'[[gate]]\nmodel = "{model}"\nrecall = {{ 10 = 0.1 }}')
    assert rules.names("ours")
    assert not rules.names("other")
    assert rules.names_exactly("ours") is (model == "ours")
    assert not rules.names_exactly("other")


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_metrics_have_bounds_where_their_own_gates_ask_for_them(
    tmp_path: Path, direction: str
) -> None:
    text = (
        "[[gate]]\nlevel = 0.1\nrecall = { 10 = 0.1 }\nmetric = { mrr = 0.5 }\n"
        f'[[gate]]\ndirection = "{direction}"\nlevel = 0.3\n'
        'metric = { ndcg = 0.5 }\ndecide = "bound"\n'
    )
    rules = policy(tmp_path, text)
    assert rules.metrics == ("mrr", "ndcg")
    assert rules.metrics_with_bounds(PLAN) == {"ndcg"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("recall = { 10 = 0.1 }", "recall = { 10 = 0.2 }"),
        ('decide = "point"', 'decide = "bound"'),
    ],
    ids=["limits", "settings"],
)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_contradiction_is_found_in_either_direction(
    tmp_path: Path, direction: str, one: str, other: str
) -> None:
    tables = [
        f'[[gate]]\nmodel = "{model}"\ndirection = "{direction}"\n{said}\n'
        for model, said in (("tiny*", one), ("*clip", other))
    ]
    with pytest.raises(ConfigError, match="equally specific"):
        policy(tmp_path, "".join(tables)).check(PLAN)


def test_a_table_at_a_level_is_not_idle_where_its_limit_is_over_all(
    tmp_path: Path,
) -> None:
    rules = policy(tmp_path, "[[gate]]\nlevel = 0.1\nauc = { 10 = 0.1 }\n")
    planned = rules.planned(PLAN)
    assert [gate.case.level for gate in planned] == [0.3]
    assert rules.idle(planned, PLAN) == 0

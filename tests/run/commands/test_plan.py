"""The command `plan`: what it assumes, what it takes from runs, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.gate.floors import SHARES
from pytest_retrieval_robust.gate.record import Against, judge_run
from pytest_retrieval_robust.retrieval.bootstrap import design_effect

from ...saved_runs import Made, make_run

POLICY = """
[[gate]]
decide = "bound"

[[gate]]
level = 0.4
recall = { 10 = 0.3 }
retention = { 10 = 0.5 }

[[gate]]
auc = { 10 = 0.4 }
half_level = { 10 = 0.1 }
not_worse_than_baseline = { k = 10, margin = 0.05 }

[[gate]]
level = 0.2
not_worse_than_baseline = { k = 10, margin = 0.05, over = "cells" }

[[gate]]
occluder = "patches"
mce = { k = 10, max = 1.2 }

[[gate]]
direction = "report-to-image"
recall = { 1 = 0.0 }
"""


@dataclass(frozen=True)
class Project:
    """Two saved runs and a policy."""

    folder: Path
    candidate: Made
    baseline: Made

    def words(self, *names: str) -> list[str]:
        return [str(self.folder / name) for name in names]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("planned")
    candidate = make_run(folder / "c", 200, studies=2, shift=4)
    baseline = make_run(folder / "b", 200, studies=2)
    candidate.save(folder / "candidate")
    baseline.save(folder / "baseline")
    (folder / "robust.toml").write_text(POLICY)
    return Project(folder, candidate, baseline)


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["plan", *words, "--json"]) == 0
    plan: dict[str, Any] = json.loads(capsys.readouterr().out)
    return plan


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["plan", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def gate_of(plan: dict[str, Any], name: str) -> dict[str, Any]:
    (row,) = [row for row in plan["gates"] if row["gate"] == name]
    found: dict[str, Any] = row
    return found


def test_every_assumption_is_printed_and_says_where_it_is_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--margin=0.02", "--recall=0.6", "--queries-per-patient=2.5")
    assert main(["plan", *words, "--queries=500"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for assumed in (
        "Recall is 0.6 at each of 6 levels (--recall; --levels was not given: 6",
        "differ in 14.4 % of the queries where recall is 0.6",
        "correlate with 0.7 (--correlation was not given: 0.7 is assumed)",
        "Two levels correlate with 0.5 (--level-correlation was not given",
        "2.5 queries in the mean (--queries-per-patient)",
        "correlate with 0.3 (--icc was not given: 0.3 is assumed)",
        "the design effect is 1.8",
        "fails at 0.05, because 1 gate may block (--gates)",
        "today: 500 queries of 200 patients: passes with a probability of",
        "cannot see a loss below",
    ):
        assert assumed in printed


def test_a_discordance_stands_for_its_correlation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--margin=0.03", "--recall=0.6", "--levels=1")
    by_share = planned(capsys, *words, "--discordance=0.12")
    by_correlation = planned(capsys, *words, "--correlation=0.75")
    assert by_share["gates"] == by_correlation["gates"]


def test_more_gates_and_more_groups_take_more_queries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--margin=0.03", "--min=0.5", "--recall=0.6")
    plan = planned(capsys, *words, "--groups=0.5,0.3,0.2")
    assert len(plan["gates"]) == 6
    for alone, groups in zip(plan["gates"][::2], plan["gates"][1::2], strict=True):
        assert groups["queries"] > 5 * alone["queries"]
        assert "the smallest of 20 % of the queries" in groups["subject"]
    shared = planned(capsys, *words, "--gates=20")
    for alone, one_of_many in zip(plan["gates"][:3:2], shared["gates"], strict=False):
        # A false block is shared out: losses must be larger, and passing is as before.
        assert one_of_many["queries"] == alone["queries"]
        assert one_of_many["smallest_loss"] > alone["smallest_loss"]


def test_a_run_says_recall_patients_and_design_effect(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (candidate,) = project.words("candidate")
    words = ("--min=0.3", "--margin=0.05", "--from", candidate)
    plan = planned(capsys, *words)
    outcomes = project.candidate.run.measured.outcomes
    # The hardest cell is the last one, whose recall is nearest the floor.
    recall = gate_of(plan, "recall@10 image-to-report")
    assert recall["subject"].endswith("level 0.4, seed 0")
    assert recall["value"] == pytest.approx(outcomes[-1].recall(10, "image-to-report"))
    ranks = project.candidate.run.evidence.ranks(outcomes[-1], "image-to-report")
    clusters = project.candidate.run.evidence.clusters("d", "image-to-report", 200)
    assert ranks is not None
    hits = (ranks <= 10).astype(np.float64)
    assert recall["design_effect"] == pytest.approx(design_effect(hits, clusters))
    assert recall["today"]["queries"] == 200
    assert recall["today"]["patients"] == 100
    assert any("--correlation" in sentence for sentence in plan["assumptions"])


def test_a_baseline_says_how_runs_differ(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate, baseline = project.words("candidate", "baseline")
    words = ("--margin=0.05", "--from", candidate, "--baseline", baseline)
    plan = planned(capsys, *words)
    identity = project.baseline.run.measured.identity
    assert any(identity.id in sentence for sentence in plan["assumptions"])
    assert not any("--correlation" in sentence for sentence in plan["assumptions"])
    # A run beside itself differs in no query, and needs hardly any.
    same = planned(capsys, "--margin=0.05", "--from", candidate, "--correlation=0.2")
    name = "not_worse_than_baseline@10 image-to-report"
    assert gate_of(plan, name)["queries"] < gate_of(same, name)["queries"]


def test_a_policy_is_planned_gate_by_gate(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    candidate, baseline, policy = project.words("candidate", "baseline", "robust.toml")
    figure = tmp_path / "power.svg"
    plan = planned(
        capsys,
        *("--policy", policy, "--from", candidate, "--baseline", baseline),
        *("--figure", str(figure)),
    )
    names = [row["gate"] for row in plan["gates"]]
    assert names.count("not_worse_than_baseline@10 cell image-to-report") == 1
    for row in plan["gates"]:
        known = row["queries"] is not None or row["reason"] is not None
        assert known, row
    mce = gate_of(plan, "mce@10 image-to-report")
    assert "not about the hits" in mce["reason"]
    floor_of_0 = [row for row in plan["gates"] if row["gate"].startswith("recall@1 ")]
    assert {row["reason"] for row in floor_of_0} == {
        "A floor of 0 takes the gate away."
    }
    drawn = figure.read_text()
    assert "probability of passing" in drawn
    assert "mathdefault" not in drawn
    # What verdicts of floors say of themselves is near: both go from the same number.
    judged = judge_run(
        project.candidate.run, _policy(policy), Against(project.baseline.run)
    )
    compared = 0
    for verdict in judged.verdicts:
        rows = [row for row in plan["gates"] if row["gate"] == str(verdict.gate)]
        if verdict.detectable_loss is None or verdict.gate.kind not in SHARES:
            continue
        if len(rows) == 1:
            seen = rows[0]["today"]["smallest_loss"]
            assert seen == pytest.approx(verdict.detectable_loss, rel=0.1), verdict
            compared += 1
    assert compared == 2


GROUPED = """
[[gate]]
drift = { max = 1e-3 }

[[gate]]
level = 0.4
worst_group = { strata = "view", k = 10, min = 0.1 }
group_gap = { strata = "view", k = 10, max = 0.6 }
not_worse_than_baseline = [
  { k = 10, margin = 0.1 },
  { k = 10, margin = 0.1, strata = "view" },
]
not_worse_than_reference = { k = 10, margin = 0.1, attempts = "spend" }
"""


def test_gates_on_groups_are_not_planned_as_if_they_were_on_all_queries(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    views = {"view": ["AP", "PA"] * 100}
    candidate = make_run(tmp_path / "c", 200, strata=views).save(tmp_path / "candidate")
    baseline = make_run(tmp_path / "b", 200, strata=views).save(tmp_path / "baseline")
    policy = tmp_path / "robust.toml"
    policy.write_text(GROUPED)
    words = ("--policy", str(policy), "--from", str(candidate))
    plan = planned(capsys, *words, "--baseline", str(baseline))
    assert gate_of(plan, "drift")["subject"] == "ours"
    of_groups = [row for row in plan["gates"] if " by view " in row["gate"]]
    assert len(of_groups) == 3
    for row in of_groups:
        assert row["queries"] is None
        assert "asks for every group. Plan so many groups" in row["reason"]
        assert row["today"]["smallest_loss"] > 0
        # A gap and a difference are no number that could be lost.
        assert (row["value"] is None) == (not row["gate"].startswith("worst_group"))
    # The first attempt has six tenths of an error that is spent.
    whole = gate_of(plan, "not_worse_than_baseline@10 image-to-report")
    spent = gate_of(plan, "not_worse_than_reference@10 image-to-report")
    assert spent["queries"] > whole["queries"]


def _policy(file: str) -> Any:
    from pytest_retrieval_robust.core.config_file import read_config_file
    from pytest_retrieval_robust.gate.toml import read_policy

    return read_policy(read_config_file(Path(file)))


def test_the_table_goes_to_a_file(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    candidate, policy = project.words("candidate", "robust.toml")
    out = tmp_path / "plan.txt"
    words = ["plan", "--policy", policy, "--from", candidate, "--out", str(out)]
    assert main(words) == 0
    assert capsys.readouterr().out == ""
    text = out.read_text()
    assert "The gate that sees least today" in text
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Expected a gate to plan, got none"),
        (("--margin=0", "--recall=0.6"), "--margin=0.0. With a margin of 0"),
        (("--margin=0.02",), "Expected the recall that the model has"),
        (("--margin=0.02", "--recall=0"), "recall=0.0"),
        (("--margin=0.02", "--recall=1"), "recall=1.0"),
        (("--margin=0.02", "--recall=0.6", "--power=1"), "power=1.0"),
        (("--margin=0.02", "--recall=0.6", "--power=0"), "power=0.0"),
        (("--margin=0.02", "--recall=0.6", "--confidence=95"), "--confidence=95.0"),
        (("--min=0.6", "--recall=0.6"), "not above the floor of 0.6"),
        (("--min=0.7", "--recall=0.6"), "not above the floor of 0.7"),
        (("--retention=0.7", "--recall=0.6", "--levels=1"), "two recalls or more"),
        (
            ("--margin=0.02", "--recall=0.6", "--groups=20", "--queries=10"),
            "20 groups with queries=10",
        ),
        (("--margin=0.02", "--recall=0.6", "--groups=0.5,0.2"), "--groups='0.5,0.2'"),
        (("--margin=0.02", "--recall=0.6", "--discordance=0.9"), "discordance=0.9"),
        (
            ("--margin=0.02", "--recall=0.6", "--discordance=0.1", "--correlation=0.5"),
            "leave one out",
        ),
        (("--margin=0.02", "--recall=0.6", "--icc=2"), "icc=2.0"),
        (("--margin=0.02", "--recall=0.6", "--figure=a.txt"), "--figure='a.txt'"),
        (
            ("--margin=0.02", "--recall=0.6", "--queries-per-patient=0.5"),
            "queries_per_patient=0.5",
        ),
        (
            ("--margin=0.02", "--recall=0.6,0.5", "--levels=6"),
            "2 recalls and --levels=6",
        ),
        (("--policy=robust.toml",), "without --from RUN"),
        (("--margin=0.02", "--recall=0.6", "--baseline=b"), "without --from RUN"),
        (("--margin=0.02", "--from=nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *words)


def test_what_a_run_says_by_itself_is_refused_beside_it(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate, baseline, policy = project.words("candidate", "baseline", "robust.toml")
    run = ("--from", candidate)
    assert "--recall" in refused(capsys, "--margin=0.02", "--recall=0.6", *run)
    beside = (*run, "--baseline", baseline, "--correlation=0.5")
    assert "--correlation=0.5" in refused(capsys, "--margin=0.02", *beside)
    assert "gates of its own" in refused(
        capsys, "--margin=0.02", "--policy", policy, *run
    )
    assert "theirs" in refused(capsys, "--margin=0.02", "--model=theirs", *run)
    assert "k=7" in refused(capsys, "--margin=0.02", "--k=7", *run)
    assert "500 groups" in refused(capsys, "--margin=0.02", "--groups=500", *run)


def test_plan_and_plan_run_name_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--help"])
    assert "plan-run" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = " ".join(capsys.readouterr().out.split())
    assert "sees today (time and disk of a run: plan-run)" in listed
    assert "that gates need: plan)" in listed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--recall=abc",), "Expected a number, or one per level with commas"),
        (("--recall=0.5", "--queries=x"), "Expected a whole number from 1, got 'x'"),
    ],
)
def test_a_word_in_place_of_a_number_is_named(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plan", "--margin=0.1", *words])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_gates_on_groups_point_to_the_option_that_plans_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_run(tmp_path / "store", 200, strata={"sex": ["f", "m"] * 100})
    run = made.save(tmp_path / "run")
    policy = tmp_path / "robust.toml"
    policy.write_text(
        '[[gate]]\nworst_group = { strata = "sex", k = 10, min = 0.1 }\n'
        'group_gap = { strata = "sex", k = 10, max = 0.5 }\n'
    )
    plan = planned(capsys, "--policy", str(policy), "--from", str(run))
    assert plan["gates"]
    for row in plan["gates"]:
        assert "Plan so many groups with --groups" in row["reason"]

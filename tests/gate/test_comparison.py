"""A run beside its baseline: pairing, what must be the same, and verdicts of non-inferiority."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.outcomes import ModelRecord
from pytest_retrieval_robust.core.roles import Role
from pytest_retrieval_robust.core.verdict import GateKind, Verdict
from pytest_retrieval_robust.gate.comparability import obstacles, vanished
from pytest_retrieval_robust.gate.comparison import Comparison, Run
from pytest_retrieval_robust.gate.difference import (
    Difference,
    Errors,
    NotComparable,
    non_inferior,
)
from pytest_retrieval_robust.gate.judge import Judge
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.gate.paired_hits import PairedHits
from pytest_retrieval_robust.gate.pairing import Pairing
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy

from ..saved_runs import Made, make_run

GATE = "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.05 }\n"


def policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "robust.toml").write_text(text)
    return read_policy(read_config_file(tmp_path / "robust.toml"))


def judged(
    tmp_path: Path, candidate: Made, baseline: Made, text: str = GATE
) -> RunRecord:
    return judge_run(candidate.run, policy(tmp_path, text), Against(baseline.run))


def of_baseline(record: RunRecord) -> list[Verdict]:
    return [
        verdict for verdict in record.verdicts if verdict.gate.kind is GateKind.BASELINE
    ]


def test_an_equal_run_passes(tmp_path: Path) -> None:
    record = judged(
        tmp_path, make_run(tmp_path / "a", 500), make_run(tmp_path / "b", 500)
    )
    (verdict,) = of_baseline(record)
    assert (verdict.verdict, verdict.observed, verdict.limit) == ("pass", 0.0, -0.05)
    assert record.failures == ()


def test_a_clear_loss_fails_and_says_how_much(tmp_path: Path) -> None:
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", 500, shift=300),
        make_run(tmp_path / "b", 500),
    )
    (verdict,) = of_baseline(record)
    assert verdict.verdict == "fail"
    assert record.failures == ("1 of 1 gate was not met",)
    assert re.search(
        r"3 levels pooled, image-to-report: Recall@10 is 0\.\d+, -0\.0\d+ against",
        verdict.sentence,
    )
    assert "a loss beyond the margin of 0.05" in verdict.sentence


def test_a_loss_near_the_margin_is_open_and_says_how_many_queries_would_do(
    tmp_path: Path,
) -> None:
    text = GATE.replace("0.05", "0.07")
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", 100, shift=90),
        make_run(tmp_path / "b", 100),
        text,
    )
    (verdict,) = of_baseline(record)
    assert verdict.verdict == "inconclusive"
    assert record.failures == ("1 of 1 gate was inconclusive",)
    assert (
        f"about {verdict.more_queries} more queries would settle it" in verdict.sentence
    )


def test_a_loss_as_large_as_the_margin_is_open_and_says_that_queries_would_not_do(
    tmp_path: Path,
) -> None:
    runs = make_run(tmp_path / "a", 100, shift=90), make_run(tmp_path / "b", 100)
    (verdict,) = of_baseline(judged(tmp_path, *runs))
    assert verdict.observed is not None
    (verdict,) = of_baseline(
        judged(tmp_path, *runs, GATE.replace("0.05", f"{-verdict.observed}"))
    )
    assert (verdict.verdict, verdict.more_queries) == ("inconclusive", None)
    assert "more queries would hardly settle it." in verdict.sentence


def test_an_open_gate_that_the_policy_allows_does_not_block(tmp_path: Path) -> None:
    text = GATE.replace("0.05", "0.07") + 'inconclusive = "allow"\n'
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", 100, shift=90),
        make_run(tmp_path / "b", 100),
        text,
    )
    (verdict,) = of_baseline(record)
    assert (verdict.verdict, verdict.tolerated, record.failures) == (
        "inconclusive",
        True,
        (),
    )


def test_a_small_run_that_differs_nowhere_proves_nothing(tmp_path: Path) -> None:
    """A bootstrap alone would give it an interval of no width."""
    record = judged(
        tmp_path, make_run(tmp_path / "a", 24), make_run(tmp_path / "b", 24)
    )
    assert [verdict.verdict for verdict in of_baseline(record)] == ["inconclusive"]


@pytest.mark.parametrize("over", ["levels", "cells"])
@pytest.mark.parametrize("metric", ["recall", "retention", "auc", "half_level"])
def test_every_metric_is_compared(tmp_path: Path, metric: str, over: str) -> None:
    if over == "cells" and metric in ("auc", "half_level"):
        pytest.skip("one number for all levels")
    text = GATE.replace(
        "margin = 0.05", f'margin = 0.05, over = "{over}", metric = "{metric}"'
    )
    fine = judged(
        tmp_path, make_run(tmp_path / "a", 500), make_run(tmp_path / "b", 500), text
    )
    expected = {"levels": 1, "cells": 3 if metric == "recall" else 2}[over]
    assert [verdict.verdict for verdict in of_baseline(fine)] == ["pass"] * expected
    assert fine.failures == ()
    worse = judged(
        tmp_path,
        make_run(tmp_path / "c", 500, shift=300),
        make_run(tmp_path / "b", 500),
        text,
    )
    assert all(
        verdict.observed is not None and verdict.observed <= 0
        for verdict in of_baseline(worse)
    )
    assert any((verdict.observed or 0) < -0.01 for verdict in of_baseline(worse))


def test_the_order_of_queries_does_not_matter(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(300)
    record = judged(
        tmp_path, make_run(tmp_path / "a", 300, shift=9), make_run(tmp_path / "b", 300)
    )
    shuffled = judged(
        tmp_path,
        make_run(tmp_path / "c", 300, shift=9),
        make_run(tmp_path / "d", 300, order=order),
    )
    assert of_baseline(record)[0].observed == pytest.approx(
        of_baseline(shuffled)[0].observed
    )
    assert [cell.losses for cell in record.baseline.cells] == [  # type: ignore[union-attr]
        cell.losses
        for cell in shuffled.baseline.cells  # type: ignore[union-attr]
    ]


def test_repeated_patients_widen_the_bounds(tmp_path: Path) -> None:
    """Ten studies a patient, alike in what they lose, are worth fewer than ten patients."""
    alone, together = (
        of_baseline(
            judged(
                tmp_path,
                make_run(tmp_path / f"a{studies}", 500, shift=300, studies=studies),
                make_run(tmp_path / f"b{studies}", 500, studies=studies),
            )
        )[0]
        for studies in (1, 10)
    )
    assert alone.bounds is not None
    assert together.bounds is not None
    assert together.bounds[0] < alone.bounds[0] - 0.005


CELLS = GATE.replace("margin = 0.05", 'margin = 0.05, over = "cells"')


def test_how_many_gates_share_a_false_block_is_planned_beforehand(
    tmp_path: Path,
) -> None:
    """With more gates planned, each blocks later, whatever of them was run; what passes
    does not change.
    """
    two_directions = (
        CELLS
        + '[[gate]]\ndirection = "report-to-image"\n'
        + CELLS.removeprefix("[[gate]]\n")
    )
    few, many = (
        of_baseline(
            judged(
                tmp_path,
                make_run(tmp_path / "a", shift=9),
                make_run(tmp_path / "b"),
                text,
            )
        )
        for text in (CELLS, two_directions)
    )
    assert len(many) == 2 * len(few)
    for alone, shared in zip(
        few, [v for v in many if v.gate.direction == "image-to-report"], strict=True
    ):
        assert alone.bounds is not None
        assert shared.bounds is not None
        assert alone.bounds[0] == shared.bounds[0]
        assert alone.bounds[1] < shared.bounds[1]


@pytest.mark.parametrize(("gates", "shared_by"), [(0, 1), (1, 1), (5, 5)])
def test_a_gate_that_is_not_planned_shares_its_error_with_none(
    tmp_path: Path, gates: int, shared_by: int
) -> None:
    mine = make_run(tmp_path / "a", 60, shift=9).run
    comparison = Comparison(Pairing(mine, make_run(tmp_path / "b", 60).run))
    judge = Judge(policy(tmp_path, GATE), None, comparison, lambda _: gates)
    [verdict] = judge.baseline(mine.measured.curves)
    hits = comparison.hits_of_curves(mine.measured.curves, "image-to-report", 10)
    assert isinstance(hits, PairedHits)
    errors = Errors(0.05, shared_by)
    difference = hits.over_levels("recall", mine.measured.curves[0].levels, errors)
    assert verdict.bounds == pytest.approx((difference.passes_at, difference.fails_at))


def differences(candidate: Made, baseline: Made) -> str:
    """Why the runs cannot be compared, or what of the baseline the candidate lacks."""
    pairing = Pairing(candidate.run, baseline.run)
    return " ".join(obstacles(pairing) or vanished(pairing))


def test_the_run_itself_is_no_baseline(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    assert "got the run itself" in differences(run, run)


def test_limited_and_partial_runs_are_no_baseline(tmp_path: Path) -> None:
    candidate, baseline = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    assert "got a limited one (--robust-limit 24)" in differences(
        candidate, baseline.measured(limit=24)
    )
    assert "got a partial one (-k)" in differences(
        candidate, baseline.measured(scope=Scope("-k", "pytest"))
    )
    assert "one of the first 24 pairs" in differences(
        candidate.measured(limit=24), baseline
    )


@pytest.mark.parametrize(
    ("fact", "value", "expected"),
    [
        (
            "text",
            "impression",
            (
                "the same text policy of d in both runs, got text='findings' and in the"
                " baseline"
            ),
        ),
        ("relevance", "strict-id", "the same relevance rule of d"),
        ("split", "validate", "the same split of d"),
        ("fingerprint", "0" * 64, "the same data (ids, texts, filters) of d"),
        ("pixel_digest", "0" * 64, "the same pixels of d"),
    ],
)
def test_other_data_is_named(
    tmp_path: Path, fact: str, value: str, expected: str
) -> None:
    assert expected in differences(
        make_run(tmp_path / "a"), make_run(tmp_path / "b", facts={fact: value})
    )


def test_another_decoding_is_named(tmp_path: Path) -> None:
    """Before the pixels, which differ because of it; an older run says nothing of it."""
    on_device = make_run(
        tmp_path / "a", facts={"decoding": "device", "pixel_digest": "0" * 64}
    )
    reasons = differences(on_device, make_run(tmp_path / "b"))
    assert "the same decoding of d in both runs, got decoding='device'" in reasons
    assert "in the baseline decoding='host'. Run one of them again with" in reasons


def test_pixels_of_a_device_are_compared_with_no_others(tmp_path: Path) -> None:
    """Which images it decodes depends on the models of a run, and so does the digest."""
    first = make_run(
        tmp_path / "a", facts={"decoding": "device", "pixel_digest": "0" * 64}
    )
    second = make_run(
        tmp_path / "b", facts={"decoding": "device", "pixel_digest": "1" * 64}
    )
    assert "pixels" not in differences(first, second)
    other_texts = make_run(
        tmp_path / "c", facts={"decoding": "device", "fingerprint": "0" * 64}
    )
    assert "the same data (ids, texts, filters) of d" in differences(first, other_texts)


def test_another_precision_is_named(tmp_path: Path) -> None:
    reasons = differences(
        make_run(tmp_path / "a", precision="bf16"), make_run(tmp_path / "b")
    )
    assert "got precision=bf16 and in the baseline precision=fp32" in reasons


def test_other_queries_are_named(tmp_path: Path) -> None:
    for queries in (199, 201):
        reasons = differences(
            make_run(tmp_path / "a"), make_run(tmp_path / f"b{queries}", queries)
        )
        told_counts = (
            f"got 200 images and in the baseline {queries}, {min(queries, 200)} of them"
            " the same"
        )
        assert f"Expected the same queries of d in both runs, {told_counts}" in reasons


def test_a_cell_that_vanished_is_named(tmp_path: Path) -> None:
    reasons = differences(
        make_run(tmp_path / "a", levels=(0.0, 0.2)), make_run(tmp_path / "b")
    )
    assert (
        "got no ours on d, patches at level 0.4, seed 0. Measure what it measured."
        in reasons
    )
    record = judged(
        tmp_path,
        make_run(tmp_path / "c", levels=(0.0, 0.2)),
        make_run(tmp_path / "d"),
        "",
    )
    assert record.failures == ("cells of the baseline are missing",)


def test_a_partial_run_may_lack_cells(tmp_path: Path) -> None:
    narrowed = make_run(tmp_path / "a", levels=(0.0, 0.2)).measured(
        scope=Scope("-k", "pytest")
    )
    assert differences(narrowed, make_run(tmp_path / "b")) == ""


def test_a_renamed_model_is_told(tmp_path: Path) -> None:
    reasons = differences(
        make_run(tmp_path / "a", models=("ours-v2",)), make_run(tmp_path / "b")
    )
    assert (
        "got none of the 3 cells of ours (the weights of ours-v2 are the same: was it"
        " renamed?)" in reasons
    )
    unhashed = make_run(tmp_path / "c", models=("ours-v2",)).measured(
        models=(ModelRecord("ours-v2", True),)
    )
    assert "renamed" not in differences(unhashed, make_run(tmp_path / "d"))


def test_obstacles_fail_every_gate_on_the_baseline(tmp_path: Path) -> None:
    record = judged(
        tmp_path,
        make_run(tmp_path / "a"),
        make_run(tmp_path / "b", facts={"text": "impression"}),
    )
    assert [verdict.verdict for verdict in of_baseline(record)] == ["fail"]
    assert record.failures == (
        "1 of 1 gate was not met",
        "the baseline cannot be compared with",
    )
    assert any("text policy" in warning for warning in record.warnings)


def test_levels_that_the_baseline_lacks_leave_the_gate_open(tmp_path: Path) -> None:
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", levels=(0.0, 0.2, 0.4, 0.6)),
        make_run(tmp_path / "b"),
    )
    (verdict,) = of_baseline(record)
    assert verdict.verdict == "inconclusive"
    assert (
        "the baseline has no ours on d, patches at level 0.6, seed 0"
        in verdict.sentence
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"occluders": ("patches", "border")}, "these models, occluders, levels and"),
        ({"corruptions": ("jpeg",)}, "these models, corruptions, severities and"),
        ({"text_noise": ("typos",)}, "these models, noise, severities and"),
    ],
    ids=["occluder", "corruption", "noise"],
)
def test_what_the_baseline_lacks_is_named_as_its_options_are(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    candidate = make_run(tmp_path / "a", 40, **more).run
    comparison = Comparison(Pairing(candidate, make_run(tmp_path / "b", 40).run))
    curve = candidate.measured.curves[-1]
    lacking = comparison.hits_of_curves([curve], "image-to-report", 10)
    assert isinstance(lacking, NotComparable)
    assert f"measure it with {words} seeds" in lacking.reason


@pytest.mark.parametrize("role", list(Role))
def test_groups_that_the_other_run_lacks_are_said_to_be_its(
    tmp_path: Path, role: Role
) -> None:
    views = ["frontal", "lateral"] * 20
    mine = make_run(tmp_path / "a", 40, strata={"view": views}).run
    theirs = make_run(tmp_path / "b", 40).run
    comparison = Comparison(Pairing(mine, theirs, role=role))
    lacking = comparison.grouping("d", "view", "image-to-report")
    assert isinstance(lacking, NotComparable)
    assert lacking.reason.startswith(f"in the {role} ")


def test_without_a_baseline_its_gates_are_ungated_and_noted(tmp_path: Path) -> None:
    record = judge_run(make_run(tmp_path / "a").run, policy(tmp_path, GATE), Against())
    (verdict,) = of_baseline(record)
    assert (verdict.verdict, record.failures, record.release.status) == (
        "ungated",
        (),
        "not judged",
    )
    assert any(
        "compare with --robust-baseline DIR" in warning for warning in record.warnings
    )


def test_a_baseline_that_is_not_there_yet_fails_and_says_how_to_make_it(
    tmp_path: Path,
) -> None:
    record = judge_run(
        make_run(tmp_path / "a").run,
        policy(tmp_path, GATE),
        Against(problem="There is none yet."),
    )
    assert record.failures == ("there is no baseline to compare with",)
    assert "There is none yet." in record.warnings


def test_seeds_are_pooled(tmp_path: Path) -> None:
    seeds = (0, 1, 2)
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", seeds=seeds),
        make_run(tmp_path / "b", seeds=seeds),
    )
    (verdict,) = of_baseline(record)
    assert "3 levels and 3 seeds pooled" in verdict.sentence


def naive_difference(
    candidate: Run, baseline: Run, level: float, k: int
) -> tuple[float, int, int]:
    """Counted query by query."""
    hits = []
    for run in (candidate, baseline):
        (outcome,) = [o for o in run.measured.outcomes if o.case.level == level]
        keys, ranks = (
            run.evidence.query_keys("d", "image-to-report"),
            run.evidence.ranks(outcome, "image-to-report"),
        )
        assert keys is not None
        assert ranks is not None
        hits.append(
            {int(key): int(rank) <= k for key, rank in zip(keys, ranks, strict=True)}
        )
    wins = sum(hits[0][key] and not hits[1][key] for key in hits[0])
    losses = sum(hits[1][key] and not hits[0][key] for key in hits[0])
    return (wins - losses) / len(hits[0]), wins, losses


@settings(max_examples=15, deadline=None)
@given(
    shift=st.integers(0, 30),
    seed=st.integers(0, 1000),
    level=st.sampled_from([0.0, 0.2, 0.4]),
    k=st.sampled_from([1, 10]),
)
def test_cells_are_counted_query_by_query(
    tmp_path_factory: pytest.TempPathFactory,
    shift: int,
    seed: int,
    level: float,
    k: int,
) -> None:
    folder, order = (
        tmp_path_factory.mktemp("runs"),
        np.random.default_rng(seed).permutation(60),
    )
    candidate, baseline = (
        make_run(folder / "a", 60, shift=shift),
        make_run(folder / "b", 60, order=order),
    )
    cells = {
        (c.case.level, c.direction, c.k): c
        for c in Comparison(Pairing(candidate.run, baseline.run)).cells()
    }
    cell = cells[level, "image-to-report", k]
    difference, wins, losses = naive_difference(candidate.run, baseline.run, level, k)
    assert cell.value == pytest.approx(difference)
    assert (cell.wins, cell.losses) == (wins, losses)
    assert cell.low <= cell.value <= cell.high


@given(
    value=st.floats(-0.2, 0.2),
    error=st.floats(0.001, 0.1),
    margin=st.floats(0, 0.1),
    gates=st.integers(1, 50),
)
def test_the_three_verdicts(
    value: float, error: float, margin: float, gates: int
) -> None:
    z = NormalDist().inv_cdf
    difference = Difference(
        0.5 + value,
        0.5,
        value - z(0.95) * error,
        value + z(1 - 0.05 / gates) * error,
        error,
        500,
    )
    verdict = non_inferior(difference, margin)
    assert (verdict == "pass") == (difference.passes_at >= -margin - 1e-12)
    assert (verdict == "fail") == (difference.fails_at < -margin - 1e-12)


def test_a_loss_of_the_stated_size_is_seen_four_times_in_five(tmp_path: Path) -> None:
    """The smallest detectable loss, against its normal theory."""
    record = judged(
        tmp_path, make_run(tmp_path / "a", 500, shift=9), make_run(tmp_path / "b", 500)
    )
    (verdict,) = of_baseline(record)
    assert verdict.bounds is not None
    assert verdict.observed is not None
    z = NormalDist().inv_cdf
    error = (verdict.observed - verdict.bounds[0]) / z(0.95)
    assert verdict.detectable_loss == pytest.approx(
        0.05 + (z(0.95) + z(0.8)) * error, rel=0.1
    )


def test_the_comparison_does_not_depend_on_the_version(tmp_path: Path) -> None:
    old = make_run(tmp_path / "b")
    older = old.measured(identity=replace(old.run.measured.identity, version="0.0.1"))
    assert differences(make_run(tmp_path / "a"), older) == ""


@pytest.mark.parametrize("metric", ["retention", "half_level"])
def test_what_retrieves_nothing_passes_beside_no_baseline(
    tmp_path: Path, metric: str
) -> None:
    text = (
        "[[gate]]\nnot_worse_than_baseline = { k = 1, margin = 0.05, metric ="
        f' "{metric}" }}'
    )
    good, lost = make_run(tmp_path / "a"), make_run(tmp_path / "b", floor=100)
    (collapsed,) = of_baseline(judged(tmp_path, lost, good, text))
    assert (collapsed.verdict, collapsed.observed) == ("fail", None)
    (beside_nothing,) = of_baseline(judged(tmp_path, good, lost, text))
    assert beside_nothing.verdict == "inconclusive"
    assert "Use a baseline that retrieves better than chance" in beside_nothing.sentence


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ('occluder = "patches"', "half level"),
        ('corruption = "jpeg"', "half severity"),
    ],
)
def test_what_has_nothing_to_lose_is_named_as_its_family_names_it(
    tmp_path: Path, selector: str, name: str
) -> None:
    text = (
        f"[[gate]]\n{selector}\nnot_worse_than_baseline = {{ k = 1,"
        ' margin = 0.05, metric = "half_level" }\n'
    )
    lost, good = (
        make_run(tmp_path / f"{floor}", 40, corruptions=("jpeg",), floor=floor)
        for floor in (40, 1)
    )
    [collapsed] = of_baseline(judged(tmp_path, lost, good, text))
    [beside_nothing] = of_baseline(judged(tmp_path, good, lost, text))
    assert f"before its {name} is judged" in collapsed.sentence
    assert f"so its {name} is undefined" in beside_nothing.sentence


@pytest.mark.parametrize("metric", ["recall", "retention", "auc", "half_level"])
def test_one_level_alone_is_told(tmp_path: Path, metric: str) -> None:
    text = (
        GATE.replace("margin = 0.05", f'margin = 0.05, metric = "{metric}"')
        + "auc = { 10 = 0.1 }\n"
    )
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", levels=(0.0,)),
        make_run(tmp_path / "b", levels=(0.0,)),
        text,
    )
    verdicts = {
        verdict.gate.kind: verdict
        for verdict in record.verdicts
        if verdict.gate.kind is not GateKind.NONE
    }
    assert verdicts[GateKind.AUC].verdict == "inconclusive"
    assert "takes two levels or more" in verdicts[GateKind.AUC].sentence
    assert verdicts[GateKind.BASELINE].verdict in (
        ("pass", "inconclusive") if metric == "recall" else ("inconclusive",)
    )
    if metric != "recall":
        name = metric.replace("_", " ")
        told = verdicts[GateKind.BASELINE].sentence
        assert f"because {name} takes two levels or more" in told


def test_what_the_baseline_lacks_is_not_let_pass(tmp_path: Path) -> None:
    text = GATE + 'inconclusive = "allow"\n'
    record = judged(
        tmp_path,
        make_run(tmp_path / "a", models=("ours", "new")),
        make_run(tmp_path / "b"),
        text,
    )
    assert {
        (v.case.model, v.verdict, v.tolerated)
        for v in of_baseline(record)
        if v.case.model == "new"
    } == {("new", "inconclusive", False)}
    assert record.failures == ("1 of 2 gates was inconclusive",)


def test_repeated_patients_who_never_differ_are_worth_one_query_each(
    tmp_path: Path,
) -> None:
    """Ten equal studies of 20 patients prove no more than 20 queries."""
    candidate, baseline = (make_run(tmp_path / name, 200, studies=10) for name in "ab")
    (verdict,) = of_baseline(
        judged(
            tmp_path,
            candidate,
            baseline,
            CELLS.replace("[[gate]]", "[[gate]]\nlevel = 0.2"),
        )
    )
    assert verdict.verdict == "inconclusive"
    assert verdict.bounds is not None
    assert verdict.bounds[0] < -0.1


def test_level_0_is_one_cell_whatever_the_seed(tmp_path: Path) -> None:
    seeds = (0, 1, 2)
    pairing = Pairing(
        make_run(tmp_path / "a", seeds=seeds).run,
        make_run(tmp_path / "b", seeds=seeds).run,
    )
    cells = [
        (cell.case.level, cell.case.seed)
        for cell in Comparison(pairing).cells([10])
        if cell.direction == "image-to-report"
    ]
    assert sorted(cells) == [
        (0.0, 0),
        (0.2, 0),
        (0.2, 1),
        (0.2, 2),
        (0.4, 0),
        (0.4, 1),
        (0.4, 2),
    ]


@pytest.mark.parametrize("metric", ["recall", "retention", "auc", "half_level"])
def test_a_gate_beside_the_baseline_cannot_pass_where_k_is_the_gallery(
    tmp_path: Path, metric: str
) -> None:
    text = GATE.replace("margin = 0.05", f'margin = 0.05, metric = "{metric}"')
    text += 'inconclusive = "allow"\n'
    small, large = (
        judged(
            tmp_path,
            make_run(tmp_path / f"{n}a", n),
            make_run(tmp_path / f"{n}b", n),
            text,
        )
        for n in (10, 500)
    )
    (verdict,) = of_baseline(small)
    # What is at chance with nothing hidden, as so few queries always are, fails before that.
    assert verdict.verdict == (
        "inconclusive" if metric in ("recall", "auc") else "fail"
    )
    assert (verdict.objects, "cannot fail" in verdict.sentence) == (
        True,
        verdict.verdict == "inconclusive",
    )
    assert [verdict.verdict for verdict in of_baseline(large)] == ["pass"]


def test_a_margin_as_large_as_the_baseline_lets_nothing_fail(tmp_path: Path) -> None:
    text = GATE.replace("margin = 0.05", "margin = 0.99")
    record = judged(
        tmp_path, make_run(tmp_path / "a", 500), make_run(tmp_path / "b", 500), text
    )
    assert [verdict.verdict for verdict in of_baseline(record)] == ["inconclusive"]

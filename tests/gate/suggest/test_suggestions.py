"""What a run suggests: read by the package's own reader, and met by the run itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.cases import DIRECTIONS
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ArgumentError, RobustError
from pytest_retrieval_robust.core.verdict import GateKind
from pytest_retrieval_robust.gate.comparison import Run
from pytest_retrieval_robust.gate.limits import BaselineLimit, Floor
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.suggest.asked import Asked
from pytest_retrieval_robust.gate.suggest.suggested import Suggested
from pytest_retrieval_robust.gate.suggest.suggestions import (
    FEWEST_PATIENTS,
    Suggestions,
    suggest,
)
from pytest_retrieval_robust.gate.suggest.written import as_toml
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.measure.sweep.scores import scores_of
from pytest_retrieval_robust.retrieval.bootstrap import Clusters

from ...reports.records import compared_in
from ...saved_runs import Made, make_run

FORWARD = DIRECTIONS[:1]


def judged(run: Run, text: str, folder: Path) -> RunRecord:
    """A run held against a written file."""
    file = folder / "robust.toml"
    file.write_text(text, encoding="utf-8")
    policy = read_policy(read_config_file(file))
    policy.check(run.measured.plan)
    policy.check_ties(run.measured.plan)
    return judge_run(run, policy, Against())


def limits(suggestions: Suggestions) -> dict[str, Suggested]:
    """By the gate and where it holds, of runs of one model."""
    [of_model] = suggestions.models
    return {f"{each.gate} {each.place.level}": each for each in of_model.suggested}


def minimum(suggested: Suggested) -> float:
    assert isinstance(suggested.limit, Floor)
    return suggested.limit.minimum


def with_edits(made: Made) -> Made:
    record = judge_run(made.run, Policy(), Against())
    return made.measured(counterfactuals=compared_in(record))


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Something of each family, edits too."""
    made = make_run(
        tmp_path_factory.mktemp("families"),
        300,
        studies=2,
        corruptions=("jpeg",),
        text_noise=("typing",),
        severities=(0.0, 0.2, 0.6),
    )
    return with_edits(made)


@pytest.fixture(scope="module")
def suggested(families: Made) -> Suggestions:
    return suggest(families.run, Asked())


def test_every_family_and_edits_get_limits(suggested: Suggestions) -> None:
    [of_model] = suggested.models
    places = {each.place.family for each in of_model.suggested}
    assert places == {None, "occlusion", "corruption", "text-noise"}
    kinds = {each.gate.kind for each in of_model.suggested}
    assert kinds == {
        GateKind.RECALL,
        GateKind.RETENTION,
        GateKind.AUC,
        GateKind.HALF_LEVEL,
        GateKind.BASELINE,
        GateKind.COUNTERFACTUAL,
        GateKind.DISTRACTOR_RECALL,
    }
    directions = {each.place.direction for each in of_model.suggested}
    assert directions == {*DIRECTIONS, None}


def test_the_file_is_met_by_the_run_that_it_comes_from(
    families: Made, suggested: Suggestions, tmp_path: Path
) -> None:
    record = judged(families.run, as_toml(suggested), tmp_path)
    gated = [each for each in record.verdicts if each.verdict != "ungated"]
    assert (
        len(gated) >= len(suggested.models[0].suggested) - 6
    )  # margins need a baseline
    assert [verdict.sentence for verdict in gated if verdict.objects] == []
    assert record.release.is_green


def test_every_limit_says_what_it_was_made_of(suggested: Suggestions) -> None:
    text = as_toml(suggested)
    assert "a model that has not changed" in text
    assert re.search(
        r"# recall@10: 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\), 300 queries of 15\d patients;"
        r" detects a\n?",
        text,
    )
    assert max(map(len, text.splitlines())) <= 103
    assert str(Path.cwd()) not in text


def test_a_floor_lies_below_the_confidence_interval(suggested: Suggestions) -> None:
    """A second sample varies too."""
    for each in suggested.models[0].suggested:
        if each.gate.kind in (GateKind.RECALL, GateKind.RETENTION, GateKind.AUC):
            assert minimum(each) < each.interval[0] < each.observed


def test_a_margin_is_wider_than_what_patients_vary_by(suggested: Suggestions) -> None:
    margins = [
        each
        for each in suggested.models[0].suggested
        if isinstance(each.limit, BaselineLimit)
    ]
    assert len(margins) == 3 * len(DIRECTIONS)
    for each in margins:
        assert isinstance(each.limit, BaselineLimit)
        assert each.observed - each.interval[0] < each.limit.margin < each.observed / 2


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_run(tmp_path_factory.mktemp("small"), 200)


def test_a_smaller_risk_lowers_every_floor(small: Made) -> None:
    usual = limits(suggest(small.run, Asked(directions=FORWARD, per="cell")))
    careful = limits(suggest(small.run, Asked(0.01, directions=FORWARD, per="cell")))
    assert careful.keys() <= usual.keys()
    falls = [minimum(usual[key]) - minimum(careful[key]) for key in careful]
    assert min(falls) >= 0
    assert sum(falls) > 0.05


def test_more_gates_lower_every_floor(small: Made) -> None:
    one = limits(suggest(small.run, Asked(ks=(10,), directions=FORWARD, per="pooled")))
    many = limits(suggest(small.run, Asked()))
    key = "recall@10 image-to-report 0.0"
    assert minimum(many[key]) < minimum(one[key])


def test_a_limit_by_bound_is_lower_and_says_so(small: Made, tmp_path: Path) -> None:
    point = limits(suggest(small.run, Asked(directions=FORWARD)))
    by_bound = suggest(small.run, Asked(decide="bound", directions=FORWARD))
    for key, each in limits(by_bound).items():
        if isinstance(each.limit, Floor):
            assert minimum(each) < minimum(point[key])
    text = as_toml(by_bound)
    assert 'decide = "bound"\nconfidence = 0.95\n' in text
    record = judged(small.run, text, tmp_path)
    assert record.release.is_green
    decided = {each.decided_by for each in record.verdicts if each.verdict == "pass"}
    assert decided == {"bound"}


@pytest.mark.parametrize(
    ("per", "kinds"),
    [
        ("cell", {GateKind.RECALL, GateKind.RETENTION}),
        (
            "pooled",
            {GateKind.RECALL, GateKind.AUC, GateKind.HALF_LEVEL, GateKind.BASELINE},
        ),
    ],
)
def test_cells_or_whole_curves_may_be_asked_for(
    small: Made, per: Any, kinds: set[GateKind]
) -> None:
    suggestions = suggest(small.run, Asked(ks=(10,), per=per))
    [of_model] = suggestions.models
    assert {each.gate.kind for each in of_model.suggested} == kinds
    assert {each.gate.k for each in of_model.suggested} == {10}


def test_of_several_seeds_the_lowest_floor_is_taken(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", 200, seeds=(0, 1, 2))
    suggestions = suggest(made.run, Asked(ks=(10,), directions=FORWARD, per="cell"))
    floors = limits(suggestions)
    hidden = floors["recall@10 image-to-report 0.4"]
    recalls = [o.recall(10) for o in made.run.measured.outcomes if o.case.level == 0.4]
    assert hidden.seeds == 3
    assert hidden.observed == min(recalls)
    # Level 0 is one cell for all seeds.
    assert floors["recall@10 image-to-report 0.0"].seeds == 1
    assert suggestions.models[0].gates == 1 + 3 * 2 * 2
    assert judged(made.run, as_toml(suggestions), tmp_path).release.is_green


def test_a_number_that_one_seed_has_no_floor_of_has_none(tmp_path: Path) -> None:
    """No selector tells seeds apart, so that a floor would fail that seed."""
    made = make_run(tmp_path / "store", 150, seeds=(0, 1))
    nothing = np.full(150, 100)
    made.store.save("nothing", image_ranks=nothing, report_ranks=nothing)
    patients = Clusters.of(np.arange(150))
    queries = np.arange(150)
    scores = scores_of(nothing, queries, queries, (1, 10), patients)
    outcomes = tuple(
        replace(each, ranks_key="nothing", image_to_report=scores)
        if (each.case.level, each.case.seed) == (0.4, 0)
        else each
        for each in made.run.measured.outcomes
    )
    made = made.measured(outcomes=outcomes)
    suggestions = suggest(made.run, Asked(directions=FORWARD))
    floors = limits(suggestions)
    assert "recall@10 image-to-report 0.2" in floors
    assert "recall@10 image-to-report 0.4" not in floors
    assert judged(made.run, as_toml(suggestions), tmp_path).release.is_green


# What gets no limit


def test_a_model_at_chance_gets_none_and_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0).permutation(200)
    made = make_run(tmp_path / "store", 200, floor=150, order=random)
    suggestions = suggest(made.run, Asked())
    assert suggestions.models == ()
    [sentence] = suggestions.refused
    assert sentence.startswith("Expected ours to retrieve better than chance")


def test_too_few_patients_are_counted(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", 180, studies=2)
    suggestions = suggest(made.run, Asked(force=True))
    assert suggestions.models == ()
    [sentence] = suggestions.refused
    assert f"at least {FEWEST_PATIENTS} patients" in sentence
    assert "(180 queries) on d" in sentence
    assert re.search(r"got 9\d ", sentence)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: made.measured(limit=200), "limited to 200 pairs"),
        (lambda made: made.measured(scope=Scope("-k", "pytest")), r"partial \(-k\)"),
    ],
)
def test_a_run_that_is_not_full_suggests_nothing_unless_forced(
    small: Made, change: Callable[[Made], Made], words: str
) -> None:
    made = change(small)
    with pytest.raises(RobustError, match=words) as caught:
        suggest(made.run, Asked())
    assert "--force" in str(caught.value)
    forced = suggest(made.run, Asked(ks=(10,), per="pooled", force=True))
    assert re.search(f"# NOT A FULL RUN: it is {words}", as_toml(forced))


def test_a_curve_that_lacks_a_level_has_no_limit_over_levels(small: Made) -> None:
    measured = small.run.measured
    some = tuple(each for each in measured.outcomes if each.case.level < 0.4)
    made = small.measured(outcomes=some, scope=Scope("-k", "pytest"))
    suggestions = suggest(made.run, Asked(force=True))
    [of_model] = suggestions.models
    kinds = {each.gate.kind for each in of_model.suggested}
    assert kinds == {GateKind.RECALL, GateKind.RETENTION}


def test_a_floor_within_chance_is_left_out_and_counted(tmp_path: Path) -> None:
    """At k = 100 of 150, two of three random answers are hits."""
    made = make_run(tmp_path / "store", 150, ks=(10, 100), shift=60)
    suggestions = suggest(made.run, Asked(directions=FORWARD))
    [of_model] = suggestions.models
    assert any("cannot fail" in sentence for sentence in of_model.left_out)
    assert "because the run itself would not pass" in as_toml(suggestions)
    assert judged(made.run, as_toml(suggestions), tmp_path).release.is_green


def test_a_cell_in_which_nothing_was_changed_gets_no_limit(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", 150, corruptions=("jpeg",))
    outcomes = tuple(
        replace(each, altered=0.0) if each.case.occluder == "jpeg" else each
        for each in made.run.measured.outcomes
    )
    made = made.measured(outcomes=outcomes)
    suggestions = suggest(made.run, Asked(ks=(10,), directions=FORWARD))
    [of_model] = suggestions.models
    assert any("nothing was changed" in sentence for sentence in of_model.left_out)
    floors = [each for each in of_model.suggested if isinstance(each.limit, Floor)]
    assert {each.place.perturbation for each in floors} == {None, "patches"}


def test_a_name_that_is_a_glob_is_refused(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", 150, models=("ours[1]",))
    [sentence] = suggest(made.run, Asked()).refused
    assert "'ours[1]'" in sentence


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"risk": 0.0}, "risk=0.0"),
        ({"risk": 0.5}, "risk=0.5"),
        ({"confidence": 95.0}, "confidence=95.0"),
        ({"decide": "bounds"}, "decide='bounds'"),
        ({"per": "level"}, "per='level'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(words)):
        Asked(**wrong)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(models=("our",)), "ours"),
        (Asked(datasets=("e",)), "data set"),
        (Asked(ks=(7,)), "k=7"),
    ],
)
def test_what_was_not_measured_is_refused(
    small: Made, asked: Asked, words: str
) -> None:
    with pytest.raises(RobustError, match=words):
        suggest(small.run, asked)


def test_a_run_without_recall_suggests_nothing(small: Made) -> None:
    with pytest.raises(RobustError, match="outcomes=0"):
        suggest(small.measured(outcomes=()).run, Asked())


# Whatever the run


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "queries": draw(st.integers(100, 260)),
        "studies": draw(st.integers(1, 2)),
        "shift": draw(st.integers(0, 300)),
        "floor": draw(st.sampled_from([1, 1, 2, 10])),
        "seeds": draw(st.sampled_from([(0,), (0, 3)])),
        "levels": draw(st.sampled_from([(0.0,), (0.0, 0.123457), (0.0, 0.2, 1.0)])),
        "corruptions": draw(st.sampled_from([(), ("jpeg",), ("crop(low=0.5)",)])),
        "severities": (0.0, 0.5),
        "models": draw(
            st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(
                tuple
            )
        ),
        "ks": (1, 10),
    }


NAMES = ("ours", 'the "best"', "a\\b\tc", "модель", "#x = [", "\x7f\u202e")


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    runs(),
    st.sampled_from(["point", "bound"]),
    st.sampled_from(["all", "cell", "pooled"]),
    st.sampled_from([0.01, 0.05, 0.3]),
)
def test_what_is_written_is_always_readable_and_met_by_its_own_run(
    tmp_path_factory: pytest.TempPathFactory,
    chosen: dict[str, Any],
    decide: Any,
    per: Any,
    risk: float,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    made = make_run(folder / "store", **chosen)
    asked = Asked(risk, decide, directions=FORWARD, per=per)
    suggestions = suggest(made.run, asked)
    assert suggestions.models or suggestions.refused
    if suggestions.models:
        record = judged(made.run, as_toml(suggestions), folder)
        named = {of_model.model for of_model in suggestions.models}
        assert not any(
            verdict.objects
            for verdict in record.verdicts
            if verdict.verdict != "ungated" and verdict.case.model in named
        )
        assert sum(verdict.verdict == "pass" for verdict in record.verdicts) > 0

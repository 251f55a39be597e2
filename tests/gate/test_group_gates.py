"""Gates on groups: what they are about, when they pass, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.core.verdict import GateKey, GateKind, Verdict
from pytest_retrieval_robust.gate.comparison import Comparison
from pytest_retrieval_robust.gate.difference import Difference, Errors
from pytest_retrieval_robust.gate.group_difference import GroupDifference
from pytest_retrieval_robust.gate.group_extremes import lowest
from pytest_retrieval_robust.gate.grouping import Group, Grouping, RunGroups
from pytest_retrieval_robust.gate.paired_groups import hits_of_group
from pytest_retrieval_robust.gate.pairing import Pairing, Run
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, RunRecord, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.saved.read import load_run
from pytest_retrieval_robust.retrieval.bootstrap import Clusters
from pytest_retrieval_robust.retrieval.group_bounds import GroupRecalls, Members

from ..saved_runs import Made, make_run

QUERIES = 300
VIEWS = ["AP", "PA", "lateral"] * 100
SEXES = ["F"] * 160 + ["M"] * 133 + ["rare"] * 7
FLOOR = '[[gate]]\nworst_group = { strata = "view", k = 10, min = 0.05 }\n'
GAP = '[[gate]]\ngroup_gap = { strata = "view", k = 10, max = 0.9 }\n'
NOT_WORSE = (
    '[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.3, strata = "view" }\n'
)


def policy(folder: Path, text: str) -> Policy:
    folder.mkdir(exist_ok=True)
    (folder / "robust.toml").write_text(text)
    return read_policy(read_config_file(folder / "robust.toml"))


def made(folder: Path, *, shift: int = 0, views: list[str] = VIEWS) -> Made:
    return make_run(folder, QUERIES, shift=shift, strata={"view": views, "sex": SEXES})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("run")).run


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("theirs")).run


def judged(run: Run, tmp_path: Path, text: str, theirs: Run | None = None) -> RunRecord:
    return judge_run(run, policy(tmp_path, text), Against(theirs))


def verdicts(record: RunRecord) -> list[Verdict]:
    return [one for one in record.verdicts if one.gate.stratum is not None]


def recalls(run: Run, level: float, words: list[str], k: int = 10) -> dict[str, float]:
    """By a loop over the queries."""
    [outcome] = [one for one in run.measured.outcomes if one.case.level == level]
    ranks = run.evidence.ranks(outcome, "image-to-report")
    assert ranks is not None
    hits: dict[str, list[bool]] = {}
    for rank, word in zip(ranks, words, strict=True):
        hits.setdefault(word, []).append(bool(rank <= k))
    return {word: sum(each) / len(each) for word, each in hits.items()}


@pytest.mark.parametrize("level", [0.0, 0.2, 0.4])
def test_the_worst_group_and_the_greatest_gap_are_those_of_a_loop(
    run: Run, tmp_path: Path, level: float
) -> None:
    by_group = recalls(run, level, VIEWS)
    found = {
        one.gate.kind: one
        for one in verdicts(judged(run, tmp_path, FLOOR + GAP))
        if one.case.level == level
    }
    floor = found[GateKind.WORST_GROUP]
    assert floor.observed == pytest.approx(min(by_group.values()))
    worst = min(by_group, key=by_group.__getitem__)
    assert f"{worst} (100 queries, 100 patients)" in floor.sentence
    gap = found[GateKind.GROUP_GAP]
    assert gap.observed == pytest.approx(
        max(by_group.values()) - min(by_group.values())
    )
    best = max(by_group, key=by_group.__getitem__)
    assert f"of {worst} (100 queries, 100 patients) to " in gap.sentence
    assert f"of {best} (100 queries, 100 patients)" in gap.sentence


def test_each_limit_is_a_gate_of_its_own(run: Run, tmp_path: Path) -> None:
    text = (
        '[[gate]]\nworst_group = [{ strata = "view", k = 10, min = 0.1 },'
        ' { strata = "view", k = 1, min = 0.001 }]\n'
    )
    record = judged(run, tmp_path, text)
    gates = {str(one.gate) for one in verdicts(record)}
    assert gates == {
        "worst_group@10 by view image-to-report",
        "worst_group@1 by view image-to-report",
    }
    assert all(GateKey.parse(gate).stratum == "view" for gate in gates)
    assert record.failures == ()
    assert record.verdict_counts()["pass"] == 6


def test_a_floor_is_met_by_point_if_every_group_reaches_it(
    run: Run, tmp_path: Path
) -> None:
    least = min(recalls(run, 0.2, VIEWS).values())
    for limit, verdict in ((least, "pass"), (least + 1e-6, "fail")):
        text = (
            f'[[gate]]\nlevel = 0.2\nworst_group = {{ strata = "view", k = 10,'
            f" min = {limit!r} }}\n"
        )
        [one] = verdicts(judged(run, tmp_path, text))
        assert one.verdict == verdict


def bounds_of(run: Run, tmp_path: Path, limit: str) -> tuple[float, float]:
    text = f'[[gate]]\nlevel = 0.2\n{limit}\ndecide = "bound"\n'
    [one] = verdicts(judged(run, tmp_path, text))
    assert one.bounds is not None
    return one.bounds


@pytest.mark.parametrize(
    ("form", "passes"),
    [
        ('worst_group = {{ strata = "view", k = 10, min = {limit!r} }}', 0),
        ('group_gap = {{ strata = "view", k = 10, max = {limit!r} }}', 1),
    ],
)
def test_bounds_decide_as_they_do_elsewhere(
    tmp_path: Path, form: str, passes: int
) -> None:
    """`passes` is the place of the bound that the limit must clear."""
    # Hard images are of one view, so that even the lower bound of the gap is above 0.
    is_hard = np.random.default_rng(0).random(QUERIES) > 0.6
    views = ["AP" if hard else view for hard, view in zip(is_hard, VIEWS, strict=True)]
    run = made(tmp_path / "run", views=views).run
    ends = bounds_of(run, tmp_path, form.format(limit=0.3))
    # A floor is passed from above, a ceiling from below.
    step = 1e-6 if passes else -1e-6
    for limit, verdict in (
        (ends[passes] + step, "pass"),
        (ends[passes] - step, "inconclusive"),
        (ends[1 - passes] + step, "inconclusive"),
        (ends[1 - passes] - step, "fail"),
    ):
        text = f'[[gate]]\nlevel = 0.2\n{form.format(limit=limit)}\ndecide = "bound"\n'
        [one] = verdicts(judged(run, tmp_path, text))
        assert one.verdict == verdict, one.sentence
        if verdict == "inconclusive":
            assert "is open" in one.sentence


def test_the_error_is_shared_where_a_group_blocks_and_not_where_all_must_pass(
    run: Run, tmp_path: Path
) -> None:
    """Beside single recall gates on a run of each group alone."""
    gate = 'worst_group = { strata = "view", k = 10, min = 0.3 }'
    low, high = bounds_of(run, tmp_path, gate)
    grouping = RunGroups(run.evidence, run.measured.datasets).grouping(
        "d", "view", "image-to-report"
    )
    assert isinstance(grouping, Grouping)
    [outcome] = [one for one in run.measured.outcomes if one.case.level == 0.2]
    ranks = run.evidence.ranks(outcome, "image-to-report")
    assert ranks is not None
    from pytest_retrieval_robust.retrieval.group_bounds import recall_bounds

    hits = (ranks <= 10).astype(np.float64)
    members = [group.members for group in grouping.groups]
    alone = [recall_bounds(hits, each, 0.05) for each in members]
    shared = [recall_bounds(hits, each, 0.05 / 3) for each in members]
    assert low == min(each[0] for each in alone)
    assert high == min(each[1] for each in shared)
    assert high > min(each[1] for each in alone)


@pytest.mark.parametrize(
    "limit",
    [
        'worst_group = { strata = "sex", k = 10, min = 0.05 }',
        'group_gap = { strata = "sex", k = 10, max = 0.9 }',
        'not_worse_than_baseline = { k = 10, margin = 0.3, strata = "sex" }',
    ],
)
def test_a_group_that_is_too_small_is_named_and_never_passes_silently(
    run: Run, theirs: Run, tmp_path: Path, limit: str
) -> None:
    found = {}
    for setting in ("", 'too_small = "ignore"\n', 'inconclusive = "allow"\n'):
        record = judged(run, tmp_path, f"[[gate]]\n{limit}\n{setting}", theirs)
        found[setting] = verdicts(record)
        for one in found[setting]:
            assert "rare (7 queries, 7 patients)" in one.sentence
            assert "fewer than 20 queries, 10 patients or 5 degrees" in one.sentence
    strict, ignoring, allowing = found.values()
    assert {one.verdict for one in strict} == {"inconclusive"}
    assert all(one.objects for one in strict)
    assert {one.verdict for one in ignoring} == {"pass"}
    assert all("which the policy ignores" in one.sentence for one in ignoring)
    assert {one.verdict for one in allowing} == {"inconclusive"}
    assert not any(one.objects for one in allowing)


def test_a_fail_stays_one_beside_a_group_that_is_too_small(
    run: Run, tmp_path: Path
) -> None:
    text = '[[gate]]\nworst_group = { strata = "sex", k = 10, min = 0.99 }\n'
    found = verdicts(judged(run, tmp_path, text))
    assert {one.verdict for one in found} == {"fail"}
    assert all("rare (7 queries" in one.sentence for one in found)


def test_a_merged_group_is_too_small_whatever_its_size(
    run: Run, tmp_path: Path
) -> None:
    [data] = run.measured.datasets
    strata = [dict(stratum) for stratum in data["strata"]]
    place = [stratum["name"] for stratum in strata].index("view")
    groups = [dict(group) for group in strata[place]["groups"]]
    groups[1]["kind"] = "too small"
    strata[place]["groups"] = groups
    merged = replace(run.measured, datasets=({**data, "strata": strata},))
    found = verdicts(judged(Run(merged, run.evidence), tmp_path, FLOOR))
    assert {one.verdict for one in found} == {"inconclusive"}
    assert all(
        "merged groups (100 queries, 100 patients)" in one.sentence for one in found
    )


@pytest.mark.parametrize("stratum", ["view", "sex", "missing"])
def test_a_floor_of_0_takes_the_gate_away_whatever_the_groups_are(
    run: Run, tmp_path: Path, stratum: str
) -> None:
    text = (
        '[[gate]]\nworst_group = {{ strata = "{0}", k = 10, min = 0.9 }}\n'
        '[[gate]]\nlevel = 0.4\nworst_group = {{ strata = "{0}", k = 10, min = 0 }}\n'
    )
    found = verdicts(judged(run, tmp_path, text.format(stratum)))
    assert [one.verdict for one in found if one.case.level == 0.4] == ["ungated"]
    assert all(one.objects for one in found if one.case.level < 0.4)


def test_groups_that_are_all_too_small_never_pass(tmp_path: Path) -> None:
    small = make_run(tmp_path / "run", 30, strata={"view": ["a", "b"] * 15}).run
    text = f'{FLOOR}too_small = "ignore"\ninconclusive = "allow"\n'
    found = verdicts(judged(small, tmp_path, text))
    assert {one.verdict for one in found} == {"inconclusive"}
    assert all(one.observed is None and one.objects for one in found)
    assert "every group is too small to be judged" in found[0].sentence


def test_a_gap_takes_two_groups(tmp_path: Path) -> None:
    text = '[[gate]]\ngroup_gap = { strata = "one", k = 10, max = 0.5 }\n'
    alone = make_run(tmp_path / "run", 60, strata={"one": ["all"] * 60}).run
    [first, *_] = verdicts(judged(alone, tmp_path, text))
    assert first.verdict == "inconclusive"
    assert (
        "a gap takes two groups, and all (60 queries, 60 patients) is the only one."
        in first.sentence
    )


@pytest.mark.parametrize(
    ("stratum", "words"),
    [
        (
            "age",
            "d was measured without the stratum age, with view, sex: name it among",
        ),
        ("View", "d was measured without the stratum View, with view, sex"),
    ],
)
def test_a_stratum_that_the_data_has_not_is_said_and_never_passes(
    run: Run, tmp_path: Path, stratum: str, words: str
) -> None:
    text = (
        f'{FLOOR.replace("view", stratum)}inconclusive = "allow"\n'
        'too_small = "ignore"\n'
    )
    found = verdicts(judged(run, tmp_path, text))
    assert len(found) == 3
    assert all(one.objects and words in one.sentence for one in found)


def test_a_run_without_strata_says_how_to_measure_them(tmp_path: Path) -> None:
    plain = make_run(tmp_path / "run", 60).run
    [first, *_] = verdicts(judged(plain, tmp_path, FLOOR))
    assert first.verdict == "inconclusive"
    assert (
        "d was measured without strata: name them among its options" in first.sentence
    )
    assert 'strata = ["view"]' in first.sentence


def test_a_floor_that_chance_reaches_in_every_group_is_no_gate(
    tmp_path: Path,
) -> None:
    few = make_run(tmp_path / "run", 60, ks=(1, 59), strata={"view": ["a", "b"] * 30})
    text = '[[gate]]\nworst_group = { strata = "view", k = 59, min = 0.5 }\n'
    found = verdicts(judged(few.run, tmp_path, text))
    assert {one.verdict for one in found} == {"inconclusive"}
    assert "cannot fail" in found[0].sentence


def test_a_model_at_chance_has_no_gap_to_see(tmp_path: Path) -> None:
    blind = make_run(
        tmp_path / "run", 200, floor=60, strata={"view": ["a", "b"] * 100}
    ).run
    text = '[[gate]]\ngroup_gap = { strata = "view", k = 10, max = 0.5 }\n'
    found = verdicts(judged(blind, tmp_path, text))
    assert all(one.verdict == "inconclusive" for one in found)
    assert "no better than chance there" in found[0].sentence


# Beside a baseline


@pytest.mark.parametrize("over", ["levels", "cells"])
def test_no_group_may_lose_more_than_the_margin(
    theirs: Run, tmp_path: Path, over: str
) -> None:
    """Each group beside the gate on its own queries: pass where all do, fail where any does."""
    mine = made(tmp_path / "mine", shift=40).run
    limit = f'k = 10, margin = 0.05, over = "{over}"'
    text = f'[[gate]]\nlevel = 0.4\nnot_worse_than_baseline = {{ {limit}, strata = "view" }}\n'
    [verdict] = verdicts(judged(mine, tmp_path, text, theirs))
    comparison = Comparison(Pairing(mine, theirs))
    grouping = comparison.grouping("d", "view", "image-to-report")
    assert isinstance(grouping, Grouping)
    [curve] = mine.measured.curves
    outcomes = curve.outcomes[-1:] if over == "cells" else curve.outcomes
    hits = comparison.paired_hits(outcomes, "image-to-report", 10)
    assert hits is not None
    planned = 1
    ends = []
    for group in grouping.groups:
        own = hits_of_group(hits, group)
        errors = Errors(0.05, planned * 3)
        if over == "cells":
            ends.append(own.of_recall(errors))
        else:
            ends.append(own.over_levels("recall", curve.levels, errors))
    worst = min(ends, key=lambda one: one.value)
    assert verdict.observed == pytest.approx(worst.value)
    assert verdict.bounds == pytest.approx(
        (min(one.passes_at for one in ends), min(one.fails_at for one in ends))
    )
    assert "Recall@10 of the worst group of view, " in verdict.sentence
    assert verdict.gate.is_of_a_cell == (over == "cells")


def test_an_equal_model_passes_and_is_compared_as_a_whole_too(
    run: Run, theirs: Run, tmp_path: Path
) -> None:
    text = (
        "[[gate]]\nnot_worse_than_baseline = [{ k = 10, margin = 0.2 },"
        ' { k = 10, margin = 0.3, strata = "view" }]\n'
    )
    record = judged(run, tmp_path, text, theirs)
    found = [one for one in record.verdicts if one.verdict != "ungated"]
    assert [str(one.gate) for one in found] == [
        "not_worse_than_baseline@10 image-to-report",
        "not_worse_than_baseline@10 by view image-to-report",
    ]
    assert {one.verdict for one in found} == {"pass"}


@pytest.mark.parametrize("metric", ["retention", "half_level"])
def test_a_group_in_which_nothing_is_found_has_nothing_to_lose(
    run: Run, tmp_path: Path, metric: str
) -> None:
    """Chance keeps all of itself: that passes no gate on what is kept."""
    [clean] = [one for one in run.measured.outcomes if one.case.level == 0]
    ranks = run.evidence.ranks(clean, "image-to-report")
    assert ranks is not None
    # Eight hits of some 130 queries are what a random order has by luck.
    lost = np.flatnonzero(ranks > 10)
    views = np.full(QUERIES, "seen", dtype=object)
    views[lost] = "unseen"
    views[np.flatnonzero(ranks <= 10)[:8]] = "unseen"
    mine = made(tmp_path / "mine", views=views.tolist()).run
    theirs = made(tmp_path / "theirs", views=views.tolist()).run
    text = (
        "[[gate]]\nnot_worse_than_baseline ="
        f' {{ k = 10, margin = 0.9, metric = "{metric}", strata = "view" }}\n'
        'inconclusive = "allow"\n'
    )
    [verdict] = verdicts(judged(mine, tmp_path, text, theirs))
    assert verdict.objects
    assert (
        "the model retrieves no better than chance in the group unseen"
        in verdict.sentence
    )


# What would settle it


def test_more_queries_are_those_of_the_group_that_is_open() -> None:
    """The worst of two groups is large and passes; a small one, which is better, does not."""
    hits = np.zeros(2_040)
    hits[:1_000] = 1
    hits[2_000:2_024] = 1
    every = Clusters.of(np.arange(2_040))
    places = (np.arange(2_000), np.arange(2_000, 2_040))
    groups = [
        Group(name, "named", Members(rows, every))
        for name, rows in zip(("large", "small"), places, strict=True)
    ]
    recalls = GroupRecalls(hits, [group.members for group in groups])
    extreme = lowest(recalls, groups, 0.05)
    assert [group.name for group in extreme.groups] == ["large"]
    told = extreme.more_queries(0.48, 0.95)
    assert told is not None
    number, group = told
    # A score interval of a share of 0.6 clears 0.48 with so many queries.
    deviates = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    assert group.name == "small"
    assert number == pytest.approx(deviates**2 * 0.24 / 0.12**2 - 40, rel=0.15)
    # What is beyond the limit fails by itself.
    beyond = extreme.more_queries(0.505, 0.95)
    assert beyond is not None
    assert beyond[1].name == "large"


def test_more_queries_beside_a_baseline_are_those_of_the_open_group() -> None:
    def difference(value: float, error: float, queries: int) -> Difference:
        reach = 1.645 * error
        return Difference(
            0.5 + value, 0.5, value - reach, value + reach, error, queries
        )

    errors = Errors(0.05)
    sure = difference(-0.02, 0.005, 4_000)
    unsure = difference(0.0, 0.06, 100)
    grouping = Grouping("view", (), np.zeros(0, dtype=np.int64), ())
    worst = GroupDifference(
        **vars(sure),
        group=Group("large", "named", Members(np.arange(4), Clusters.of(np.arange(4)))),
        grouping=grouping,
        every=(sure, unsure),
    )
    shared = Errors(0.05, 2)
    told = unsure.queries_until_decided(0.05, shared)
    assert told is not None
    assert worst.queries_until_decided(0.05, errors) == told
    assert worst.queries_until_decided(0.01, errors) == sure.queries_until_decided(
        0.01, shared
    )
    # The groups share the error of the bound that fails.
    assert worst.detectable_loss(0.05, errors) == sure.detectable_loss(0.05, shared)
    assert worst.detectable_loss(0.05, errors) > sure.detectable_loss(0.05, errors)


def test_a_group_that_one_run_lacks_is_said_and_never_passes(
    run: Run, tmp_path: Path
) -> None:
    renamed = ["sitting" if view == "AP" else view for view in VIEWS]
    other = made(tmp_path / "other", views=renamed).run
    for mine, baseline, words in (
        (run, other, "this run has the group AP, which the baseline lacks"),
        (
            run,
            make_run(tmp_path / "none", QUERIES).run,
            "in the baseline d was measured",
        ),
    ):
        [one] = verdicts(judged(mine, tmp_path, NOT_WORSE, baseline))
        assert (one.verdict, one.objects) == ("inconclusive", True)
        assert words in one.sentence
    one_more = [*VIEWS[:50], *["supine"] * 50, *VIEWS[100:]]
    larger = made(tmp_path / "larger", views=one_more).run
    [one] = verdicts(judged(run, tmp_path, NOT_WORSE, larger))
    assert "the baseline has the group supine, which this run lacks" in one.sentence
    assert one.objects


def test_queries_that_changed_their_group_are_said(run: Run, tmp_path: Path) -> None:
    moved = [*VIEWS[1:], VIEWS[0]]
    other = made(tmp_path / "other", views=moved).run
    [one] = verdicts(judged(run, tmp_path, NOT_WORSE, other))
    assert "300 queries are in another group in the baseline" in one.sentence
    assert one.objects


def test_queries_in_another_order_are_the_same_groups(run: Run, tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(QUERIES)
    strata = {
        "view": [VIEWS[place] for place in order],
        "sex": [SEXES[place] for place in order],
    }
    other = make_run(tmp_path / "other", QUERIES, order=order, strata=strata).run
    [one] = verdicts(judged(run, tmp_path, NOT_WORSE, other))
    assert (one.verdict, one.observed) == ("pass", 0.0)


def test_without_a_baseline_they_are_not_judged(run: Run, tmp_path: Path) -> None:
    record = judged(run, tmp_path, NOT_WORSE)
    [one] = verdicts(record)
    assert one.verdict == "ungated"
    assert "1 gate without a baseline" in record.release.line or record.not_judged


# Judged again


def test_a_saved_run_is_judged_as_it_was(tmp_path: Path) -> None:
    mine = made(tmp_path / "mine", shift=40)
    theirs = made(tmp_path / "theirs")
    text = f'{FLOOR}{GAP}{NOT_WORSE}[[gate]]\ndecide = "bound"\n'
    live = judged(mine.run, tmp_path, text, theirs.run)
    again = judged(
        load_run(mine.save(tmp_path / "a")),
        tmp_path,
        text,
        load_run(theirs.save(tmp_path / "b")),
    )
    assert verdicts(again) == verdicts(live)
    assert len(verdicts(live)) == 7


# What is written wrong


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("worst_group = 0.3", 'strata = "view", k = 10, min = 0.3'),
        ('worst_group = { strata = "v", k = 10, max = 0.3 }', "min = 0.3"),
        ('worst_group = { strata = "v", k = 0, min = 0.3 }', "a whole k from 1"),
        ('worst_group = { strata = "v", k = 1, min = 1.3 }', "a min from 0 to 1"),
        (
            'worst_group = { strata = ["v"], k = 1, min = 0.3 }',
            "the name of one stratum",
        ),
        ("worst_group = []", "each strata and k once"),
        (
            'worst_group = [{ strata = "v", k = 1, min = 0.3 },'
            ' { strata = "v", k = 1, min = 0.2 }]',
            "each strata and k once",
        ),
        ('group_gap = { strata = "v", k = 1, max = 1 }', "a max from 0 and below 1"),
        ('group_gap = { strata = "", k = 1, max = 0.1 }', "the name of one stratum"),
        (
            "not_worse_than_baseline = [{ k = 1, margin = 0.1 }, { k = 1, margin = 0.2 }]",
            "each k, over, metric and strata once",
        ),
        (
            "not_worse_than_baseline = { k = 1, margin = 0.1, strata = 3 }",
            "the name of one stratum",
        ),
        ('recall = { 1 = 0.3 }\ntoo_small = "skip"', '"inconclusive" or "ignore"'),
    ],
)
def test_a_wrong_limit_is_refused_with_its_line(
    tmp_path: Path, limit: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, f"[[gate]]\n{limit}\n")
    message = str(caught.value)
    assert expected in message
    assert message.startswith("robust.toml, line ")

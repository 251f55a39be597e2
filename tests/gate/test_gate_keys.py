"""Gates as types, and as the text that `run.json` has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.cases import DIRECTIONS
from pytest_retrieval_robust.core.errors import ArgumentError
from pytest_retrieval_robust.core.verdict import METRICS, OVERS, GateKey, GateKind

KS = st.integers(1, 500)
PAIRED = [kind for kind in GateKind if kind.is_paired]
STRATA = st.sampled_from(["view", "finding:Pleural Effusion", "read by", "cell"])
KEYS = st.one_of(
    st.builds(
        GateKey,
        st.sampled_from(sorted({*GateKind} - {*PAIRED, GateKind.METRIC})),
        st.none() | KS,
        st.none() | st.sampled_from(DIRECTIONS),
    ),
    st.builds(
        GateKey,
        st.sampled_from(PAIRED),
        KS,
        st.none() | st.sampled_from(DIRECTIONS),
        st.sampled_from(OVERS),
        st.sampled_from(METRICS),
        stratum=st.none() | STRATA,
    ),
    st.builds(
        GateKey,
        st.sampled_from([GateKind.WORST_GROUP, GateKind.GROUP_GAP]),
        KS,
        st.none() | st.sampled_from(DIRECTIONS),
        stratum=STRATA,
    ),
    st.builds(
        GateKey,
        st.just(GateKind.COUNTERFACTUAL),
        name=st.sampled_from(["negation", "recall", "neg*", "our own (new)"]),
    ),
    st.builds(
        GateKey,
        st.just(GateKind.METRIC),
        direction=st.none() | st.sampled_from(DIRECTIONS),
        name=st.sampled_from(["mrr", "recall", "hit-rate(k=3)", "ours (new)", "a b"]),
    ),
)


@given(key=KEYS)
def test_a_gate_is_read_back_from_its_text(key: GateKey) -> None:
    assert GateKey.parse(str(key)) == key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (GateKey(GateKind.RECALL, 10, DIRECTIONS[0]), "recall@10 image-to-report"),
        (GateKey(GateKind.SLOPE, 1, DIRECTIONS[1]), "slope@1 report-to-image"),
        (GateKey(GateKind.LATENCY_P95), "latency_p95"),
        (GateKey(GateKind.BREAKING_SHARE, 10), "breaking_share@10"),
        (GateKey(GateKind.COUNTERFACTUAL), "counterfactual"),
        (GateKey(GateKind.COUNTERFACTUAL, name="neg*"), "counterfactual neg*"),
        (GateKey(GateKind.DISTRACTOR_RECALL, 10), "distractor_recall@10"),
        (GateKey(GateKind.ABOVE_CHANCE), "above_chance"),
        (GateKey(GateKind.NONE), "none"),
        (
            GateKey(GateKind.METRIC, direction=DIRECTIONS[1], name="hit-rate(k=3)"),
            "metric hit-rate(k=3) report-to-image",
        ),
        (
            GateKey(GateKind.BASELINE, 10, DIRECTIONS[0], "levels", "recall"),
            "not_worse_than_baseline@10 image-to-report",
        ),
        (
            GateKey(GateKind.BASELINE, 10, DIRECTIONS[0], "cells", "recall"),
            "not_worse_than_baseline@10 cell image-to-report",
        ),
        (
            GateKey(GateKind.BASELINE, 1, DIRECTIONS[1], "cells", "retention"),
            "not_worse_than_baseline@1 retention cell report-to-image",
        ),
    ],
)
def test_the_text_of_a_gate(key: GateKey, text: str) -> None:
    assert str(key) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "recal@10 image-to-report",
        "recall@010 image-to-report",
        "recall@10 cell image-to-report",
        "recall@10 image-to-text",
        "not_worse_than_baseline@10 recall image-to-report",
        "auc@10  image-to-report",
        "metric",
        "metric@10 image-to-report",
    ],
)
def test_text_that_names_no_gate_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="kinds of gates are recall, retention"):
        GateKey.parse(text)


@pytest.mark.parametrize(
    ("key", "of_a_cell", "pooled", "over_levels"),
    [
        (GateKey(GateKind.RECALL, 10), True, False, False),
        (GateKey(GateKind.AUC, 10), False, False, True),
        (GateKey(GateKind.RELATIVE_COST), False, False, False),
        (GateKey(GateKind.LATENCY_P50), False, False, True),
        (GateKey(GateKind.BASELINE, 10, over="cells"), True, False, False),
        (GateKey(GateKind.BASELINE, 10, over="levels"), False, True, True),
    ],
)
def test_a_gate_knows_what_it_judges(
    key: GateKey, of_a_cell: bool, pooled: bool, over_levels: bool
) -> None:
    assert key.is_of_a_cell is of_a_cell
    assert key.is_pooled is pooled
    assert key.is_over_levels is over_levels

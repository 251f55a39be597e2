"""Relevance rules and the ceiling, against definitions written out naively."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust.core.errors import DatasetError
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.datasets.synthetic_cxr.pairing import ceiling, pair

# (findings, wording) of each image: the text is both, and the label is the first letter
# of the findings.
images = st.lists(
    st.tuples(st.sampled_from(["ax", "ay", "b"]), st.integers(0, 2)),
    min_size=1,
    max_size=7,
)
rules = st.sampled_from(["strict-id", "same-text", "same-labels"])


@given(images, rules)
def test_groups_join_what_the_rule_joins(
    pictures: list[tuple[str, int]], rule: str
) -> None:
    texts = [f"{findings} {word}" for findings, word in pictures]
    labels = [findings[0] for findings, _ in pictures]
    pairing = pair(texts, labels, rule)
    reports = [texts[image] for image in pairing.sources]
    assert sorted(reports) == sorted(texts if rule == "strict-id" else set(texts))
    for image, (text, label) in enumerate(zip(texts, labels, strict=True)):
        for report, source in enumerate(pairing.sources):
            same = {
                "strict-id": source == image,
                "same-text": texts[source] == text,
                "same-labels": labels[source] == label,
            }
            assert (
                pairing.image_groups[image] == pairing.report_groups[report]
            ) == same[rule]


@given(images, rules, st.integers(1, 4))
def test_the_ceiling_is_what_the_best_lists_of_answers_reach(
    pictures: list[tuple[str, int]], rule: str, k: int
) -> None:
    texts = [f"{findings} {word}" for findings, word in pictures]
    labels = [findings[0] for findings, _ in pictures]
    pairing = pair(texts, labels, rule)
    findings = [findings for findings, _ in pictures]
    best = 0
    for kind in set(findings):
        groups = [
            pairing.image_groups[image]
            for image in range(len(pictures))
            if findings[image] == kind
        ]
        answers = combinations(
            pairing.report_groups.tolist(), min(k, len(pairing.report_groups))
        )
        best += max(sum(group in answer for group in groups) for answer in answers)
    assert ceiling(findings, pairing.image_groups, k) == pytest.approx(
        best / len(pictures), abs=1e-12
    )


@pytest.mark.parametrize("prevalence", [None, 0.94, 0.65])
def test_a_perfect_reader_that_guesses_the_wording_reaches_the_ceiling(
    prevalence: float | None,
) -> None:
    """Simulated: the score is 1 where the findings are the query's, and chance decides
    among the wordings.
    """
    data = SyntheticCxr(300, prevalence=prevalence)
    numbers = {
        states: number
        for number, states in enumerate(
            dict.fromkeys(study.states for study in data.studies)
        )
    }
    kinds = np.array([numbers[study.states] for study in data.studies])
    same = (kinds[:, None] == kinds).astype(np.float64)
    generator = np.random.default_rng(0)
    repeats = 60
    ranks = []
    for _ in range(repeats):
        scores = same + generator.random(same.shape) / 2
        ranks.append((scores >= scores.diagonal()[:, None]).sum(axis=1))
    for k in (1, 5, 10):
        hits = (np.array(ranks) <= k).mean(axis=1)
        spread = 4 * hits.std() / np.sqrt(repeats) + 1e-12
        assert abs(hits.mean() - data.ceiling(k, "strict-id")) <= spread


def test_published_ceilings() -> None:
    """What the README says; they move with the generator alone."""
    ceilings = {
        share: [SyntheticCxr(prevalence=share).ceiling(k) for k in (1, 5, 10)]
        for share in (None, 0.94, 0.65)
    }
    assert ceilings == {
        None: [1.0, 1.0, 1.0],
        0.94: [0.708, 0.884, 0.95],
        0.65: [0.508, 0.63, 0.666],
    }


def test_reports_as_queries_have_a_ceiling_of_their_own() -> None:
    data = SyntheticCxr(60, prevalence=0.5)
    assert (
        data.ceiling(1, direction="report-to-image")
        <= data.ceiling(5, direction="report-to-image")
        <= 1
    )
    assert (
        data.ceiling(1, "same-labels", "report-to-image")
        == data.ceiling(1, "same-labels")
        == 1.0
    )


@pytest.mark.parametrize(("k", "relevance"), [(0, None), (1, "same-study")])
def test_a_ceiling_of_nothing_known_is_an_error(k: int, relevance: str | None) -> None:
    with pytest.raises(
        DatasetError, match="Expected .* got (k=0|relevance='same-study'); "
    ):
        SyntheticCxr(2).ceiling(k, relevance)

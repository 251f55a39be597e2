"""Which report is right for which image, and what a perfect reader of findings could score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.words import known_word
from .settings import RELEVANCES


@dataclass(frozen=True)
class Pairing:
    """The gallery of reports under a relevance rule, and groups of images and reports."""

    image_groups: NDArray[np.int64]
    """(images,)"""
    report_groups: NDArray[np.int64]
    """(reports,)"""
    sources: NDArray[np.int64]
    """(reports,) the first image to which each report belongs."""


def pair(texts: Sequence[str], labels: Sequence[Hashable], relevance: str) -> Pairing:
    """Join the images by the rule `relevance`.

    `texts` and `labels` hold each image's report and set of labels. `strict-id`: each
    image has its own report alone, even if another says the same. `same-text`:
    identical texts are one report, which is right for all of their images.
    `same-labels`: identical texts are one report too, and every report with an image's
    labels is right for it.
    """
    known_word("relevance", relevance, RELEVANCES)
    if relevance == "strict-id":
        own = np.arange(len(texts), dtype=np.int64)
        return Pairing(own, own, own)
    numbers = _numbers(texts)
    sources = np.unique(numbers, return_index=True)[1].astype(np.int64)
    groups = numbers if relevance == "same-text" else _numbers(labels)
    return Pairing(groups, groups[sources], sources)


def ceiling(
    findings: Sequence[Hashable], groups: Sequence[int] | NDArray[np.int64], k: int
) -> float:
    """The highest Recall@k, 0..1, of a model whose answers follow from findings alone.

    Such a model reads every finding without error but cannot know which wording was
    chosen, so it gives one list of k answers to all queries with the same findings. The
    best list holds one answer of each of the k groups to which most of those queries
    belong: if every query has a group of its own, min(n, k) of n are answered. Equal
    scores, which count against a model, are left out of account.

    >>> ceiling(["normal", "normal", "normal", "nodule"], [0, 1, 2, 3], k=1)
    0.5

    Args:
        findings: For each query what it shows.
        groups: (queries,) group numbers; a gallery item of the query's group is right.
        k: How many answers count, 1 or more.
    """
    # Queries with equal findings get one list of answers: count them by their groups.
    queries_of: dict[Hashable, Counter[int]] = {}
    for finding, group in zip(findings, groups, strict=True):
        queries_of.setdefault(finding, Counter())[int(group)] += 1
    answered = 0
    for queries in queries_of.values():
        answered += sum(count for _, count in queries.most_common(k))
    return answered / len(findings)


def _numbers(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """(keys,) equal numbers for equal keys, counted by first appearance."""
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys], dtype=np.int64)

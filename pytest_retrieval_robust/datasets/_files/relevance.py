"""Which reports are right for which images: the gallery and group numbers of each
relevance rule.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError

MOST_JOINED = 10
"""Images that shared texts may join: more of them are an error where they are also more
than a hundredth of all.
"""


@dataclass(frozen=True)
class Pairing:
    """The gallery, as numbers of the images and captions that it holds, and the groups
    that join it to the images.
    """

    sources: NDArray[np.int64]
    """(reports,) the image whose text each report is."""
    captions: NDArray[np.int64]
    """(reports,) which of that image's texts it is; 0 where each image has one."""
    image_groups: NDArray[np.int64]
    report_groups: NDArray[np.int64]
    joined: int = 0
    """Images that share some of their texts with an image that has others: all their
    texts count as right for both.
    """


def pair(
    rule: str,
    texts: Sequence[Sequence[str]],
    studies: Sequence[str],
    labels: Sequence[frozenset[str]] | None,
    *,
    name: str,
) -> Pairing:
    """Pair n images with the reports that are right for them.

    Args:
        rule: `same-text`: each text is one report, right for all its images (CXR-CLIP's
            evaluator, which collapses equal texts); images that share a text are one
            group. `strict-id`: each text of each image is one report, right for that
            image alone (MedProbCLIP's evaluator; with several captions LAION's
            CLIP_benchmark and the protocol of Karpathy). `same-study`: one report per
            study and text, right for the study's images. `same-labels`: the same
            reports, right for every image of a study with the identical label set
            (MedCLIP's precision counts these).
        texts: n tuples of one or more texts, as they are compared.
        studies: n study ids.
        labels: n label sets, where the data has labels.
        name: The data set, for messages.

    Raises `UnknownNameError` for a rule that is not there; `DatasetError` for
    `same-labels` without labels, and for `same-text` where a few shared texts join so
    many images that nearly every answer would be right.
    """
    if rule not in RULES:
        raise unknown_name("relevance", rule, RULES)
    if rule == "same-labels" and labels is None:
        raise DatasetError(
            f"Expected labels for relevance='same-labels', got none in {name}. Give its"
            " label table, or choose"
            f" {', '.join(other for other in RULES if other != rule)}."
        )
    joined = 0
    groups: Sequence[Hashable]
    if rule == "same-text":
        first_images = _joined_by_texts(texts)
        joined = _count_joined(texts, first_images, name)
        groups = first_images
    else:
        groups = _GROUPS[rule](studies, labels)
    first: dict[Hashable, tuple[int, int]] = {}
    for image, its_texts in enumerate(texts):
        for caption, text in enumerate(its_texts):
            first.setdefault(
                _entry(rule, image, caption, text, studies[image]), (image, caption)
            )
    numbers: dict[Hashable, int] = {}
    image_groups = np.array(
        [numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64
    )
    entries = np.array(list(first.values()), dtype=np.int64).reshape(-1, 2)
    sources, captions = entries[:, 0].copy(), entries[:, 1].copy()
    return Pairing(sources, captions, image_groups, image_groups[sources], joined)


def _entry(rule: str, image: int, caption: int, text: str, study: str) -> Hashable:
    """What makes two texts one report of the gallery."""
    if rule == "same-text":
        return text
    if rule == "strict-id":
        return image, caption
    return study, text


def _joined_by_texts(texts: Sequence[Sequence[str]]) -> list[int]:
    """The first image of each image's group: images that share a text are together,
    with those that these join.
    """
    parent = list(range(len(texts)))

    def root(image: int) -> int:
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    first_with: dict[str, int] = {}
    for image, its_texts in enumerate(texts):
        for text in its_texts:
            one, other = root(first_with.setdefault(text, image)), root(image)
            parent[max(one, other)] = min(one, other)
    return [root(image) for image in range(len(texts))]


def _count_joined(
    texts: Sequence[Sequence[str]], groups: Sequence[int], name: str
) -> int:
    """How many images are in a group with an image of other texts; `DatasetError` where
    such a group is a large one.
    """
    members: dict[int, list[int]] = {}
    for image, group in enumerate(groups):
        members.setdefault(group, []).append(image)
    mixed = [
        images
        for images in members.values()
        if len({frozenset(texts[image]) for image in images}) > 1
    ]
    largest = max((len(images) for images in mixed), default=0)
    if largest > max(MOST_JOINED, len(texts) // 100):
        raise DatasetError(
            f"Expected few images of {name} to share some of their texts, got {largest}"
            f" of {len(texts)} that texts in common join to one group. All texts of the"
            " group would count as right for each of its images. Choose"
            " relevance='strict-id', as published evaluators of several captions do,"
            " or leave the common texts out."
        )
    return sum(len(images) for images in mixed)


_Groups = Callable[[Sequence[str], Sequence[frozenset[str]] | None], Sequence[Hashable]]
_GROUPS: Mapping[str, _Groups] = {
    "strict-id": lambda studies, _: range(len(studies)),
    "same-study": lambda studies, _: studies,
    "same-labels": lambda _, labels: labels or (),
}
RULES = ("same-text", *_GROUPS)

"""Which reports are right for which images: the gallery and groups of each relevance rule."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.catalogue import unknown_name
from ...core.errors import DatasetError

MOST_JOINED = 10
"""Images that shared texts may join.

More of them are an error if they are also more than a hundredth of all.
"""
RULES = ("same-text", "strict-id", "same-study", "same-labels")


@dataclass(frozen=True)
class Pairing:
    """The gallery, as numbers of images and captions, and the groups that join it to images."""

    sources: NDArray[np.int64]
    """(reports,) the image whose text each report is."""
    captions: NDArray[np.int64]
    """(reports,) which of that image's texts it is; 0 if each image has one."""
    image_groups: NDArray[np.int64]
    report_groups: NDArray[np.int64]
    joined: int = 0
    """Images that share some of their texts with an image that has others.

    All their texts count as right for both.
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
        labels: n label sets, if the data has labels.
        name: The data set, for messages.

    Raises `UnknownNameError` for an unknown rule; `DatasetError` for `same-labels` without
    labels, and for `same-text` if a few shared texts join so many images that nearly every
    answer would be right.
    """
    if rule not in RULES:
        raise unknown_name("relevance", rule, RULES)
    joined = 0
    groups: Sequence[Hashable]
    if rule == "same-text":
        first_images = _joined_by_texts(texts)
        joined = _count_joined(texts, first_images, name)
        groups = first_images
    elif rule == "strict-id":
        groups = range(len(studies))
    elif rule == "same-study":
        groups = studies
    else:
        groups = _label_groups(labels, name)

    # Groups are numbered in the order of their first images.
    numbers: dict[Hashable, int] = {}
    image_numbers = [numbers.setdefault(group, len(numbers)) for group in groups]
    image_groups = np.array(image_numbers, dtype=np.int64)
    gallery = _gallery(rule, texts, studies)
    sources = gallery[:, 0].copy()
    captions = gallery[:, 1].copy()
    return Pairing(sources, captions, image_groups, image_groups[sources], joined)


def _label_groups(
    labels: Sequence[frozenset[str]] | None, name: str
) -> Sequence[Hashable]:
    if labels is None:
        other_rules = ", ".join(rule for rule in RULES if rule != "same-labels")
        raise DatasetError(
            f"Expected labels for relevance='same-labels', got none in {name}. Give its"
            f" label table, or choose {other_rules}."
        )
    return labels


def _gallery(
    rule: str, texts: Sequence[Sequence[str]], studies: Sequence[str]
) -> NDArray[np.int64]:
    """(reports, 2) image and caption of each report: the first ones that have it."""
    first: dict[Hashable, tuple[int, int]] = {}
    for image, image_texts in enumerate(texts):
        for caption, text in enumerate(image_texts):
            # What makes two texts one report of the gallery.
            report: Hashable
            if rule == "same-text":
                report = text
            elif rule == "strict-id":
                report = (image, caption)
            else:
                report = (studies[image], text)
            first.setdefault(report, (image, caption))
    return np.array(list(first.values()), dtype=np.int64).reshape(-1, 2)


def _joined_by_texts(texts: Sequence[Sequence[str]]) -> list[int]:
    """The first image of each image's group.

    Images that share a text are together, with those that these join: a union-find
    whose roots are the smallest numbers.
    """
    parent = list(range(len(texts)))

    def root_of(image: int) -> int:
        while parent[image] != image:
            # Halving the path keeps later searches short.
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    first_image_of: dict[str, int] = {}
    for image, image_texts in enumerate(texts):
        for text in image_texts:
            earlier_root = root_of(first_image_of.setdefault(text, image))
            root = root_of(image)
            parent[max(earlier_root, root)] = min(earlier_root, root)
    return [root_of(image) for image in range(len(texts))]


def _count_joined(
    texts: Sequence[Sequence[str]], groups: Sequence[int], name: str
) -> int:
    """How many images are in a group with an image of other texts.

    Raises `DatasetError` if such a group is a large one.
    """
    members: dict[int, list[int]] = {}
    for image, group in enumerate(groups):
        members.setdefault(group, []).append(image)
    mixed_sizes = [
        len(images) for images in members.values() if _have_other_texts(images, texts)
    ]
    largest = max(mixed_sizes, default=0)
    if largest > max(MOST_JOINED, len(texts) // 100):
        raise DatasetError(
            f"Expected few images of {name} to share some of their texts, got {largest}"
            f" of {len(texts)} that texts in common join to one group. All texts of the"
            " group would count as right for each of its images. Choose"
            " relevance='strict-id', as published evaluators of several captions do,"
            " or leave the common texts out."
        )
    return sum(mixed_sizes)


def _have_other_texts(images: Sequence[int], texts: Sequence[Sequence[str]]) -> bool:
    return len({frozenset(texts[image]) for image in images}) > 1

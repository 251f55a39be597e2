"""Which reports are right for which images: the gallery and group numbers of each relevance rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..catalogue import unknown_name
from ..errors import DatasetError


@dataclass(frozen=True)
class Pairing:
    """The gallery, as numbers of the images whose texts it holds, and the groups that join it to the images."""

    sources: NDArray[np.int64]
    """(reports,) the image whose text each report is."""
    image_groups: NDArray[np.int64]
    report_groups: NDArray[np.int64]


def pair(
    rule: str,
    texts: Sequence[str],
    studies: Sequence[str],
    labels: Sequence[frozenset[str]] | None,
    *,
    name: str,
) -> Pairing:
    """Pair n images with the reports that are right for them.

    Args:
        rule: `same-text`: each text is one report, right for all its images (CXR-CLIP's evaluator, which collapses
            equal texts). `strict-id`: one report an image, right for it alone (MedProbCLIP's evaluator). `same-study`:
            one report a study, right for its images. `same-labels`: one report a study, right for every image of a
            study with the identical label set (MedCLIP's precision counts these).
        texts: n texts, as they are compared.
        studies: n study ids.
        labels: n label sets, where the data has labels.
        name: The data set, for messages.

    Raises `UnknownNameError` for a rule that is not there, `DatasetError` for `same-labels` without labels.
    """
    if rule not in _KEYS:
        raise unknown_name("relevance", rule, _KEYS)
    if rule == "same-labels" and labels is None:
        raise DatasetError(
            f"Expected labels for relevance='same-labels', got none in {name}. Give its label table, or choose "
            f"{', '.join(other for other in _KEYS if other != rule)}."
        )
    entry_of, group_of = _KEYS[rule]
    images = range(len(texts))
    first: dict[object, int] = {}
    for image in images:
        first.setdefault(entry_of(image, texts, studies), image)
    groups: dict[object, int] = {}
    image_groups = np.array(
        [groups.setdefault(group_of(image, texts, studies, labels), len(groups)) for image in images], dtype=np.int64
    )
    sources = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    return Pairing(sources, image_groups, image_groups[sources])


_Entry = Callable[[int, Sequence[str], Sequence[str]], object]
_Group = Callable[[int, Sequence[str], Sequence[str], Sequence[frozenset[str]] | None], object]
_KEYS: Mapping[str, tuple[_Entry, _Group]] = {
    "same-text": (lambda i, texts, _: texts[i], lambda i, texts, _, __: texts[i]),
    "strict-id": (lambda i, _, __: i, lambda i, _, __, ___: i),
    "same-study": (lambda i, _, studies: studies[i], lambda i, _, studies, __: studies[i]),
    "same-labels": (lambda i, _, studies: studies[i], lambda i, _, __, labels: (labels or ())[i]),
}
RULES = tuple(_KEYS)

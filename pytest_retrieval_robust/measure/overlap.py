"""What two data sets have in common, such as the test and the training split of one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from ..core.words import counted
from .alike import alike
from .image_checks import CheckedImage, look_at

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset

_OWN = "\0"
"""How the name begins that a reader gives to a patient whom the data does not name."""


def shared_lines(
    dataset: RetrievalDataset, other: RetrievalDataset, *, images: bool
) -> Iterator[str]:
    """Lines about patients, texts and, if `images`, pictures that are in both.

    Patients are the same if both data sets call them by the same word.
    """
    yield f"  also in {other.name} (split {other.split}):"
    patients = _named(dataset.patients) & _named(other.patients)
    yield f"    {counted(len(patients), 'patient')} by name"
    texts = set(dataset.reports) & set(other.reports)
    yield f"    {counted(len(texts), 'text')}, word for word"
    if not images:
        return
    ours = list(look_at(dataset).images.values())
    theirs = list(look_at(other).images.values())
    known = {image.digest for image in theirs}
    same = sum(image.digest in known for image in ours)
    yield f"    {counted(same, 'image')}, pixel for pixel"
    nearly = [image for image in ours if image.digest not in known]
    count = _count_alike(nearly, theirs)
    yield f"    {counted(count, 'image')} more, nearly the same"


def _named(patients: Collection[str]) -> set[str]:
    return {patient for patient in patients if not patient.startswith(_OWN)}


def _count_alike(ours: Sequence[CheckedImage], theirs: Sequence[CheckedImage]) -> int:
    """How many of our images are like one of theirs."""
    our_levels = [image.levels for image in ours if image.levels is not None]
    their_levels = [image.levels for image in theirs if image.levels is not None]
    groups = alike([*our_levels, *their_levels]).tolist()
    known = set(groups[len(our_levels) :])
    return sum(group in known for group in groups[: len(our_levels)])

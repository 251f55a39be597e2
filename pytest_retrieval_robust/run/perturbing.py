"""What the shipped suite's properties of corruptions and text noise need of a model on a
data set.

What tests are given here prints as names and numbers alone: an example of a failure
must hold no id and no report of a patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from ..measure.counterfactual.sources import edits_of, has_edits
from ..measure.timing.rounds import prepare_batch
from ..models import similarity_of
from ..retrieval.binomial import binomial_upper_tail
from ..retrieval.ranking import Duels, right_wins
from .harm import (
    ADVICE,
    ADVICE_BY_FILM,
    FILMS,
    LEAST_FILMS,
    fall_of,
    rises_by_film,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..corruptions import Corruption
    from ..measure.pairs import Pairs
    from ..measure.timing.rounds import TimedBatch
    from ..texts.noise import TextNoise
    from .properties import Subject

_FILMS = 100
"""Images among which those with a sided report are sought."""
_CHANCE = 0.01
"""How often a model that does not see sides may be called one that sees the wrong ones."""


class Corrupting:
    """A corruption of a data set's first images, as a model is given them."""

    IMAGES = 4

    def __init__(self, subject: Subject, corruption: Corruption) -> None:
        self._subject = subject
        self._corruption = corruption
        self._batch = prepare_batch(subject.model, subject.dataset, self.IMAGES)

    def __repr__(self) -> str:
        return f"{self._corruption.name} for {self._subject!r}"

    @property
    def pixels(self) -> torch.Tensor:
        """(B, 3, S, S): the images as they are; B is less than `IMAGES` in a small data set."""
        return self._batch.pixels

    def corrupted(self, severity: float, seed: int) -> torch.Tensor:
        """(B, 3, S, S): all images, as a sweep changes them."""
        return self._changed(self._batch, severity, seed)

    def corrupted_beside(
        self, numbers: Sequence[int], severity: float, seed: int
    ) -> torch.Tensor:
        """The images of these numbers, taken modulo B, as a batch of their own."""
        batch = self._batch
        chosen = [number % len(batch.ids) for number in numbers]
        return self._corruption.corrupt(
            batch.pixels[chosen],
            [batch.ids[number] for number in chosen],
            severity,
            seed,
            [batch.frames[number] for number in chosen],
        )

    def require_no_less_harm(self, severities: Sequence[float], seed: int) -> None:
        """Fail where an image is nearer to itself at the higher of two severities; for a
        corruption with `rises_by_film = False`, where 16 images are in their mean, by more
        than a quarter. Skips the test where there are fewer than 8 for such a mean.
        """
        __tracebackhide__ = True
        low, high = sorted(severities)
        by_film = rises_by_film(self._corruption)
        batch = self._batch if by_film else self._films
        fall = fall_of(
            self._distances(batch, low, seed),
            self._distances(batch, high, seed),
            by_film=by_film,
        )
        images = "an image" if by_film else f"{len(batch.ids)} images"
        assert fall is None, (
            f"Expected no smaller mean distance of {images} to the clean pixels at a"
            f" higher severity, got {fall.more:.6f} at severity={high:g} and {fall.less:.6f} at"
            f" severity={low:g} with seed={seed}."
            f" {ADVICE_BY_FILM if by_film else ADVICE}"
        )

    @cached_property
    def _films(self) -> TimedBatch:
        """As many images as a mean needs."""
        batch = prepare_batch(self._subject.model, self._subject.dataset, FILMS)
        if len(batch.ids) < LEAST_FILMS:
            pytest.skip(
                f"{self._corruption.name} may bring a single image nearer to itself, and"
                f" {self._subject.dataset.name} has {len(batch.ids)} images: at least"
                f" {LEAST_FILMS} are needed for a mean"
            )
        return batch

    def _changed(self, batch: TimedBatch, severity: float, seed: int) -> torch.Tensor:
        bound = self._corruption.bind(batch.scene)
        return bound.corrupt(batch.pixels, batch.ids, severity, seed, batch.frames)

    def _distances(self, batch: TimedBatch, severity: float, seed: int) -> list[float]:
        """For each image the mean absolute difference from itself, on the 0..1 scale."""
        changed = self._changed(batch, severity, seed).double()
        difference = (changed - batch.pixels.double()).abs()
        distances: list[float] = difference.mean(dim=(1, 2, 3)).tolist()
        return distances


class Noising:
    """A text noise of a data set's reports."""

    def __init__(self, subject: Subject, noise: TextNoise) -> None:
        self._subject = subject
        self._noise = noise

    def __repr__(self) -> str:
        return f"{self._noise.name} for {self._subject!r}"

    def changes_nothing(self, severity: float, seed: int) -> bool:
        """Whether all reports are as they were."""
        texts = self._subject.texts
        return self._noise.apply(texts, severity, seed) == texts

    def depends_on_neighbours(self, severity: float, seed: int) -> bool:
        """Whether a report alone is written otherwise than among the others, or the second
        time otherwise than the first.
        """
        texts = self._subject.texts
        together = self._noise.apply(texts, severity, seed)
        alone = [self._noise.apply([text], severity, seed) for text in texts]
        return [[text] for text in together] != alone

    def empty_reports(self, severity: float, seed: int) -> int:
        """How many reports became blank: nothing but white space. Those that were blank
        before count not. `___` alone is something: it is what a truncated report with a
        hidden age begins with.
        """
        texts = self._subject.texts
        noised = self._noise.apply(texts, severity, seed)
        pairs = zip(texts, noised, strict=True)
        return sum(bool(text.strip()) and not new.strip() for text, new in pairs)


@dataclass(frozen=True, eq=False, repr=False)
class _SidedFilms:
    """(P,) places of images, of their reports, and the reports with the other side."""

    images: NDArray[np.int64]
    reports: NDArray[np.int64]
    edited: Sequence[str]


class Sides:
    """Whether a model reads the sides of a data set's first images: how often an image's
    own report beats the same report with right and left of a finding swapped.
    """

    def __init__(self, subject: Subject) -> None:
        """Skips the test where no report has an edit of its side."""
        self._subject = subject
        if not has_edits(subject.dataset):
            pytest.skip(f"{subject.dataset.name} has no edits of its reports")
        self._batch = prepare_batch(subject.model, subject.dataset, _FILMS)
        films = _sided_films(self._batch.pairs)
        if not films.edited:
            pytest.skip(f"no report of {subject.dataset.name} has an edit of its side")
        self._films = films
        self._edited = subject.encode_reports(films.edited)

    def __repr__(self) -> str:
        return f"sides of {len(self._films.edited)} images for {self._subject!r}"

    def own_wins(self, corruption: Corruption | None = None) -> NDArray[np.bool_]:
        """(P,) whether the own report beats that with the other side. A tie is lost."""
        batch, films = self._batch, self._films
        pixels = batch.pixels
        if corruption is not None:
            pixels = corruption.corrupt(pixels, batch.ids, 1.0, 0, batch.frames)
        places = np.arange(len(films.edited))
        return right_wins(
            self._subject.encode_images(pixels[films.images]),
            batch.scene.setting.reports,
            self._edited,
            Duels(places, films.reports, places),
            similarity=similarity_of(self._subject.model),
        )

    def require_other_side(self, mirror: Corruption) -> None:
        """Fail where mirrored images prefer the other side less often than they did."""
        __tracebackhide__ = True
        before = self.own_wins()
        after = self.own_wins(mirror)
        wrong = int((after & ~before).sum())
        changed = int((after != before).sum())
        is_chance = binomial_upper_tail(wrong, changed, 0.5) >= _CHANCE
        assert is_chance, (
            "Expected mirrored images to prefer the report with the other side at least"
            f" as often as the images themselves, got {int((~after).sum())} of"
            f" {len(after)} mirrored and {int((~before).sum())} as they are. Look for a"
            " flip in the preprocessing, or in the training without one of the texts."
        )


def _sided_films(pairs: Pairs) -> _SidedFilms:
    """One edit of a side for each image that has some."""
    place_of_report = {int(number): place for place, number in enumerate(pairs.reports)}
    image_of_group = {
        int(group): place for place, group in enumerate(pairs.image_groups)
    }
    chosen: dict[int, tuple[int, str]] = {}
    for edit in edits_of(pairs.dataset).edits:
        place = place_of_report.get(edit.report)
        if edit.kind == "side" and place is not None:
            image = image_of_group[int(pairs.report_groups[place])]
            chosen.setdefault(image, (place, edit.text))
    return _SidedFilms(
        images=np.array([*chosen], dtype=np.int64),
        reports=np.array([place for place, _ in chosen.values()], dtype=np.int64),
        edited=[text for _, text in chosen.values()],
    )

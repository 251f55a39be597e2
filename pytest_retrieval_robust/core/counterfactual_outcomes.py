"""What was measured with edited reports: whether an image's own report beats its edits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from .cases import CLEAN, Case, Family, canonical_level, level_word
from .codec import ByK, Count, Share, Written
from .errors import ArgumentError, NotMeasuredError
from .words import close_words, counted, did_you_mean, measured_k

ALL_KINDS = "all"
"""The kind of a win share over the edits of all kinds."""


@dataclass(frozen=True)
class WinShare(Written):
    """How often an image's own report scores higher than an edit of it.

    Every edit of a right report of an image is one comparison. The share is the mean of
    an image's comparisons, averaged over the images that have one. A tie is lost, and a
    coin would reach 0.5.
    """

    kind: str
    """The kind of the edits; `all` for those of every kind together."""
    edits: Count
    """Different edits."""
    comparisons: Count
    """Pairs of an image and an edit."""
    images: Count
    """Images with a comparison."""
    share: Share
    interval: tuple[Share, Share]
    """95 %, over patients."""
    effective: float
    """How many independent images the share is worth: bounds of any other confidence are
    Wilson's for `share` of so many, as far out as the degrees of freedom ask.
    """
    patients: Count | None = None
    """Of how many patients the images are; None where no patient repeats, and in the files
    of earlier versions.
    """
    degrees_of_freedom: float | None = None
    """Of the variance over these patients; None as above."""


@dataclass(frozen=True)
class DistractorRecall(Written):
    """Recall@k image-to-report with the edits of all reports added to the gallery.

    The design is that of RoCOCO (S. Park et al., ECCV 2024). Shares are in [0, 1].
    """

    queries: Count
    distractors: Count
    """Different texts that were added: an edit that equals a report of the gallery is none."""
    gallery: Count
    """Reports and distractors."""
    recall: ByK[Share]
    recall_interval: ByK[tuple[Share, Share]]
    """95 %, over patients."""
    without_edits: ByK[Share]
    """Recall@k of the same images among the reports alone."""
    chance: ByK[Share]
    effective: ByK[float]
    """How many independent images the recall is worth."""
    patients: Count | None = None
    """Of how many patients the images are; None where no patient repeats, and in the files
    of earlier versions.
    """
    degrees_of_freedom: float | None = None
    """Of the variance over these patients; None as above."""


def degrees_of_freedom(of: WinShare | DistractorRecall) -> float:
    """Those of its bounds: inf where no patient repeats."""
    return math.inf if of.degrees_of_freedom is None else of.degrees_of_freedom


@dataclass(frozen=True, repr=False)
class CounterfactualOutcome(Written):
    """What was measured with edited reports in one cell. It holds no text."""

    case: Case
    """With the occluder `none` where nothing is done to the images."""
    source: str
    """Where the edits are from: `exact`, `table` or `rules`."""
    reports: Count
    """Reports that were evaluated."""
    edited: Count
    """Reports with an edit that counts. The others count nowhere."""
    edits: Count
    """Edits that count."""
    left_out: Count
    """Edits that were left out, because an image's right reports hold the same text."""
    unseen: Count
    """Edits whose embedding is that of their report: the model does not see what was edited,
    so that every comparison is a tie, and lost.
    """
    overall: WinShare | None
    """Over all kinds; None where no report has an edit."""
    kinds: tuple[WinShare, ...]
    """One for each kind that has edits."""
    with_distractors: DistractorRecall

    def __repr__(self) -> str:
        share = "no edits" if self.overall is None else f"{self.overall.share:.3f} won"
        return f"<CounterfactualOutcome {self.case}: {share}>"

    @property
    def without_edit(self) -> int:
        """Reports in which nothing could be edited."""
        return self.reports - self.edited

    def win_share(self, kind: str = ALL_KINDS) -> WinShare:
        """The win share of one kind of edits, or over all kinds.

        Raises:
            NotMeasuredError: The data has no edits of that kind.
        """
        shares = {share.kind: share for share in self.kinds}
        if self.overall is not None:
            shares[ALL_KINDS] = self.overall
        if kind in shares:
            return shares[kind]
        listed = ", ".join(shares) or "none"
        question = did_you_mean(close_words(str(kind), shares))
        message = (
            f"Expected a kind of edits that this data has ({listed}), got kind={kind!r}."
            f" {question}"
        )
        raise NotMeasuredError(message.rstrip())

    def recall(self, k: int) -> float:
        """Recall@k image-to-report with all edits in the gallery, in [0, 1].

        Raises:
            NotMeasuredError: That k was not measured.
        """
        recalls = self.with_distractors.recall
        return recalls[measured_k(k, recalls)]


@dataclass(frozen=True, repr=False)
class Counterfactuals(Sequence[CounterfactualOutcome]):
    """The outcomes of a model on a data set, that with nothing done to images first."""

    outcomes: tuple[CounterfactualOutcome, ...]

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise ArgumentError(
                "Expected at least one outcome, got outcomes=(). Give that of the clean"
                " images."
            )

    def __repr__(self) -> str:
        return f"<Counterfactuals {self.clean!r}, {counted(len(self), 'cell')}>"

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[CounterfactualOutcome]:
        return iter(self.outcomes)

    @overload
    def __getitem__(self, index: int) -> CounterfactualOutcome: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[CounterfactualOutcome, ...]: ...
    def __getitem__(
        self, index: int | slice
    ) -> CounterfactualOutcome | tuple[CounterfactualOutcome, ...]:
        return self.outcomes[index]

    @property
    def clean(self) -> CounterfactualOutcome:
        """The outcome with nothing done to the images."""
        return self.outcomes[0]

    def at(
        self, name: str, level: float, seed: int = 0, family: Family = "occlusion"
    ) -> CounterfactualOutcome:
        """The outcome of one cell: an occluder's or corruption's name, and its level.

        Raises:
            NotMeasuredError: That cell was not measured.
        """
        if level == 0:
            return self.clean
        case = replace(
            self.clean.case,
            occluder=name,
            level=canonical_level(level),
            seed=seed,
            family=family,
        )
        for outcome in self.outcomes:
            if outcome.case == case:
                return outcome
        raise NotMeasuredError(
            f"Expected a cell that was measured, got {name} at {level_word(family)}"
            f" {level:g}, seed={seed}. Measure it with that occluder or corruption, level"
            " and seed."
        )


def clean_case(model: str, dataset: str) -> Case:
    """The case of an outcome with nothing done to the images."""
    return Case(model, dataset, CLEAN.occluder, CLEAN.level, CLEAN.seed)

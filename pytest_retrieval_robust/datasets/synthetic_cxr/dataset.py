"""The data set: pairs of a drawn radiograph and its report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import count, islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.cases import DIRECTIONS
from ...core.counterfactuals import EditedReports
from ...core.errors import DatasetError
from ...core.fresh import gives_new_memory
from ...core.plain_text import facts_as_html
from ...core.strata import SMALLEST_GROUP, Stratification
from ...core.words import counted, known_word
from .._files.strata_names import strata_names
from .edits import edit_reports
from .labels import (
    label_matrix,
    label_names,
    label_set,
)
from .masks import masks
from .pairing import (
    Pairing,
    ceiling,
    pair,
)
from .render import render
from .reports import write_report
from .settings import (
    FAMILY,
    RELEVANCES,
    CxrSettings,
)
from .strata import require_strata, stratify
from .studies import NORMAL, Study, draw

# Part of every fingerprint: raise it whenever a picture or a report comes out differently.
GENERATOR_VERSION = 3
SEEDS = {"train": 20_230, "test": 71_993}
_KEPT_PIXELS = 1 << 26
"""Drawn pictures are kept in memory up to this many bytes."""
_QUICK = 2000
"""Up to so many pairs the reports are counted for a representation."""


class SyntheticCxr:
    """`pairs` radiographs of a split, drawn on demand, with their reports.

    Args:
        pairs: How many images, 1 to 100,000; fewer are always the first of more.
        size: Pixels of each side, or (rows, columns), each 64 to 1024; the same studies
            at every size.
        split: `test` or `train`: no combination of findings and no text is in both. The
            one exception is the normal combination, which is a training one: a test
            split has it if `prevalence` asks for normal studies, in texts and bodies
            that training does not have.
        prevalence: None: one pair for each combination of findings, none of them twice.
            Else the share of abnormal studies, 0 to 1: of the first n pairs round(n *
            prevalence) have findings or devices, as drawn, so combinations may repeat;
            all others are normal.
        relevance: Which report is right for an image. `same-text`: identical texts are
            one report, right for all of their images. `strict-id`: only the image's
            own. `same-labels`: every one with the same set of labels.
        labels: `sided` (`effusion right`) or `unsided` (`effusion`): what labels tell apart.
        strata: What groups of images and reports are told apart by: `finding`,
            `finding:LABEL`, `side`, `device`, `length`. It changes no number of a run.
        smallest_group: Groups of fewer images are merged into one (1 or more).

    Raises:
        DatasetError: A choice is out of range.
        UnknownNameError: A stratum is none of these.
    """

    def __init__(
        self,
        pairs: int = 500,
        size: int | tuple[int, int] = 224,
        split: str = "test",
        prevalence: float | None = None,
        relevance: str = "same-text",
        labels: str = "sided",
        strata: Sequence[str] | str = (),
        smallest_group: int = SMALLEST_GROUP,
    ) -> None:
        self.smallest_group = smallest_group
        self._strata = strata_names(strata)
        require_strata(self._strata)
        self.settings = CxrSettings(pairs, size, split, prevalence, relevance, labels)
        studies = _studies(split, prevalence)
        self.studies = tuple(islice(studies, pairs))
        # Every model of a run asks for the same pictures again.
        kept_images = _KEPT_PIXELS // math.prod(self.settings.shape)
        self._drawn = lru_cache(maxsize=kept_images)(self._draw)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def split(self) -> str:
        return self.settings.split

    @property
    def text(self) -> str:
        return "findings+impression"

    @property
    def relevance(self) -> str:
        return self.settings.relevance

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """One id per image, such as `synthetic-cxr-test-0007`."""
        numbers = range(len(self.studies))
        return tuple(f"{FAMILY}-{self.split}-{number:04d}" for number in numbers)

    @cached_property
    def reports(self) -> tuple[str, ...]:
        """The gallery of reports; each text once, unless the relevance is `strict-id`."""
        return tuple(self._texts[image] for image in self._pairing.sources)

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """One patient per image."""
        return tuple(f"patient-{study.seed}-{study.index}" for study in self.studies)

    @property
    def image_groups(self) -> NDArray[np.int64]:
        """(images,) group numbers."""
        return self._pairing.image_groups

    @property
    def report_groups(self) -> NDArray[np.int64]:
        """(reports,) group numbers."""
        return self._pairing.report_groups

    @property
    def label_names(self) -> tuple[str, ...]:
        """The columns of the label matrices."""
        return label_names(self.settings.labels)

    @cached_property
    def label_matrix(self) -> NDArray[np.bool_]:
        """(images, labels) what each image shows; a normal one has no label."""
        return label_matrix(self.studies, self.settings.labels)

    @cached_property
    def report_label_matrix(self) -> NDArray[np.bool_]:
        """(reports, labels) what each report says."""
        return self.label_matrix[self._pairing.sources]

    @cached_property
    def stratifications(self) -> tuple[Stratification, ...]:
        """The strata that were chosen, in their order."""
        # By equal texts, under every rule: equal labels join images and reports of others.
        own = self._pairing
        if self.relevance == "same-labels":
            own = pair(self._texts, self._label_sets, "same-text")
        return tuple(
            stratify(
                name, self.studies, self.reports, own.image_groups, own.report_groups
            )
            for name in self._strata
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the generator's version, choices, ids, reports, groups, labels."""
        pairing = self._pairing
        arrays = (
            pairing.image_groups,
            pairing.report_groups,
            np.packbits(self.label_matrix),
        )
        parts = (
            f"version {GENERATOR_VERSION}",
            repr(self.settings),
            *self.image_ids,
            *self.reports,
            *self.label_names,
            *(str(array.tolist()) for array in arrays),
        )
        return sha256("\n".join(parts).encode()).hexdigest()

    def content_digest(self, index: int) -> bytes:
        """32 bytes that follow from the generator's version, the choices and the image.

        Nothing is drawn for them.
        """
        return sha256(f"{self.fingerprint} {index}".encode()).digest()

    def edited_reports(self) -> EditedReports:
        """Each report with one thing changed that the study shows, so that it is wrong.

        Exact: made from the findings, in the words of the report. Kinds: negation, side,
        size, zone, severity, device, finding. The reports compare nothing with an
        earlier film, so that no edit is of the kind `change`. With the relevance
        `same-labels` an edit changes the labels: sizes and zones are then no errors.
        """
        studies = [self.studies[image] for image in self._pairing.sources]
        groups = self.report_groups.tolist()
        labels_of = self._labels_of if self.relevance == "same-labels" else None
        return edit_reports(studies, self.reports, groups, labels_of)

    @gives_new_memory
    def image(self, index: int) -> Image.Image:
        """The radiograph `index` (0..images - 1), mode `L`; safe to call from several threads."""
        return self._drawn(index).copy()

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Where things are in the radiograph `index`: exact masks, (rows, columns) bool.

        For `lungs`, `heart`, `mediastinum` and each finding and device (see
        `synthetic_cxr.masks`).
        """
        return masks(self._study(index), *self.settings.shape)

    def __repr__(self) -> str:
        images = counted(len(self.studies), "image")
        # Reports are counted by writing them, which takes seconds for tens of thousands.
        if len(self.studies) > _QUICK and "_pairing" not in vars(self):
            return f"<{self.name}: {images}>"
        reports = counted(len(self.reports), "report")
        return f"<{self.name}: {images}, {reports}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows, columns = self.settings.shape
        facts = {
            "split": self.split,
            "relevance": self.relevance,
            "images": len(self.studies),
            "pixels": f"{rows} x {columns}",
            "labels": len(self.label_names),
        }
        return facts_as_html(self.name, facts)

    def _draw(self, index: int) -> Image.Image:
        return Image.fromarray(render(self._study(index), *self.settings.shape))

    def _study(self, index: int) -> Study:
        if not 0 <= index < len(self.studies):
            raise IndexError(
                f"Expected an image number from 0 to {len(self.studies) - 1}, got"
                f" index={index!r}; open the data set with more pairs."
            )
        return self.studies[index]

    def ceiling(
        self,
        k: int,
        relevance: str | None = None,
        direction: Literal["image-to-report", "report-to-image"] = "image-to-report",
    ) -> float:
        """The highest Recall@k, 0..1, of a model that reads every finding.

        It cannot know which wording was chosen. It gives one list of k answers to all
        queries with the same findings; of those queries are answered

        * `strict-id`: as many as the list is long, min(n, k) of n;
        * `same-text`: those with the k most frequent of their texts; of reports, each
          of which is one query however many images it has, min(n, k) of n;
        * `same-labels`: all, because equal findings have equal labels.

        Args:
            k: How many answers count, 1 or more.
            relevance: The rule; None for the data set's own.
            direction: What is the query and what is looked for.
        """
        if k < 1:
            raise DatasetError(
                f"Expected k of 1 or more, got k={k!r}; Recall@k looks at the first k"
                " answers."
            )
        known_word("direction", direction, DIRECTIONS)
        # Another rule than the data set's own needs a pairing of its own.
        rule = self.relevance if relevance is None else relevance
        if rule not in RELEVANCES:
            raise DatasetError(
                f"Expected relevance out of {', '.join(RELEVANCES)}, got"
                f" relevance={rule!r}; change it."
            )
        if rule == self.relevance:
            pairing = self._pairing
        else:
            pairing = pair(self._texts, self._label_sets, rule)
        if direction == "image-to-report":
            findings = [study.states for study in self.studies]
            return ceiling(findings, pairing.image_groups, k)
        findings = [self.studies[image].states for image in pairing.sources]
        return ceiling(findings, pairing.report_groups, k)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        """The report of each image."""
        return tuple(write_report(study) for study in self.studies)

    @cached_property
    def _label_sets(self) -> list[frozenset[str]]:
        return [self._labels_of(study) for study in self.studies]

    def _labels_of(self, study: Study) -> frozenset[str]:
        return label_set(study, self.settings.labels)

    @cached_property
    def _pairing(self) -> Pairing:
        return pair(self._texts, self._label_sets, self.relevance)


def _studies(split: str, prevalence: float | None) -> Iterator[Study]:
    if prevalence is None:
        return _distinct(split)
    return _with_prevalence(split, prevalence)


def _distinct(split: str) -> Iterator[Study]:
    """The studies of the split whose findings no study before them has."""
    earlier: set[tuple[str, ...]] = set()
    for study in _drawn(split):
        if study.states not in earlier:
            earlier.add(study.states)
            yield study


def _with_prevalence(split: str, prevalence: float) -> Iterator[Study]:
    """Normal and abnormal studies, spread evenly.

    Of the first n, n times `prevalence`, rounded, are abnormal.
    """
    # A fraction of what was written: 0.1 is a tenth, which no float is.
    share = Fraction(str(float(prevalence)))
    studies = _drawn(split)
    abnormal_before = 0
    for number in count(1):
        abnormal = int(share * number + Fraction(1, 2))
        if abnormal > abnormal_before:
            yield _next_abnormal(studies)
        else:
            yield _made_normal(next(studies))
        abnormal_before = abnormal


def _drawn(split: str) -> Iterator[Study]:
    return (draw(SEEDS[split], index, split) for index in count())


def _next_abnormal(studies: Iterator[Study]) -> Study:
    return next(study for study in studies if study.states != NORMAL)


def _made_normal(study: Study) -> Study:
    """The same body without findings: its index is not drawn again."""
    return Study(study.seed, study.index, NORMAL, study.split)

"""The strata that a user chose of a data set of files: a word per image, or per report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.catalogue import unknown_name
from ...core.strata import Stratification
from ..label_groups import label_words, with_or_without
from ..ranges import age_in_years, age_range, length_range
from .records import ImageRow, SourceData
from .relevance import Pairing
from .strata_names import FINDING, LENGTH, USUAL, VIEW, WITH_FINDING, column_called

_SEXES = {"f": "female", "m": "male", "o": "other"}
"""What DICOM and tables abbreviate."""
_NO_SEX = ("u", "unknown", "none", "nan", "n/a", "not reported")


@dataclass(frozen=True, repr=False)
class Chosen:
    """What was chosen of a source: its images, texts, and which belong together."""

    source: SourceData
    rows: Sequence[ImageRow]
    texts: Sequence[Sequence[str]]
    """(rows,) the texts of each image."""
    pairing: Pairing
    relevance: str

    def own_groups(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(images,) and (reports,) numbers that are equal where a report is an image's own."""
        if self.relevance != "same-labels":
            return self.pairing.image_groups, self.pairing.report_groups
        # Under this rule the reports of other patients are right for an image too.
        numbers: dict[str, int] = {}
        studies = [numbers.setdefault(row.study, len(numbers)) for row in self.rows]
        groups = np.array(studies, dtype=np.int64)
        return groups, groups[self.pairing.sources]


@dataclass(frozen=True, repr=False)
class Stratified:
    """The strata of a data set, and what was counted while they were made."""

    stratifications: tuple[Stratification, ...]
    counts: Mapping[str, int]


def stratify(chosen: Chosen, names: Sequence[str]) -> Stratified:
    """The strata of these names.

    Raises:
        UnknownNameError: The data has none of a name; the message says what is close, or
            what it has.
        DatasetError: A column has too many different values.
    """
    counts: dict[str, int] = {}
    stratifications = tuple(_stratification(chosen, name, counts) for name in names)
    return Stratified(stratifications, counts)


def known_strata(source: SourceData) -> list[str]:
    """The names of strata that a source has."""
    names = [LENGTH]
    if any(row.view for row in source.images):
        names.append(VIEW)
    if source.read_labels is not None:
        names.append(FINDING)
    called = [name for name in USUAL if column_called(name, source.strata)]
    return list(dict.fromkeys([*names, *called, *source.strata]))


def require_known(source: SourceData, names: Iterable[str]) -> None:
    """Raise `UnknownNameError` for a stratum that a source has not.

    Before reports are read: mistakes are reported at once.
    """
    known: list[str] | None = None
    for name in names:
        if known is None:
            known = known_strata(source)
        base = FINDING if name.startswith(WITH_FINDING) else name
        if base not in known:
            raise unknown_name(f"stratum of {source.name}", name, known, "strata")


def _stratification(
    chosen: Chosen, name: str, counts: dict[str, int]
) -> Stratification:
    groups = chosen.own_groups()
    source = chosen.source
    column = column_called(name, source.strata)
    # A column of a user's own table comes first: it was asked for by its name.
    if column is not None:
        words = [source.strata[column][row.row] for row in chosen.rows]
        return Stratification.of_images(
            name, _grouped(name, column, words, counts), *groups
        )
    if name == LENGTH:
        return Stratification.of_reports(name, _lengths(chosen), *groups)
    if name == VIEW:
        views = [row.view for row in chosen.rows]
        return Stratification.of_images(name, views, *groups)
    return Stratification.of_images(name, _findings(chosen, name), *groups)


def _grouped(
    name: str, column: str, words: Sequence[str], counts: dict[str, int]
) -> list[str]:
    """The words of a column as groups: ages in ranges, sexes as words."""
    if column_called("age", [column]):
        return _ages(name, words, counts)
    if column_called("sex", [column]):
        return [_sex(word) for word in words]
    return list(words)


def _ages(name: str, words: Sequence[str], counts: dict[str, int]) -> list[str]:
    years = {word: age_in_years(word) for word in set(words) if word.strip()}
    # A column without any age has ranges already, or words such as `adult`.
    if all(age is None for age in years.values()):
        return list(words)
    no_ages = sum(years.get(word, 0) is None for word in words)
    if no_ages:
        counts[f"stratum {name}: values that are no age, taken as unknown"] = no_ages
    range_of = {
        word: "" if age is None else age_range(age) for word, age in years.items()
    }
    return [range_of.get(word, "") for word in words]


def _sex(word: str) -> str:
    lower = word.strip().lower()
    if lower in _NO_SEX:
        return ""
    return _SEXES.get(lower, lower)


def _lengths(chosen: Chosen) -> list[str]:
    places = zip(
        chosen.pairing.sources.tolist(), chosen.pairing.captions.tolist(), strict=True
    )
    texts = (chosen.texts[image][caption] for image, caption in places)
    return [length_range(len(text.split())) for text in texts]


def _findings(chosen: Chosen, name: str) -> list[str]:
    """A word per image of what its study shows; "" for a study without labels."""
    read_labels = chosen.source.read_labels
    assert read_labels is not None, "known_strata has findings only with labels"
    labels_of_study = read_labels()
    labels = [labels_of_study.get(row.study) for row in chosen.rows]
    if name.startswith(WITH_FINDING):
        finding = name.removeprefix(WITH_FINDING).strip()
        return with_or_without(finding, labels, chosen.source.name)
    return label_words(labels)

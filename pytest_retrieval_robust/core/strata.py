"""Strata: what groups of images and reports are told apart by, as `view`, `sex` or `age`.

From a data set to a saved run, in three forms:

* A data set that knows strata has an attribute `stratifications`, a sequence of
  `Stratification`: of each stratum its groups and one code per image and per report of the
  whole data set. It is optional, and looked up by attribute. Of a data set with
  `smallest_group` beside it, groups of fewer patients are merged (`SMALLEST_GROUP`).
* `Stratum` is what a run's record says of it: the groups by name, with how many of the
  evaluated images and reports each has. They stand in the record of the data set
  (`Measurements.datasets`): `strata_in(dataset)` reads them, and gives none for a data set
  without strata or from an earlier version.
* Codes lie among the arrays of a data set: `image_strata` (S, images) and `report_strata`
  (S, reports), one line per stratum in the order of the record. Codes there are places in
  `Stratum.groups`, so that each query is in exactly one group: missing values, items of
  several groups and merged groups are groups too, told apart by `StratumGroup.kind`.
  `gate.evidence.Evidence.group_codes` hands them out for a direction.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from .codec import Count, Json, Written, from_plain
from .errors import DatasetError
from .words import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GroupKind: TypeAlias = Literal["named", "unknown", "several", "too small"]
UNKNOWN = "unknown"
"""The group of what has no value."""
SEVERAL = "several"
"""The group of a report that stands for images of several groups, or of such an image."""
TOO_SMALL = "too small"
"""The group of all whose own groups have too few patients to be shown."""
UNKNOWN_CODE = -1
SEVERAL_CODE = -2
SMALLEST_GROUP = 20
"""Patients that a group must have to be shown or saved under its name."""
MOST_GROUPS = 50
"""Named groups of a stratum. A column with more holds numbers, names or texts."""


@dataclass(frozen=True, eq=False, repr=False)
class Stratification:
    """The groups of one stratum, and the group of each image and report of a data set."""

    name: str
    groups: tuple[str, ...]
    """Names of groups, each once and in a stable order."""
    image_codes: NDArray[np.int64]
    """(images,) places in `groups`; `UNKNOWN_CODE` or `SEVERAL_CODE` for neither."""
    report_codes: NDArray[np.int64]
    """(reports,) likewise."""

    def __repr__(self) -> str:
        groups = counted(len(self.groups), "group")
        images = counted(len(self.image_codes), "image")
        return f"<Stratification {self.name}: {groups}, {images}>"

    @classmethod
    def of_images(
        cls,
        name: str,
        words: Sequence[str],
        image_groups: NDArray[np.int64],
        report_groups: NDArray[np.int64],
    ) -> Stratification:
        """From a word per image, "" where it is not known.

        A report is in the group of the images that it is right for: `several` if they
        are of several groups. `image_groups` (images,) and `report_groups` (reports,) are
        those of the data set.

        Raises:
            DatasetError: There is not one word for each image, or there are more than
                `MOST_GROUPS` different ones.
        """
        groups, codes = _coded(name, words, len(image_groups), "image")
        report_codes = matched_codes(codes, image_groups, report_groups)
        return cls(name, groups, codes, report_codes)

    @classmethod
    def of_reports(
        cls,
        name: str,
        words: Sequence[str],
        image_groups: NDArray[np.int64],
        report_groups: NDArray[np.int64],
    ) -> Stratification:
        """From a word per report: an image is in the group of the reports right for it."""
        groups, codes = _coded(name, words, len(report_groups), "report")
        image_codes = matched_codes(codes, report_groups, image_groups)
        return cls(name, groups, image_codes, codes)


@dataclass(frozen=True)
class StratumGroup(Written):
    """A group of a stratum, and how many of the evaluated items are in it."""

    name: str
    images: Count
    reports: Count
    kind: GroupKind = "named"
    """`named` by the data; else `unknown`, `several`, or several groups in one because
    each was `too small`.
    """

    def size(self, side: Literal["image", "report"]) -> int:
        return self.images if side == "image" else self.reports


@dataclass(frozen=True)
class Stratum(Written):
    """A stratum as a run's record has it."""

    name: str
    smallest_group: Count
    """Patients below which groups were merged."""
    groups: tuple[StratumGroup, ...]
    """Those named by the data first; codes are places among them."""


def strata_in(dataset: Json) -> tuple[Stratum, ...]:
    """The strata in the record of a data set; none in those without, and of earlier versions."""
    return from_plain(tuple[Stratum, ...], dataset.get("strata", []))


def matched_codes(
    codes: NDArray[np.int64],
    groups: NDArray[np.int64],
    other_groups: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(M,) the code of each item of the other side, from the (N,) codes of this one.

    Items with equal group numbers belong together. That of several codes is
    `SEVERAL_CODE`, and that which nothing belongs to `UNKNOWN_CODE`.
    """
    import numpy as np

    numbers, places = np.unique(groups, return_inverse=True)
    lowest = np.full(len(numbers), np.iinfo(np.int64).max)
    highest = np.full(len(numbers), np.iinfo(np.int64).min)
    np.minimum.at(lowest, places, codes)
    np.maximum.at(highest, places, codes)
    code_of_number = np.where(lowest == highest, lowest, SEVERAL_CODE)
    if not len(numbers):
        return np.full(len(other_groups), UNKNOWN_CODE, dtype=np.int64)
    index = np.searchsorted(numbers, other_groups).clip(max=len(numbers) - 1)
    is_matched = numbers[index] == other_groups
    return np.where(is_matched, code_of_number[index], UNKNOWN_CODE).astype(np.int64)


def _coded(
    name: str, words: Sequence[str], count: int, item: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The groups of words, and the code of each."""
    import numpy as np

    if len(words) != count:
        raise DatasetError(
            f"Expected a word of the stratum {name} for each {item}, got {len(words)} for"
            f' {counted(count, item)}. Give "" where none is known.'
        )
    # Runs of white space are no other group.
    tidied = [" ".join(word.split()) for word in words]
    special = {"": UNKNOWN_CODE, UNKNOWN: UNKNOWN_CODE, SEVERAL: SEVERAL_CODE}
    named = {word for word in tidied if word.lower() not in special}
    if len(named) > MOST_GROUPS:
        raise DatasetError(
            f"Expected at most {MOST_GROUPS} groups of the stratum {name}, got"
            f" {len(named)} different values. Name a column with fewer values, or write"
            " ranges of values into one."
        )
    if any(word.lower() == TOO_SMALL for word in named):
        raise DatasetError(
            f"Expected other words than {TOO_SMALL!r} in the stratum {name}, got it as a"
            " value: groups of few patients are merged under that name. Rename it."
        )
    groups = tuple(sorted(named, key=_in_natural_order))
    codes = {word: code for code, word in enumerate(groups)}
    return groups, np.array(
        [codes[word] if word in codes else special[word.lower()] for word in tidied],
        dtype=np.int64,
    )


def _in_natural_order(word: str) -> tuple[str, str]:
    """A key of sorting by which numbers rise: 2 comes before 10."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), word), word

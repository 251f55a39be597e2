"""The strata of the part of a data set that is evaluated: what a run's record holds of them.

A group of few patients tells of these patients: who has the saved run could learn what
rank the report of the one Portuguese speaker had. So groups of fewer patients than the
data set's `smallest_group` are merged before anything leaves this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DatasetError
from ..core.plain_text import plain
from ..core.strata import (
    SEVERAL,
    SEVERAL_CODE,
    SMALLEST_GROUP,
    TOO_SMALL,
    UNKNOWN,
    UNKNOWN_CODE,
    GroupKind,
    Stratification,
    Stratum,
    StratumGroup,
)
from .queries import cluster_labels

if TYPE_CHECKING:
    from ..datasets import RetrievalDataset
    from .pairs import Pairs

Codes = NDArray[np.int64]
_KINDS: tuple[tuple[str, GroupKind], ...] = (
    (UNKNOWN, "unknown"),
    (SEVERAL, "several"),
    (TOO_SMALL, "too small"),
)
"""The groups that no data set names, in the order in which they follow the named ones."""
_FEWEST_WORDS = 4
"""Words of a report that is no name: captions such as `melanoma` are names of groups too."""
_OF_PERSONS = ("sex", "gender", "race", "ethnicity")
"""Strata of which a patient has one value, where those of views and ages may change."""


@dataclass(frozen=True, eq=False, repr=False)
class EvaluatedStrata:
    """The strata of some pairs, with small groups merged."""

    strata: tuple[Stratum, ...]
    image_codes: Codes
    """(S, images) the group of each image in each stratum: places in its `groups`."""
    report_codes: Codes
    """(S, reports) likewise."""
    patients_in_several: Mapping[str, int]
    """Strata of persons, such as sex -> patients whose images are in several groups."""

    def arrays(self) -> dict[str, Codes]:
        """The codes as a saved run names them; empty without strata."""
        if not self.strata:
            return {}
        return {"image_strata": self.image_codes, "report_strata": self.report_codes}


def evaluated_strata(pairs: Pairs) -> EvaluatedStrata:
    """The strata of the images and reports that are evaluated.

    Raises:
        DatasetError: The data set hands out something else than stratifications of its
            images and reports, or one name twice.
    """
    stratifications = stratifications_of(pairs)
    smallest = smallest_group_of(pairs.dataset)
    if not stratifications:
        none = np.zeros((0, 0), dtype=np.int64)
        return EvaluatedStrata((), none, none, {})
    image_patients, report_patients = cluster_labels(pairs)
    strata = []
    patients_in_several = {}
    image_codes = []
    report_codes = []
    for stratification in stratifications:
        names = len(stratification.groups)
        codes_of_images = merged(
            _without_negatives(stratification.image_codes[pairs.images], names),
            image_patients,
            smallest,
            into=names + 2,
        )
        codes_of_reports = merged(
            _without_negatives(stratification.report_codes[pairs.reports], names),
            report_patients,
            smallest,
            into=names + 2,
        )
        stratum, places = _stratum(
            stratification, smallest, codes_of_images, codes_of_reports
        )
        strata.append(stratum)
        if stratification.name.lower() in _OF_PERSONS:
            patients_in_several[stratification.name] = _in_several_groups(
                stratification.image_codes[pairs.images], image_patients
            )
        image_codes.append(places[codes_of_images])
        report_codes.append(places[codes_of_reports])
    return EvaluatedStrata(
        tuple(strata),
        np.stack(image_codes),
        np.stack(report_codes),
        patients_in_several,
    )


def stratifications_of(pairs: Pairs) -> tuple[Stratification, ...]:
    """The strata that a data set hands out, checked; empty if it knows none."""
    dataset = pairs.dataset
    # By attribute: a wrapper may pass it on.
    given: Any = getattr(dataset, "stratifications", ())
    if isinstance(given, Stratification) or not isinstance(given, Sequence):
        raise DatasetError(
            f"Expected stratifications of {dataset.name} as a list of Stratification, got"
            f" a {type(given).__name__}. Make it a list or tuple."
        )
    names: set[str] = set()
    for stratification in given:
        _require_stratification(
            dataset.name,
            stratification,
            images=len(pairs.columns.image_ids),
            reports=len(pairs.columns.reports),
        )
        if stratification.name in names:
            raise DatasetError(
                f"Expected each stratum of {dataset.name} once, got"
                f" {stratification.name!r} twice. Leave one out."
            )
        names.add(stratification.name)
    if given:
        _require_no_texts(pairs, given)
    return tuple(given)


def smallest_group_of(dataset: RetrievalDataset) -> int:
    """The patients that a group must have to be shown under its name."""
    smallest: Any = getattr(dataset, "smallest_group", SMALLEST_GROUP)
    is_whole = isinstance(smallest, int) and not isinstance(smallest, bool)
    if not is_whole or smallest < 1:
        raise DatasetError(
            f"Expected smallest_group of {dataset.name} as a whole number of at least 1,"
            f" got smallest_group={smallest!r}. Omit it for {SMALLEST_GROUP}."
        )
    return int(smallest)


def merged(codes: Codes, patients: Codes, smallest: int, *, into: int) -> Codes:
    """(N,) the codes, with `into` for those of groups of fewer than `smallest` patients.

    `codes` and `patients` (N,) are the group and the patient of each item. Where all
    merged groups together have fewer patients too, the next smallest group is merged
    with them, so that what is left out cannot be told from the rest.
    """
    pairs = np.unique(np.stack([codes, patients]), axis=1)
    groups, sizes = np.unique(pairs[0], return_counts=True)
    # Equal sizes in the order of codes, so that the same data gives the same groups.
    rising = np.argsort(sizes, kind="stable")
    count = int((sizes < smallest).sum())
    if count == 0:
        return codes
    while (
        count < len(groups) and _patients_in(pairs, groups[rising[:count]]) < smallest
    ):
        count += 1
    is_merged = np.isin(codes, groups[rising[:count]])
    return np.where(is_merged, into, codes)


def _patients_in(pairs: Codes, groups: Codes) -> int:
    return len(np.unique(pairs[1, np.isin(pairs[0], groups)]))


def _in_several_groups(codes: Codes, patients: Codes) -> int:
    """The patients with several known values."""
    is_known = codes >= 0
    pairs = np.unique(np.stack([codes[is_known], patients[is_known]]), axis=1)
    _, values = np.unique(pairs[1], return_counts=True)
    return int((values > 1).sum())


def _without_negatives(codes: Codes, names: int) -> Codes:
    """Codes from 0: those of `unknown` and `several` follow the named groups."""
    places = np.where(codes == UNKNOWN_CODE, names, codes)
    return np.where(codes == SEVERAL_CODE, names + 1, places)


def _stratum(
    stratification: Stratification, smallest: int, images: Codes, reports: Codes
) -> tuple[Stratum, Codes]:
    """The stratum with the groups that are left, and the place of each code among them."""
    named: list[tuple[str, GroupKind]] = [
        (group, "named") for group in stratification.groups
    ]
    all_groups = [*named, *_KINDS]
    image_sizes = np.bincount(images, minlength=len(all_groups)).tolist()
    report_sizes = np.bincount(reports, minlength=len(all_groups)).tolist()
    places = np.zeros(len(all_groups), dtype=np.int64)
    groups: list[StratumGroup] = []
    for code, (name, kind) in enumerate(all_groups):
        places[code] = len(groups)
        # The name of a group that was merged whole may tell of its patients too.
        if image_sizes[code] or report_sizes[code]:
            group = StratumGroup(name, image_sizes[code], report_sizes[code], kind)
            groups.append(group)
    return Stratum(stratification.name, smallest, tuple(groups)), places


def _require_no_texts(pairs: Pairs, strata: Sequence[Stratification]) -> None:
    """Refuse strata whose groups are reports: names of groups are saved, and texts never."""
    texts = (text.split() for text in pairs.columns.reports)
    reports = {" ".join(words) for words in texts if len(words) >= _FEWEST_WORDS}
    for stratification in strata:
        if not reports.isdisjoint(stratification.groups):
            raise DatasetError(
                "Expected names of groups in the stratum"
                f" {plain(stratification.name)} of {pairs.dataset.name}, got the text of a"
                " report. Name a column that holds no texts."
            )


def _require_stratification(
    dataset: str, stratification: object, images: int, reports: int
) -> None:
    if not isinstance(stratification, Stratification):
        raise DatasetError(
            f"Expected Stratification as each of stratifications of {dataset}, got a"
            f" {type(stratification).__name__}. Make it with Stratification.of_images."
        )
    sides = (
        ("image_codes", stratification.image_codes, images),
        ("report_codes", stratification.report_codes, reports),
    )
    for member, codes, count in sides:
        is_whole = isinstance(codes, np.ndarray) and codes.dtype.kind == "i"
        if not is_whole or codes.shape != (count,):
            shape = getattr(codes, "shape", None)
            raise DatasetError(
                f"Expected {member} of the stratum {stratification.name} of {dataset} as"
                f" a numpy array of {count} signed whole numbers, got shape={shape}. Make"
                " it with Stratification.of_images."
            )
        groups = len(stratification.groups)
        is_known = (codes >= SEVERAL_CODE) & (codes < groups)
        if not is_known.all():
            raise DatasetError(
                f"Expected {member} of the stratum {stratification.name} of {dataset}"
                f" from {SEVERAL_CODE} to {groups - 1}, got another code for"
                f" {int((~is_known).sum())} of {count}. Make it with"
                " Stratification.of_images."
            )

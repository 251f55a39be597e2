"""The strata of the embedded data set: what a study shows, and how long its report is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...core.catalogue import unknown_name
from ...core.strata import Stratification
from .settings import FAMILY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .studies import Study

STRATA = ("finding", "side", "device", "length")
"""`finding` and `device`: the only one that is shown, none or several. `side`: where the
findings are. `length`: words of the report, in ranges.
"""
_WITH_FINDING = "finding:"
_SIDES = ("left", "right")


def require_strata(names: Sequence[str]) -> None:
    """Raise `UnknownNameError` for a stratum that the data set has not."""
    for name in names:
        if name not in STRATA and not name.startswith(_WITH_FINDING):
            raise unknown_name(f"stratum of {FAMILY}", name, STRATA, "strata")


def stratify(
    name: str,
    studies: Sequence[Study],
    reports: Sequence[str],
    image_groups: NDArray[np.int64],
    report_groups: NDArray[np.int64],
) -> Stratification:
    """The stratum of that name; groups are equal where a report is an image's own."""
    from ..label_groups import label_words, with_or_without
    from ..ranges import length_range
    from .labels import device_set, label_set

    if name == "length":
        lengths = [length_range(len(report.split())) for report in reports]
        return Stratification.of_reports(name, lengths, image_groups, report_groups)
    if name == "side":
        words = [_side(study) for study in studies]
    elif name == "device":
        words = label_words([device_set(study) for study in studies])
    else:
        findings = [
            label_set(study, "unsided") - device_set(study) for study in studies
        ]
        if name == "finding":
            words = label_words(findings)
        else:
            words = with_or_without(name.removeprefix(_WITH_FINDING), findings, FAMILY)
    return Stratification.of_images(name, words, image_groups, report_groups)


def _side(study: Study) -> str:
    """`left`, `right`, `both`, or `no side` of a study without a finding that has one."""
    from .labels import device_set, label_set

    labels = label_set(study, "sided") - device_set(study, "sided")
    sides = {word for label in labels for word in label.split() if word in _SIDES}
    if len(sides) == len(_SIDES):
        return "both"
    return min(sides, default="no side")

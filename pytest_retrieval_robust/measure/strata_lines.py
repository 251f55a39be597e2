"""What is said of the strata of a data set: groups with their sizes, and what is odd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..core.plain_text import plain
from ..core.words import counted

if TYPE_CHECKING:
    from .strata import EvaluatedStrata


def strata_lines(strata: EvaluatedStrata) -> Iterator[str]:
    """What `inspect` shows: each stratum with its groups and their sizes."""
    for stratum in strata.strata:
        yield f"  stratum {plain(stratum.name)} (images, reports):"
        for group in stratum.groups:
            note = ""
            if group.kind == "too small":
                note = f" (merged, because of fewer than {stratum.smallest_group} patients)"
            sizes = f"{group.images}, {group.reports}"
            yield f"    {plain(group.name)}{note}: {sizes}"


def strata_warnings(dataset: str, strata: EvaluatedStrata) -> Iterator[str]:
    """Sentences about strata that tell nothing apart, or contradict themselves."""
    for stratum in strata.strata:
        if len(stratum.groups) == 1:
            yield (
                f"Expected several groups of the stratum {plain(stratum.name)} of"
                f" {dataset}, got one: all is {plain(stratum.groups[0].name)!r}. Leave the"
                " stratum out, or read more of the data."
            )
    for name, patients in strata.patients_in_several.items():
        if patients:
            yield (
                f"Expected one {plain(name)} per patient of {dataset}, got several for"
                f" {counted(patients, 'patient')}: each image counts with its own value."
                " Check the table."
            )

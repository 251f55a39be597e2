"""Pictures of the embedded data stay while their `GENERATOR_VERSION` does.

Their reports are in the fingerprint, which `releasing/surface.json` records. Pictures are
compared by the means of coarse cells: libraries round single pixels otherwise.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import (
    GENERATOR_VERSION as VERSION_OF_CXR,
)
from pytest_retrieval_robust.datasets.synthetic_scenes.dataset import (
    GENERATOR_VERSION as VERSION_OF_SCENES,
)

CELLS = 3
GREY_LEVELS = 0.2
"""Libraries move a mean by a hundredth. A finding that is drawn otherwise moves it by more."""
KNOWN = {
    ("synthetic-cxr", 3): {
        0: [85.4, 118.9, 91.0, 103.4, 151.1, 101.0, 114.9, 145.0, 102.1],
        7: [80.9, 113.1, 85.2, 70.6, 138.9, 90.4, 101.6, 158.7, 112.8],
        499: [85.2, 107.6, 60.3, 79.6, 129.7, 74.8, 99.2, 135.6, 96.0],
    },
    ("synthetic-scenes", 1): {
        0: [144.7, 150.7, 156.8, 142.2, 134.6, 145.9, 139.9, 134.5, 151.9],
        7: [123.2, 160.2, 146.9, 130.6, 137.5, 144.4, 128.3, 135.2, 141.9],
        499: [149.4, 109.0, 113.6, 104.2, 148.8, 113.2, 103.8, 108.3, 112.9],
    },
}
"""By data set and version, and by the number of the picture."""
VERSIONS = {"synthetic-cxr": VERSION_OF_CXR, "synthetic-scenes": VERSION_OF_SCENES}


def means(name: str, index: int) -> NDArray[np.float64]:
    """The mean grey level of each of 3 x 3 cells of a picture."""
    grey = np.asarray(load_dataset(name).image(index).convert("L"), np.float64)
    rows = [part.mean(axis=0) for part in np.array_split(grey, CELLS)]
    columns = np.array_split(np.stack(rows), CELLS, axis=1)
    return np.stack([part.mean(axis=1) for part in columns], axis=1)


@pytest.mark.parametrize(("name", "version"), KNOWN)
def test_pictures_are_those_of_their_version(name: str, version: int) -> None:
    """Another picture needs a higher version, and its means here."""
    assert version == VERSIONS[name]
    for index, known in KNOWN[name, version].items():
        assert means(name, index).ravel() == pytest.approx(known, abs=GREY_LEVELS)

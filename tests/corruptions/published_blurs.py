"""What imagecorruptions makes of a picture out of focus or moved.

`python -m tests.corruptions.published_blurs` prints these tables anew. It needs what
`tests.corruptions.published` needs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from unittest import mock

import numpy as np
from numpy.typing import NDArray

ANGLE = 30.0
"""Degrees by which the line of the tabled motion leaves the horizontal."""
POINTS = [(60, 60), (112, 112), (90, 140), (150, 70), (101, 163), (160, 160)]
"""(row, column) of the pixels whose grey values are kept."""

DEFOCUSED: dict[int, list[float]] = {
    1: [87.0, 190.0, 156.0, 59.0, 92.0, 99.0],
    2: [87.0, 186.0, 156.0, 60.0, 93.0, 100.0],
    3: [87.0, 179.0, 156.0, 61.0, 95.0, 102.0],
    4: [88.0, 177.0, 157.0, 64.0, 100.0, 107.0],
    5: [88.0, 174.0, 156.0, 66.0, 104.0, 110.0],
}
"""At the steps 1 to 5, by `defocus_blur`."""
MOVED: dict[int, list[float]] = {
    1: [91.0, 190.0, 151.0, 51.0, 93.0, 100.0],
    2: [95.0, 185.0, 147.0, 47.0, 97.0, 104.0],
    3: [102.0, 174.0, 139.0, 44.0, 103.0, 110.0],
    4: [111.0, 161.0, 130.0, 49.0, 111.0, 118.0],
    5: [115.0, 154.0, 126.0, 57.0, 116.0, 122.0],
}
"""By `motion_blur`, along a line at `ANGLE`."""


def picture() -> NDArray[np.uint8]:
    """(224, 224) a grey picture with waves, an edge and a bright spot."""
    rows, columns = np.mgrid[:224, :224]
    waves = 90 + 60 * np.sin(rows / 9) * np.cos(columns / 13)
    edge = 60.0 * (rows + 2 * columns > 330)
    spot = 40.0 * ((rows - 112) ** 2 + (columns - 112) ** 2 < 150)
    return (waves + edge + spot).astype(np.uint8)


def main() -> None:
    sys.modules.setdefault("pkg_resources", mock.Mock())
    moved = ModuleType("scipy.ndimage.interpolation")
    moved.map_coordinates = None  # type: ignore[attr-defined]
    sys.modules[moved.__name__] = moved
    corrupt = import_module("imagecorruptions").corrupt
    image = np.repeat(picture()[:, :, None], 3, axis=2)
    for table, function in (("DEFOCUSED", "defocus_blur"), ("MOVED", "motion_blur")):
        values = {}
        for step in range(1, 6):
            with mock.patch("numpy.random.uniform", return_value=ANGLE):
                after = corrupt(image, step, function)
            values[step] = [float(after[point][0]) for point in POINTS]
        print(f"{table} = {values}")


if __name__ == "__main__":
    main()

"""Area occluders with random parameters, and what the tests of this folder share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pytest_retrieval_robust.occluders import WHOLE
from pytest_retrieval_robust.occluders import Box as Frame
from pytest_retrieval_robust.occluders.area import AreaOccluder
from pytest_retrieval_robust.occluders.area.blobs import Blobs
from pytest_retrieval_robust.occluders.area.border import Border
from pytest_retrieval_robust.occluders.area.box import PLACES, Box
from pytest_retrieval_robust.occluders.area.boxes import Boxes
from pytest_retrieval_robust.occluders.area.grid import Grid
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.area.side import EDGES, Side

FAMILIES: dict[str, type[AreaOccluder]] = {
    family.family: family for family in (Patches, Box, Boxes, Blobs, Grid, Border, Side)
}
IDS = ["a", "b", "c", "d", "e"]
CROPPED: Frame = (-0.25, -0.125, 1.25, 1.125)
PADDED: Frame = (0.0, 0.2, 1.0, 0.8)
FRAMES = [WHOLE, CROPPED, PADDED]

levels = st.integers(0, 1000).map(lambda n: n / 1000)
seeds = st.integers(0, 2**64 - 1)
frames = st.tuples(
    st.floats(-1, 0.4), st.floats(-1, 0.4), st.floats(0.6, 2), st.floats(0.6, 2)
)


@st.composite
def areas(draw: DrawFn, fills: Sequence[str] = ("black",)) -> AreaOccluder:
    """Any of the seven, on a grid of up to 20 x 20 cells."""
    family = draw(st.sampled_from(list(FAMILIES.values())))
    grid = draw(st.integers(1, 20))
    fill = draw(st.sampled_from(fills))
    if family is Box:
        return Box(grid, fill, draw(st.sampled_from(PLACES)))
    if family is Boxes:
        return Boxes(grid, fill, draw(st.integers(1, 9)))
    if family is Blobs:
        return Blobs(grid, fill, draw(st.integers(1, 64)))
    if family is Grid:
        return Grid(grid, fill, draw(st.integers(2, max(2, grid))))
    return (
        Side(grid, fill, draw(st.sampled_from(EDGES)))
        if family is Side
        else family(grid, fill)
    )


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of its numbers: NaN equals itself, and -0.0 is not 0.0."""
    return tensor.contiguous().view(torch.uint8)


def source(frame: Frame, height: int, width: int) -> torch.Tensor:
    """(height, width) bool: whether a pixel's centre lies in the frame."""
    left, top, right, bottom = frame
    rows = [top <= (y + 0.5) / height < bottom for y in range(height)]
    columns = [left <= (x + 0.5) / width < right for x in range(width)]
    return torch.tensor(rows)[:, None] & torch.tensor(columns)

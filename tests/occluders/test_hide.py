"""The fast way of hiding gives the bits of `torch.where`, whatever the dtype, the fill
and the memory's layout.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pytest_retrieval_robust.occluders._hide import hide

from .generators import bits, picture

DTYPES = [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64]
SHAPES = [
    "none",
    "one number",
    "a number a channel",
    "a number an image and channel",
    "grey pixels",
    "pixels",
]


def numbers(dtype: torch.dtype, *shape: int, seed: int = 0) -> torch.Tensor:
    drawn = (picture(*shape, seed=seed) * 256).to(dtype)
    if dtype.is_floating_point and drawn.numel() > 2:
        drawn.view(-1)[:3] = torch.tensor([torch.nan, -0.0, torch.inf])
    return drawn


@st.composite
def values(
    draw: DrawFn, dtype: torch.dtype, batch: int, height: int, width: int
) -> torch.Tensor | None:
    shape = {
        "none": None,
        "one number": (1, 1, 1, 1),
        "a number a channel": (1, 3, 1, 1),
        "a number an image and channel": (batch, 3, 1, 1),
        "grey pixels": (batch, 1, height, width),
        "pixels": (batch, 3, height, width),
    }[draw(st.sampled_from(SHAPES))]
    return None if shape is None else numbers(dtype, *shape, seed=1)


@given(
    st.data(),
    st.sampled_from(DTYPES),
    st.integers(0, 3),
    st.integers(1, 9),
    st.integers(1, 20),
)
def test_a_mask_hides_as_where_does(
    data: st.DataObject, dtype: torch.dtype, batch: int, height: int, width: int
) -> None:
    pixels = numbers(dtype, batch, 3, height, width)
    fill = data.draw(values(dtype, batch, height, width))
    mask = picture(batch, 1, height, width, seed=2) < 0.5
    expected = torch.where(
        mask, torch.zeros((), dtype=dtype) if fill is None else fill, pixels
    )
    hidden = hide(pixels, fill, torch.empty_like(pixels), blocks=None, mask=mask)
    assert torch.equal(bits(hidden), bits(expected))
    assert torch.equal(
        bits(hide(pixels, fill, pixels, blocks=None, mask=mask)), bits(expected)
    )


@given(
    st.data(),
    st.sampled_from(DTYPES),
    st.integers(0, 3),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_blocks_hide_as_where_does(
    data: st.DataObject, dtype: torch.dtype, batch: int, grid: int, tall: int, wide: int
) -> None:
    height = grid * tall
    width = grid * wide
    pixels = numbers(dtype, batch, 3, height, width)
    fill = data.draw(values(dtype, batch, height, width))
    blocks = picture(batch, grid, grid, seed=2) < 0.5
    mask = torch.kron(
        blocks.long(), torch.ones(1, tall, wide, dtype=torch.int64)
    ).bool()[:, None]
    expected = torch.where(
        mask, torch.zeros((), dtype=dtype) if fill is None else fill, pixels
    )
    hidden = hide(pixels, fill, torch.empty_like(pixels), blocks=blocks, mask=None)
    assert torch.equal(bits(hidden), bits(expected))
    assert torch.equal(
        bits(hide(pixels, fill, pixels, blocks=blocks, mask=None)), bits(expected)
    )


LAYOUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "channels last": lambda pixels: pixels.contiguous(
        memory_format=torch.channels_last
    ),
    "every other column": lambda pixels: pixels.repeat_interleave(2, 3)[..., ::2],
    "every other image": lambda pixels: pixels.repeat_interleave(2, 0)[::2],
    "one image for all": lambda pixels: pixels[:1].expand_as(pixels),
    "a pixel after a word begins": (
        lambda pixels: torch.cat([pixels.new_zeros(1), pixels.flatten()])[1:].view_as(
            pixels
        )
    ),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pixels_may_lie_in_memory_as_they_like(dtype: torch.dtype, layout: str) -> None:
    pixels = LAYOUTS[layout](numbers(dtype, 2, 3, 16, 16))
    white = torch.ones(1, 1, 1, 1, dtype=dtype)
    out = (
        torch.empty(2, 3, 16, 16, dtype=dtype)
        if layout == "one image for all"
        else LAYOUTS[layout](pixels.clone())
    )
    blocks = picture(2, 4, 4, seed=2) < 0.5
    mask = blocks.repeat_interleave(4, 2).repeat_interleave(4, 1)[:, None]
    expected = bits(torch.where(mask, white, pixels))
    for target in (torch.empty(2, 3, 16, 16, dtype=dtype), out):
        assert torch.equal(
            bits(hide(pixels, white, target, blocks=blocks, mask=None)), expected
        )
        assert torch.equal(
            bits(hide(pixels, white, target, blocks=None, mask=mask)), expected
        )
        assert torch.equal(bits(target), expected)

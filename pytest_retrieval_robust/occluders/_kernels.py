"""The pass over the pixels that Triton compiles. Only `_compiled` imports it, where
there is a device for it.
"""

# Triton would read annotations of its arguments as values.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import triton
import triton.language as tl

BLOCK = 2048
"""Pixels of a program, in each channel: 16 a thread, so that bytes are read 16 at a time."""


# The threshold differs at each level: code made for one would be compiled for each.
@triton.jit(do_not_specialize=["threshold"])  # type: ignore[untyped-decorator]
def hide_pixels(
    pixels,
    out,
    table,
    fill,
    priorities,
    rows,
    columns,
    threshold,
    blocks,
    fill_image,
    fill_channel,
    priorities_image,
    rows_image,
    columns_image,
    GRID: tl.constexpr,
    WIDTH: tl.constexpr,
    AREA: tl.constexpr,
    CELL_HEIGHT: tl.constexpr,
    CELL_WIDTH: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    HAS_FILL: tl.constexpr,
    IS_PLANE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """A block of one image's pixels: each channel, or the fill where its cell is hidden.

    Args:
        pixels: (B, 3, H, W), contiguous; `out` as well.
        table: (3, 256) what bytes become, with HAS_TABLE.
        fill: A value per image and channel at the strides `fill_image` and
            `fill_channel`; a plane of H x W of them with IS_PLANE; without HAS_FILL
            hidden pixels are zero.
        priorities: (B, G, G): a cell is hidden where its own is below `threshold`.
        rows: (F, H) the cell row of each pixel row, G where it shows no source; unused
            where cells are whole pixels, CELL_HEIGHT above 0.
        columns: (F, W).
        blocks: Programs per image.
    """
    program = tl.program_id(0)
    # In 64 bits: a batch may have more than 2**31 pixels.
    image = (program // blocks).to(tl.int64)
    pixel = (program % blocks) * BLOCK + tl.arange(0, BLOCK)
    exists = pixel < AREA
    row = pixel // WIDTH
    column = pixel % WIDTH
    if CELL_HEIGHT > 0:
        cell_row = row // CELL_HEIGHT
        cell_column = column // CELL_WIDTH
        is_source = exists
    else:
        row_at = rows + image * rows_image + row
        column_at = columns + image * columns_image + column
        cell_row = tl.load(row_at, mask=exists, other=GRID).to(tl.int32)
        cell_column = tl.load(column_at, mask=exists, other=GRID).to(tl.int32)
        is_source = exists & (cell_row < GRID) & (cell_column < GRID)
    cell = cell_row * GRID + cell_column
    priority_at = priorities + image * priorities_image + cell
    priority = tl.load(priority_at, mask=is_source, other=0)
    hidden = is_source & (priority < threshold)
    for channel in tl.static_range(3):
        position = (image * 3 + channel) * AREA + pixel
        value = tl.load(pixels + position, mask=exists, other=0)
        if HAS_TABLE:
            value = tl.load(table + channel * 256 + value.to(tl.int32))
        fill_at = fill + image * fill_image + channel * fill_channel
        if IS_PLANE:
            replacement = tl.load(fill_at + pixel, mask=hidden, other=0)
        elif HAS_FILL:
            replacement = tl.load(fill_at)
        else:
            replacement = tl.zeros_like(value)
        tl.store(out + position, tl.where(hidden, replacement, value), mask=exists)

"""Writing the fill where a mask says so, in one pass over the pixels where that is possible.

`torch.where` is several times slower than a copy on a processor. A constant fill needs
no choice: the bits of a pixel and-ed with all ones or all zeros are the pixel or black,
whatever it held (a NaN too), and or-ed with a constant's bits they are that constant.
On a CUDA device a compiled pass (`_compiled`) reads the cells and draws no mask out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from . import _compiled

if TYPE_CHECKING:
    import torch

    from ._frames import View


@dataclass(frozen=True, eq=False)
class HiddenCells:
    """Cells of source images, hidden where their priority lies below the threshold."""

    priorities: torch.Tensor
    """(B, G, G) whole numbers."""
    threshold: int

    @cached_property
    def mask(self) -> torch.Tensor:
        """(B, G, G) bool, true where a cell is hidden."""
        return self.priorities < self.threshold


def hide_cells(
    pixels: torch.Tensor,
    values: torch.Tensor | None,
    out: torch.Tensor,
    hidden: HiddenCells,
    view: View,
) -> torch.Tensor:
    """Write `pixels` to `out`, with `values` (None: black) in the hidden cells; returns `out`."""

    def plain() -> torch.Tensor:
        import torch

        return _hide_plainly(pixels, values, torch.empty_like(out), hidden, view)

    if _compiled.was_hidden(pixels, None, values, out, hidden, view, plain):
        return out
    return _hide_plainly(pixels, values, out, hidden, view)


def _hide_plainly(
    pixels: torch.Tensor,
    values: torch.Tensor | None,
    out: torch.Tensor,
    hidden: HiddenCells,
    view: View,
) -> torch.Tensor:
    if view.fits(hidden.priorities.shape[1]):
        # Cells are whole pixels: rows of pixels share one row of the mask, and it need
        # not be drawn out.
        return hide(pixels, values, out, blocks=hidden.mask, mask=None)
    return hide(pixels, values, out, blocks=None, mask=on_pixels(hidden.mask, view))


def on_pixels(hidden: torch.Tensor, view: View) -> torch.Tensor:
    """(B, G, G) cells to (B, 1, H, W) pixels."""
    import torch

    grid = hidden.shape[1]
    if view.fits(grid):
        in_columns = hidden.repeat_interleave(view.width // grid, 2)
        return in_columns.repeat_interleave(view.height // grid, 1)[:, None]
    rows, columns = view.cells(grid, hidden.device)
    # One more row and column, never hidden, for the pixels that do not show the source image.
    padded = torch.nn.functional.pad(hidden, (0, 1, 0, 1), value=False)
    # One box for the whole batch needs one list of indices, which is faster.
    if len(rows) == 1:
        return padded.index_select(2, columns[0]).index_select(1, rows[0])[:, None]
    if hidden.device.type == "cpu":
        return _taken(padded, rows, columns)[:, None]
    in_columns = padded.take_along_dim(columns[:, None, :], 2)
    return in_columns.take_along_dim(rows[:, :, None], 1)[:, None]


def _taken(
    cells: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """(B, H, W): the cells under pixels, image by image: whole rows are copied, which is
    several times as fast on a processor as looking pixels up.
    """
    import torch

    shape = (len(cells), rows.shape[1], columns.shape[1])
    pixels = torch.empty(shape, dtype=cells.dtype, device="cpu")
    images = zip(
        cells.numpy(), rows.numpy(), columns.numpy(), pixels.numpy(), strict=True
    )
    for of_image, own_rows, own_columns, target in images:
        in_columns = of_image.take(own_columns, axis=1)
        # Every index is a cell. Without "clip" numpy writes to memory of its own first.
        in_columns.take(own_rows, axis=0, out=target, mode="clip")
    return pixels


def hide(
    pixels: torch.Tensor,
    values: torch.Tensor | None,
    out: torch.Tensor,
    *,
    blocks: torch.Tensor | None,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """Write `pixels`, (B, 3, H, W), to `out`, and `values` where something is hidden;
    returns `out`.

    Args:
        pixels: Floating or uint8. May be `out` itself.
        values: What hidden pixels get: a tensor that broadcasts to `pixels`, of its
            dtype; None for zeros.
        out: Of the shape and dtype of `pixels`.
        blocks: (B, G, G) bool, true where a cell of H / G x W / G pixels is hidden.
        mask: (B, 1, H, W) bool, true where a pixel is hidden; in place of `blocks`.
    """
    import torch

    is_constant = values is None or values.shape[-2:] == (1, 1)
    on_host = pixels.device.type == "cpu"
    if is_constant and on_host and _are_whole_words(pixels, out):
        if mask is None:
            assert blocks is not None
            _hide_blocks(pixels, values, out, blocks)
        else:
            _hide_words(_words(pixels), values, _words(out), mask, pixels.dtype)
        return out

    if mask is None:
        assert blocks is not None
        mask = _spread(blocks, pixels)
    if values is None:
        values = torch.zeros((), dtype=pixels.dtype, device=pixels.device)
    return torch.where(mask, values, pixels, out=out)


def _are_whole_words(*tensors: torch.Tensor) -> bool:
    """Whether rows of pixels are whole 64-bit words, so that these can be and-ed in
    place of pixels.
    """
    return all(
        tensor.is_contiguous()
        and tensor.shape[3] * tensor.element_size() % 8 == 0
        and tensor.storage_offset() * tensor.element_size() % 8 == 0
        for tensor in tensors
    )


def _spread(blocks: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """(B, G, G) cells to (B, 1, H, W) pixels."""
    height = pixels.shape[2] // blocks.shape[1]
    width = pixels.shape[3] // blocks.shape[2]
    return blocks.repeat_interleave(width, 2).repeat_interleave(height, 1)[:, None]


def _hide_blocks(
    pixels: torch.Tensor,
    values: torch.Tensor | None,
    out: torch.Tensor,
    blocks: torch.Tensor,
) -> None:
    """All pixel rows of a row of cells share one row of the mask, which stays in the
    processor's nearest cache.
    """
    batch, channels, height, width = pixels.shape
    grid = blocks.shape[1]
    shape = (batch, channels, grid, height // grid, width)
    # (B, 1, G, 1, W) beside pixels of (B, 3, G, H / G, W).
    rows = blocks.repeat_interleave(width // grid, 2)[:, None, :, None]
    if values is not None:
        values = values[..., None]
    source = _words(pixels.view(shape))
    target = _words(out.view(shape))
    _hide_words(source, values, target, rows, pixels.dtype)


def _hide_words(
    source: torch.Tensor,
    values: torch.Tensor | None,
    target: torch.Tensor,
    mask: torch.Tensor,
    dtype: torch.dtype,
) -> None:
    import torch

    hidden = _all_bits(mask, dtype)
    torch.bitwise_and(source, _words(~hidden), out=target)
    if values is not None:
        target |= _words(hidden & values.contiguous().view(hidden.dtype))


def _all_bits(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Whole numbers as wide as a pixel: all ones where the mask is true, else all zeros."""
    import torch

    widths = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return mask.to(widths[dtype.itemsize]).neg_()


def _words(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.view(torch.int64)

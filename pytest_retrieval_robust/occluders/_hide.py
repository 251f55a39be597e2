"""Writing the fill where a mask says so, in one pass over the pixels where the fill allows it.

`torch.where` is several times slower than a copy on a processor. A constant fill needs
no choice: the bits of a pixel and-ed with all ones or all zeros are the pixel or black,
whatever it held (a NaN too), and or-ed with a constant's bits they are that constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


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
        pixels: Floating or uint8. May be `out` itself. values: What hidden pixels get:
        a tensor that broadcasts to `pixels`, of its dtype; None for zeros. out: Of the
        shape and dtype of `pixels`. blocks: (B, G, G) bool, true where a cell of H / G
        x W / G pixels is hidden; or mask: (B, 1, H, W) bool, true where a pixel is
        hidden.
    """
    import torch

    constant = values is None or values.shape[-2:] == (1, 1)
    if not constant or pixels.device.type != "cpu" or not _whole_words(pixels, out):
        zero = torch.zeros((), dtype=pixels.dtype, device=pixels.device)
        chosen = _spread(blocks, pixels) if mask is None else mask
        return torch.where(chosen, zero if values is None else values, pixels, out=out)
    if mask is None:
        assert blocks is not None
        _hide_blocks(pixels, values, out, blocks)
    else:
        _hide_words(_words(pixels), values, _words(out), mask, pixels.dtype)
    return out


def _whole_words(*tensors: torch.Tensor) -> bool:
    """Whether rows of pixels are whole 64-bit words, so that these can be and-ed in
    place of pixels.
    """
    return all(
        tensor.is_contiguous()
        and tensor.shape[3] * tensor.element_size() % 8 == 0
        and tensor.storage_offset() * tensor.element_size() % 8 == 0
        for tensor in tensors
    )


def _spread(blocks: torch.Tensor | None, pixels: torch.Tensor) -> torch.Tensor:
    assert blocks is not None
    height, width = (
        pixels.shape[2] // blocks.shape[1],
        pixels.shape[3] // blocks.shape[2],
    )
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
    rows = blocks.repeat_interleave(width // grid, 2)[
        :, None, :, None
    ]  # (B, 1, G, 1, W)
    shape = (batch, channels, grid, height // grid, width)
    source, target = (_words(tensor.view(shape)) for tensor in (pixels, out))
    _hide_words(
        source,
        None if values is None else values[..., None],
        target,
        rows,
        pixels.dtype,
    )


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

    wide = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[
        dtype.itemsize
    ]
    return mask.to(wide).neg_()


def _words(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.view(torch.int64)

"""The compiled pass that hides on a CUDA device, and when it can be used.

It reads pixels once, writes them once, and draws no mask out. Where Triton is missing or
cannot compile, nothing is lost but time: the plain operations give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.foreign import described
from ..core.memory import is_of_the_device, is_out_of_memory

if TYPE_CHECKING:
    import torch

    from ._frames import View
    from ._hide import HiddenCells

_DEVICES = {"cuda"}
_MOST_PROGRAMS = 1 << 31
_failures: list[str] = []
"""Why nothing is compiled any more in this process."""
_proved: set[Hashable] = set()
"""Kinds of passes that gave the bits of the plain operations."""
_lock = Lock()
"""Triton is asked by one thread at a time: several would compile the same at once."""


def why_not_compiled() -> str | None:
    """What Triton raised when it was first asked; None where it works, or was not asked."""
    return _failures[0] if _failures else None


def is_compiled_for(pixels: torch.Tensor) -> bool:
    """Whether the pass is used for such pixels, as far as Triton was seen to work."""
    return not _failures and _is_possible(pixels, pixels)


def was_hidden(
    pixels: torch.Tensor,
    table: torch.Tensor | None,
    values: torch.Tensor | None,
    out: torch.Tensor,
    hidden: HiddenCells,
    view: View,
    plain: Callable[[], torch.Tensor],
) -> bool:
    """Write `pixels`, or what `table` makes of them, to `out`, with `values` where cells
    are hidden. False where nothing was done, because it has to be done otherwise.

    Args:
        pixels: (B, 3, H, W).
        table: (3, 256), of the dtype of `out`, with pixels that are bytes.
        values: Broadcasts to the pixels, of the dtype of `out`; None for zeros.
        out: (B, 3, H, W); with no table of the dtype of the pixels, and maybe the same.
        hidden: Which cells of each image are hidden.
        view: Where the images lie in the square.
        plain: Gives the same in other memory, without touching `out`. The first result
            of each kind is compared with it, since compilers differ by card.
    """
    if _failures or not _is_possible(pixels, out):
        return False
    # What is elsewhere is refused by the plain operations, in torch's own words.
    others = [out, hidden.priorities, table, values]
    if any(other.device != pixels.device for other in others if other is not None):
        return False
    kind = _kind_of(pixels, values, out, hidden, view)
    try:
        # Before anything is written: `out` may be the pixels themselves.
        expected = None if kind in _proved else plain()
        with _lock:
            _launch(pixels, table, values, out, hidden, view)
        if expected is not None:
            _prove(kind, out, expected)
    except Exception as error:
        # What the device itself reports, and a lack of memory, is not for us to hide.
        if is_out_of_memory(error) or is_of_the_device(error):
            raise
        _failures.append(described(error))
        return False
    return True


def _kind_of(
    pixels: torch.Tensor,
    values: torch.Tensor | None,
    out: torch.Tensor,
    hidden: HiddenCells,
    view: View,
) -> Hashable:
    """What the pass is compiled for."""
    fill = None if values is None else values.shape[-2:] == (1, 1)
    grid = hidden.priorities.shape[1]
    dtypes = (pixels.dtype, out.dtype, hidden.priorities.dtype)
    return str(pixels.device), dtypes, fill, grid, pixels.shape[2:], view.fits(grid)


def _prove(kind: Hashable, out: torch.Tensor, expected: torch.Tensor) -> None:
    """Take a kind for right if `out` has the expected bits; else give `out` these, and
    compile nothing any more.
    """
    import torch

    # As bytes: not a number equals itself there.
    if torch.equal(out.view(torch.uint8), expected.view(torch.uint8)):
        _proved.add(kind)
        return
    _failures.append("other pixels than the plain operations give")
    out.copy_(expected)


def _is_possible(pixels: torch.Tensor, out: torch.Tensor) -> bool:
    import torch

    if pixels.device.type not in _DEVICES or not pixels.numel():
        return False
    if not pixels.is_contiguous() or not out.is_contiguous():
        return False
    # A kernel has no gradient.
    if pixels.requires_grad or out.requires_grad:
        return False
    # What a subclass holds may be something else than memory of its own.
    if type(pixels) is not torch.Tensor or type(out) is not torch.Tensor:
        return False
    # Programs read and write the same pixel, so the same memory is right, and shifted
    # memory is not.
    is_same = pixels.data_ptr() == out.data_ptr() and pixels.dtype == out.dtype
    return is_same or not _overlap(pixels, out)


def _overlap(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two contiguous tensors share memory."""
    starts_before_end = first.data_ptr() < second.data_ptr() + second.nbytes
    ends_after_start = second.data_ptr() < first.data_ptr() + first.nbytes
    return starts_before_end and ends_after_start


def _launch(
    pixels: torch.Tensor,
    table: torch.Tensor | None,
    values: torch.Tensor | None,
    out: torch.Tensor,
    hidden: HiddenCells,
    view: View,
) -> None:
    import torch

    # Imported here: loading Triton takes longer than many a run.
    from ._kernels import BLOCK, hide_pixels

    images, _, height, width = pixels.shape
    grid = hidden.priorities.shape[1]
    priorities = hidden.priorities
    if not priorities[0].is_contiguous():
        priorities = priorities.contiguous()
    fill = _Fill(out, 0, 0, False)
    if values is not None:
        fill = _fill_of(values, height, width)

    rows = columns = priorities
    cell_height = cell_width = rows_image = columns_image = 0
    if view.fits(grid):
        cell_height = height // grid
        cell_width = width // grid
    else:
        rows, columns = view.short_cells(grid, pixels.device)
        # One list for all images, or one per image.
        if len(rows) > 1:
            rows_image = height
            columns_image = width

    area = height * width
    blocks = -(-area // BLOCK)
    if blocks * images >= _MOST_PROGRAMS:
        raise ValueError(f"a batch of {images} x {height} x {width} pixels")
    programs: Any = hide_pixels[(blocks * images,)]
    with _on_device_of(pixels):
        programs(
            pixels,
            out,
            out if table is None else table,
            fill.memory,
            priorities,
            rows,
            columns,
            hidden.threshold,
            blocks,
            fill.image,
            fill.channel,
            priorities.stride(0),
            rows_image,
            columns_image,
            GRID=grid,
            WIDTH=width,
            AREA=area,
            CELL_HEIGHT=cell_height,
            CELL_WIDTH=cell_width,
            HAS_TABLE=table is not None,
            HAS_FILL=values is not None,
            IS_PLANE=fill.is_plane,
            BLOCK=BLOCK,
            # It adds and multiplies nothing; unsaid, Triton warns of a coming default.
            enable_fp_fusion=False,
        )
    # Torch does not see what a kernel of another library writes.
    if not out.is_inference():
        torch.autograd.graph.increment_version(out)


class _Fill(NamedTuple):
    """Where the kernel finds the fill."""

    memory: torch.Tensor
    image: int
    """Numbers from one image to the next."""
    channel: int
    is_plane: bool
    """Whether there is a number per pixel, in place of one per channel."""


def _fill_of(values: torch.Tensor, height: int, width: int) -> _Fill:
    is_plane = values.shape[-2:] != (1, 1)
    if is_plane:
        values = values.expand(-1, -1, height, width)
        # The pixels of a plane follow each other.
        if not values[0, 0].is_contiguous():
            values = values.contiguous()
    image = values.stride(0) if values.shape[0] > 1 else 0
    channel = values.stride(1) if values.shape[1] > 1 else 0
    return _Fill(values, image, channel, is_plane)


def _on_device_of(pixels: torch.Tensor) -> AbstractContextManager[Any]:
    """Triton starts its programs on the current device."""
    import torch

    if pixels.device.type == "cuda":
        return torch.cuda.device(pixels.device)
    return nullcontext()

"""JPEGs decoded, resized and cropped by torchvision, on a device if it has a decoder.

The pixels are near those that `prepare` gives, and not equal to them: a run that uses
them says so. On a CUDA device nvJPEG decodes.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import Prepared
from .preparing import way_of_preparing

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from ._formats.pictures import Shaped


_THREAD = threading.local()


def prepared_from_jpeg(
    model: Any, content: bytes, mode: Literal["L", "RGB"]
) -> Prepared | None:
    """What a model's `prepare` gives of a JPEG, but for rounding, prepared on its device.

    None if its `prepare` is not known to be a resize and a crop of this package. The
    pixels come back to the host. Raises whatever torchvision raises for a JPEG that it
    cannot decode.
    """
    shaped = _shaped_of(model)
    if shaped is None:
        return None
    # Metal has no decoder of JPEGs.
    device = model.device if model.device.startswith("cuda") else "cpu"
    with _stream_of_this_thread(device):
        decoded = _decoded(content, mode, device)
        return _prepared(decoded, shaped)


def _stream_of_this_thread(device: str) -> AbstractContextManager[Any]:
    """Work of this thread alone: the usual stream is full of the model's forward passes,
    and whatever is copied to the host would wait for them.
    """
    import torch

    if device == "cpu":
        return nullcontext()
    streams: dict[str, torch.cuda.Stream] = vars(_THREAD).setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(streams[device])


def _shaped_of(model: Any) -> Shaped | None:
    from PIL.Image import Resampling

    from ._formats.pictures import Shaped

    way = way_of_preparing(model)
    shaped = way if isinstance(way, Shaped) else getattr(way, "shaped", None)
    if not isinstance(shaped, Shaped) or shaped.grey:
        return None
    # The others are not torchvision's.
    known = (Resampling.BICUBIC, Resampling.BILINEAR)
    return shaped if shaped.filter in known else None


def _decoded(content: bytes, mode: Literal["L", "RGB"], device: str) -> torch.Tensor:
    """(1 or 3, H, W) uint8 on the device."""
    import torch

    # It registers the operators. Its function for them warns each time that another
    # library will take its place.
    from torchvision.io import ImageReadMode

    read_mode = ImageReadMode.GRAY if mode == "L" else ImageReadMode.RGB
    # A copy: torch wants memory that may be written to.
    stored = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    picture: torch.Tensor
    if device == "cpu":
        picture = torch.ops.image.decode_jpeg(stored, read_mode.value, False)
    else:
        on_device = torch.device(device)
        (picture,) = torch.ops.image.decode_jpegs_cuda(
            [stored], read_mode.value, on_device
        )
    return picture


def _prepared(picture: torch.Tensor, shaped: Shaped) -> Prepared:
    from PIL.Image import Resampling
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    geometry = shaped.geometry
    rows, columns = picture.shape[-2:]
    width, height = geometry.resized(columns, rows)
    mode = InterpolationMode.BILINEAR
    if shaped.filter == Resampling.BICUBIC:
        mode = InterpolationMode.BICUBIC
    resized = functional.resize(picture, [height, width], mode, antialias=True)
    left = geometry.offset(width)
    top = geometry.offset(height)
    side = geometry.side
    cut = functional.crop(resized, top, left, side, side)
    pixels: NDArray[np.uint8] = cut.expand(3, side, side).cpu().numpy()
    # Three views of a grey channel become three channels.
    return Prepared(np.ascontiguousarray(pixels), geometry.frame(columns, rows))

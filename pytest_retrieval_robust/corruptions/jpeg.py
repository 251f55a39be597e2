"""`jpeg`: stored with loss in between."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CorruptionError
from ..core.uploads import upload
from . import CorruptionEntry
from ._presets import IMAGENET_C, MEDMNIST_C, ROBUSTMEDCLIP, PresetCorruption, Steps
from ._whole import values_of

if TYPE_CHECKING:
    import torch

    from ..core.catalogue import Catalogue
    from .region import Region

_MEDMNIST_QUALITIES = Steps(100, (50, 30, 15, 10, 7))


@dataclass(frozen=True)
class Jpeg(PresetCorruption):
    """Written as JPEG and read again by Pillow, where the parameter is the quality, as a
    whole number from 100 down.

    Only the host has the codec: pixels of a device are copied there and back, which waits
    for the device. The picture is the region as the model sees it: the blocks of 8 x 8
    pixels do not grow with the size. Bits may differ between versions of libjpeg.
    """

    family: ClassVar[str] = "jpeg"
    rises_by_film: ClassVar[bool] = False
    presets: ClassVar = {
        MEDMNIST_C: _MEDMNIST_QUALITIES,
        ROBUSTMEDCLIP: _MEDMNIST_QUALITIES,
        IMAGENET_C: Steps(100, (25, 18, 15, 10, 7)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, c, h, w): the pixels as they are read again."""
        import torch

        quality = max(1, round(self.parameter(severity)))
        values = values_of(region)
        if values.dtype != torch.uint8:
            values = (values * 255).round_().to(torch.int16).to(torch.uint8)
        pictures = values.cpu().numpy()
        again = np.stack([read_again(channels, quality) for channels in pictures])
        return upload(torch.from_numpy(again), region.shown.device)


def read_again(channels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """(c, h, w) bytes of three channels or one, written and read.

    A grey picture is written without colours. Written as three equal channels it would be
    read as the same.
    """
    from PIL import Image

    bands = [Image.fromarray(np.ascontiguousarray(channel)) for channel in channels]
    stored = BytesIO()
    try:
        picture = bands[0] if len(bands) == 1 else Image.merge("RGB", bands)
        picture.save(stored, "JPEG", quality=quality)
        with Image.open(stored, formats=["JPEG"]) as read:
            return np.stack([np.asarray(band) for band in read.split()])
    except (OSError, KeyError):
        raise CorruptionError(_no_codec(channels.shape)) from None


def _no_codec(shape: tuple[int, ...]) -> str:
    height, width = shape[1:]
    return (
        "Expected that Pillow writes and reads JPEG, got an error of its codec for a"
        f" picture of height={height}, width={width}. Install a Pillow with JPEG (`python"
        " -m PIL` says whether it has it), keep sides below 65500 pixels, or leave jpeg"
        " out."
    )


def register(catalogue: Catalogue[CorruptionEntry]) -> None:
    """Add the corruption."""
    catalogue.add(
        CorruptionEntry(
            name=Jpeg.family,
            summary="stored with loss in between",
            parameters={"preset": str},
            build=Jpeg,
        )
    )

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
    presets: ClassVar = {
        MEDMNIST_C: _MEDMNIST_QUALITIES,
        ROBUSTMEDCLIP: _MEDMNIST_QUALITIES,
        IMAGENET_C: Steps(100, (25, 18, 15, 10, 7)),
    }

    def changed(self, region: Region, severity: float) -> torch.Tensor:
        """(b, 3, h, w): the pixels as they are read again."""
        import torch

        quality = max(1, round(self.parameter(severity)))
        bytes_of = (region.pixels * 255).round_().to(torch.uint8).cpu()
        pictures = bytes_of.permute(0, 2, 3, 1).numpy()
        again = np.stack([read_again(picture, quality) for picture in pictures])
        read = upload(torch.from_numpy(again), region.shown.device)
        return read.permute(0, 3, 1, 2).float().mul_(1 / 255).expand(-1, 3, -1, -1)


def read_again(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """(h, w, 3) bytes, written and read: (h, w, 3), or (h, w, 1) of a grey picture.

    A grey picture is written without colours. Read as three channels it would be the
    same.
    """
    from PIL import Image

    grey = picture[:, :, :1]
    is_grey = bool((picture == grey).all())
    stored = BytesIO()
    try:
        if is_grey:
            image = Image.fromarray(np.ascontiguousarray(grey[:, :, 0]))
        else:
            image = Image.fromarray(np.ascontiguousarray(picture))
        image.save(stored, "JPEG", quality=quality)
        with Image.open(stored, formats=["JPEG"]) as read:
            pixels: NDArray[np.uint8] = np.asarray(read)
    except (OSError, KeyError):
        raise CorruptionError(_no_codec(picture.shape)) from None
    return pixels[:, :, None] if is_grey else pixels


def _no_codec(shape: tuple[int, ...]) -> str:
    height, width = shape[:2]
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

"""From a source image to an authors' network's square: their own resize, pad and crop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.errors import ModelError
from .. import Frame, Prepared
from .geometry import Geometry

Prepare: TypeAlias = Callable[[Image.Image], Prepared]
_EIGHT_BIT = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
)
_MOST_PIXELS = 64_000_000
"""Limit for an image after its resize: a strip of 1 x 5,000 pixels would take gigabytes."""


@dataclass(frozen=True)
class Picture:
    """A network's input: its geometry, and the authors' constants on the 0..1 scale."""

    prepare: Prepare
    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def way(self) -> Way | None:
        """What the prepared pixels follow from; None if that is not known."""
        return way_or_none(self.prepare)


def eight_bit(image: Image.Image) -> Image.Image:
    """The image as `L` or `RGB`: alpha is dropped, palettes and other colour spaces become RGB.

    Raises `ModelError` for 16-bit, 32-bit and float images: cut to 8 bits, most of them
    would be white.
    """
    if image.mode in ("L", "RGB"):
        return image
    if image.mode not in _EIGHT_BIT:
        raise ModelError(
            f"Expected an 8-bit image, got mode={image.mode!r}. Scale its values to"
            " 0..255 when you read it (the readers of this package do): only the reader"
            " knows the right window."
        )
    if image.mode == "La":
        # Pillow knows no shorter way.
        image = image.convert("LA")
    if image.mode in ("1", "LA"):
        return image.convert("L")
    return image.convert("RGB")


def require_shape(image: Image.Image, width: int, height: int) -> None:
    """Raise `ModelError` if a resize to (width, height) leaves nothing, or far too much."""
    # A strip of pixels may shrink to nothing on its short side.
    if min(width, height) < 1 or width * height > _MOST_PIXELS:
        raise ModelError(
            f"Expected an image that can be resized whole, got size={image.size}, which"
            f" becomes {width} x {height}. Leave it out of the data set, or crop it"
            " first."
        )


def three_channels(grey: Image.Image) -> NDArray[np.uint8]:
    """(3, H, W) of a grey image."""
    return np.repeat(np.asarray(grey, dtype=np.uint8)[None], 3, axis=0)


def channels_first(picture: Image.Image) -> NDArray[np.uint8]:
    """(3, H, W) of an image of mode `L` or `RGB`.

    A grey image is resized and cropped as `L` and repeated here. Pillow resizes each
    channel by itself, so the pixels are those of the same image as `RGB`, in a third of
    the time.
    """
    if picture.mode == "L":
        return three_channels(picture)
    # PIL stores pixels with their channels last.
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


@dataclass(frozen=True)
class Way(ABC):
    """A way to prepare images that is known by its settings.

    Equal ways give every image the same pixels and the same frame.
    """

    @abstractmethod
    def __call__(self, image: Image.Image) -> Prepared: ...


def way_or_none(prepare: Prepare) -> Way | None:
    return prepare if isinstance(prepare, Way) else None


@dataclass(frozen=True)
class Shaped(Way):
    """A resize and a centred crop (or black pad) on 8-bit images."""

    geometry: Geometry
    filter: Image.Resampling
    grey: bool

    def __call__(self, image: Image.Image) -> Prepared:
        source = eight_bit(image)
        if self.grey:
            source = source.convert("L")
        geometry = self.geometry
        width, height = geometry.resized(*source.size)
        require_shape(image, width, height)
        left = geometry.offset(width)
        top = geometry.offset(height)
        resized = source.resize((width, height), self.filter)
        cut = resized.crop((left, top, left + geometry.side, top + geometry.side))
        return Prepared(channels_first(cut), geometry.frame(*image.size))


def shaped(geometry: Geometry, filter_: Image.Resampling, *, grey: bool = False) -> Way:
    """A resize and a centred crop (or black pad) on 8-bit images.

    As torchvision and open_clip do them.
    """
    return Shaped(geometry, filter_, grey)


def resize_and_crop(
    size: int, crop: int, filter_: Image.Resampling, *, grey: bool = False
) -> Way:
    """torchvision's `Resize(size)` on the short side and `CenterCrop(crop)`."""
    return shaped(Geometry("shortest", size, crop), filter_, grey=grey)


def stretch(side: int, filter_: Image.Resampling, *, grey: bool = False) -> Way:
    """Both sides resized to `side`; the aspect is not kept."""
    return shaped(Geometry("exact", side, side), filter_, grey=grey)


@dataclass(frozen=True)
class _StretchedWithoutAntialias(Way):
    side: int

    def __call__(self, image: Image.Image) -> Prepared:
        import torch

        levels = np.asarray(eight_bit(image), dtype=np.float32)
        if levels.ndim == 2:
            # Three views of one channel: torch rounds a single channel differently.
            channels = torch.from_numpy(levels).expand(3, *levels.shape)
        else:
            channels_last = torch.from_numpy(levels)
            channels = channels_last.permute(2, 0, 1).contiguous()
        resized = torch.nn.functional.interpolate(
            channels[None],
            size=(self.side, self.side),
            mode="bilinear",
            align_corners=False,
        )
        pixels = resized[0].clamp(0, 255).numpy().astype(np.uint8)
        frame = Geometry("exact", self.side, self.side).frame(*image.size)
        return Prepared(pixels, frame)


def stretch_without_antialias(side: int) -> Way:
    """Both sides resized to `side` as TensorFlow does by default, cut to uint8.

    That is `tf.image.resize(method="bilinear", antialias=False)`.
    """
    return _StretchedWithoutAntialias(side)


@dataclass(frozen=True)
class _PaddedAndResized(Way):
    side: int
    filter: Image.Resampling

    def __call__(self, image: Image.Image) -> Prepared:
        width, height = image.size
        full = max(self.side, width, height)
        require_shape(image, full, full)
        # Halves are cut towards zero, as the authors' code does.
        left = int((full - width) / 2)
        top = int((full - height) / 2)
        square = Image.new("L", (full, full), 0)
        square.paste(eight_bit(image), (left, top))
        pixels = three_channels(square.resize((self.side, self.side), self.filter))
        return Prepared(pixels, _frame_of(left, top, image.size, full))


def pad_and_resize(side: int, filter_: Image.Resampling) -> Way:
    """MedCLIP's: onto a black grey square of at least `side` pixels, then resized.

    Small images are not enlarged.
    """
    return _PaddedAndResized(side, filter_)


@dataclass(frozen=True)
class _FittedAndPadded(Way):
    canvas: int
    side: int
    mean: float
    std: float
    antialias: bool

    def __call__(self, image: Image.Image) -> Prepared:
        source = eight_bit(image)
        canvas = self.canvas
        ratio = canvas / max(source.size)
        width, height = (int(length * ratio) for length in source.size)
        require_shape(image, width, height)
        # The odd pixel goes right and below.
        left = (canvas - width) // 2
        top = (canvas - height) // 2
        square = Image.new("L", (canvas, canvas), 0)
        fitted = source.resize((width, height), Image.Resampling.LANCZOS)
        square.paste(fitted, (left, top))
        levels = np.asarray(square, dtype=np.float32)
        normalised = _bicubic(
            (levels - np.float32(self.mean)) / np.float32(self.std),
            self.side,
            self.antialias,
        )
        # Back to 0..1 in double precision, so that normalising again gives the authors'
        # pixels to 3e-7.
        shares = (normalised.astype(np.float64) * self.std + self.mean) / 255
        pixels = shares.astype(np.float32)
        frame = _frame_of(left, top, (width, height), canvas)
        return Prepared(np.repeat(pixels[None], 3, axis=0), frame)


def fit_and_pad(
    canvas: int, side: int, mean: float, std: float, *, antialias: bool
) -> Way:
    """CXR-RePaiR's and CheXzero's: longer side to `canvas` (Lanczos), centred on black,
    then bicubic to `side`.

    The second resize is of normalised floats (`mean` and `std` on the 0..255 scale) and
    overshoots, as the authors' does: they do not clamp.
    """
    return _FittedAndPadded(canvas, side, mean, std, antialias)


def _frame_of(left: int, top: int, size: tuple[int, int], full: int) -> Frame:
    """The box of an image of `size` at (left, top) in a square of `full` pixels."""
    width, height = size
    return left / full, top / full, (left + width) / full, (top + height) / full


def _bicubic(
    grey: NDArray[np.float32], side: int, antialias: bool
) -> NDArray[np.float32]:
    import torch

    resized = torch.nn.functional.interpolate(
        torch.from_numpy(grey)[None, None],
        size=(side, side),
        mode="bicubic",
        align_corners=False,
        antialias=antialias,
    )
    return np.asarray(resized[0, 0].numpy())

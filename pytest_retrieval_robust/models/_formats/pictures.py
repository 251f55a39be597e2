"""From a source image to the square that an authors' network sees: their own resize,
pad and crop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...catalogue import unknown_name
from ...errors import ConfigError, ModelError
from .. import Prepared
from .geometry import Geometry, Resize

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
"""Of an image after its resize: a strip of 1 x 5,000 pixels would otherwise take gigabytes."""


@dataclass(frozen=True)
class Picture:
    """What a network is given: the geometry, and the constants that the authors
    normalise with (0..1 scale).
    """

    prepare: Prepare
    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
WITHOUT_ANTIALIAS = "bilinear-no-antialias"
"""TensorFlow's plain bilinear resize, cut to whole grey levels: what some cards
prescribe beside their processor.
"""
OVERRIDES = ("size", "resize", "interpolation", "mean", "std")
"""What a user may say of a checkpoint's preprocessing: `size` in pixels, `resize` one
of `shortest`, `longest`, `exact`, `interpolation` one of `FILTERS` or
`WITHOUT_ANTIALIAS`, `mean` and `std` of the three channels on the 0..1 scale.
"""


def checked_overrides(name: str, overrides: object) -> dict[str, Any]:
    """The overrides of a model's preprocessing; `ConfigError` says what is close to an
    unknown or wrong one.
    """
    if not isinstance(overrides, Mapping):
        raise ConfigError(
            f"Expected a table of overrides ({', '.join(OVERRIDES)}) for {name}, got"
            f" preprocessing={overrides!r}."
        )
    for key, value in overrides.items():
        if key not in OVERRIDES:
            raise unknown_name(f"override of {name}'s preprocessing", key, OVERRIDES)
        known = {
            "resize": get_args(Resize),
            "interpolation": (*FILTERS, WITHOUT_ANTIALIAS),
        }.get(key)
        if known is not None and value not in known:
            raise unknown_name(key, str(value), known)
        if key == "size" and (
            not isinstance(value, int) or isinstance(value, bool) or value < 1
        ):
            raise ConfigError(
                f"Expected a size in pixels for {name}, got size={value!r}. Give a"
                " whole number."
            )
        if key in ("mean", "std") and not _is_three_numbers(value):
            raise ConfigError(
                f"Expected three numbers on the 0..1 scale for {name}, got"
                f" {key}={value!r}. Give one a channel."
            )
    return dict(overrides)


def _is_three_numbers(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(isinstance(one, int | float) for one in value)
    )


def eight_bit(image: Image.Image) -> Image.Image:
    """The image as `L` or `RGB`: alpha is dropped, palettes and other colour spaces become RGB.

    Raises `ModelError` for 16-bit, 32-bit and float images: cutting them to 8 bits
    would turn most of them white.
    """
    if image.mode in ("L", "RGB"):
        return image
    if image.mode not in _EIGHT_BIT:
        raise ModelError(
            f"Expected an 8-bit image, got mode={image.mode!r}. Scale its values to"
            " 0..255 when it is read (the readers of this package do), for every"
            " window cuts something else."
        )
    return image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")


def require_shape(image: Image.Image, width: int, height: int) -> None:
    """Raise `ModelError` where a resize to (width, height) leaves nothing, or far too much."""
    if min(width, height) < 1 or width * height > _MOST_PIXELS:
        raise ModelError(
            f"Expected an image that can be resized whole, got size={image.size}, which"
            f" becomes {width} x {height}. Leave it out of the data set, or crop it"
            " first."
        )


def three_channels(grey: Image.Image) -> NDArray[np.uint8]:
    """(3, H, W) of a grey image."""
    return np.repeat(np.asarray(grey, dtype=np.uint8)[None], 3, axis=0)


def shaped(
    geometry: Geometry, filter_: Image.Resampling, *, grey: bool = False
) -> Prepare:
    """A resize and a centred crop (or black pad) on 8-bit images, as torchvision and
    open_clip do them.
    """

    def prepare(image: Image.Image) -> Prepared:
        shown = eight_bit(image).convert("L" if grey else "RGB")
        width, height = geometry.resized(*shown.size)
        require_shape(image, width, height)
        left, top = geometry.offset(width), geometry.offset(height)
        cut = shown.resize((width, height), filter_).crop(
            (left, top, left + geometry.side, top + geometry.side)
        )
        pixels = (
            three_channels(cut)
            if grey
            else np.ascontiguousarray(np.asarray(cut).transpose(2, 0, 1))
        )
        return Prepared(pixels, geometry.frame(*image.size))

    return prepare


def resize_and_crop(
    size: int, crop: int, filter_: Image.Resampling, *, grey: bool = False
) -> Prepare:
    """torchvision's `Resize(size)` on the short side and `CenterCrop(crop)`."""
    return shaped(Geometry("shortest", size, crop), filter_, grey=grey)


def stretch(side: int, filter_: Image.Resampling, *, grey: bool = False) -> Prepare:
    """Both sides resized to `side`; the aspect is not kept."""
    return shaped(Geometry("exact", side, side), filter_, grey=grey)


def stretch_without_antialias(side: int) -> Prepare:
    """Both sides resized to `side` as `tf.image.resize(method="bilinear",
    antialias=False)` does, cut to uint8.
    """

    def prepare(image: Image.Image) -> Prepared:
        import torch

        shown = np.asarray(eight_bit(image).convert("RGB"), dtype=np.float32).transpose(
            2, 0, 1
        )
        resized = torch.nn.functional.interpolate(
            torch.from_numpy(np.ascontiguousarray(shown))[None],
            size=(side, side),
            mode="bilinear",
            align_corners=False,
        )
        pixels = resized[0].clamp(0, 255).numpy().astype(np.uint8)
        return Prepared(pixels, Geometry("exact", side, side).frame(*image.size))

    return prepare


def pad_and_resize(side: int, filter_: Image.Resampling) -> Prepare:
    """MedCLIP's: onto a black grey square of at least `side` pixels, then resized;
    small images are not enlarged.
    """

    def prepare(image: Image.Image) -> Prepared:
        width, height = image.size
        full = max(side, width, height)
        require_shape(image, full, full)
        left, top = int((full - width) / 2), int((full - height) / 2)
        square = Image.new("L", (full, full), 0)
        square.paste(eight_bit(image), (left, top))
        frame = (left / full, top / full, (left + width) / full, (top + height) / full)
        return Prepared(three_channels(square.resize((side, side), filter_)), frame)

    return prepare


def fit_and_pad(
    canvas: int, side: int, mean: float, std: float, *, antialias: bool
) -> Prepare:
    """CXR-RePaiR's and CheXzero's: longer side to `canvas` (Lanczos), centred on black,
    then bicubic to `side`.

    The second resize is of normalised floats (`mean` and `std` on the 0..255 scale) and
    overshoots, as theirs does: they do not clamp.
    """

    def prepare(image: Image.Image) -> Prepared:
        shown = eight_bit(image)
        ratio = canvas / max(shown.size)
        width, height = (int(length * ratio) for length in shown.size)
        require_shape(image, width, height)
        left, top = (canvas - width) // 2, (canvas - height) // 2
        square = Image.new("L", (canvas, canvas), 0)
        square.paste(
            shown.resize((width, height), Image.Resampling.LANCZOS), (left, top)
        )
        frame = (
            left / canvas,
            top / canvas,
            (left + width) / canvas,
            (top + height) / canvas,
        )
        normalised = _bicubic(
            (np.asarray(square, dtype=np.float32) - np.float32(mean)) / np.float32(std),
            side,
            antialias,
        )
        # Back to 0..1 in double precision, so that normalising again gives their pixels to 3e-7.
        pixels = ((normalised.astype(np.float64) * std + mean) / 255).astype(np.float32)
        return Prepared(np.repeat(pixels[None], 3, axis=0), frame)

    return prepare


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

"""Opening, preparing and encoding images, for everything that shows images to a model.

Data sets and models are written by others: what they return is copied and checked here,
and what they raise becomes an error of ours that quotes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .calling import encode_images
from .errors import DatasetError, ModelError, RobustError
from .foreign import FOREIGN, described, let_go, traced, without_frames
from .fresh import has_new_memory
from .normalisation import on_unit_scale
from .uploads import upload

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

Box: TypeAlias = tuple[float, float, float, float]
"""(left, top, right, bottom) of the source image in the prepared square, in relative
coordinates of the square.

The box reaches beyond 0..1 where the model's preprocessing crops and lies inside 0..1
where it pads.
"""

Frame: TypeAlias = Box | Sequence[Box]
"""One box for the whole batch, or one per image."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
"""The frame of an image that fills the square exactly."""


class Prepares(Protocol):
    """What `prepare` returns."""

    @property
    def pixels(self) -> NDArray[Any]: ...

    @property
    def frame(self) -> Box: ...


class Encoder(Protocol):
    """The part of a model that occluders use."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    def prepare(self, image: Image) -> Prepares: ...

    def encode_images(self, pixels: Tensor) -> Tensor: ...


class Images(Protocol):
    """The part of a data set that occluders use."""

    @property
    def name(self) -> str: ...

    @property
    def image_ids(self) -> Sequence[str]: ...

    def image(self, index: int) -> Image: ...


@dataclass(frozen=True)
class _Prepared:
    """A prepared image in memory that nobody else writes to."""

    pixels: NDArray[Any]
    frame: Box


def batch_size(device: str) -> int:
    """The default number of images that are encoded at a time on a device."""
    return 256 if device.startswith("cuda") else 64


def unit_scale(pixels: NDArray[Any] | Tensor, device: str) -> Tensor:
    """(B, 3, S, S) uint8 or float32 -> float32 on the 0..1 scale on the device."""
    import torch

    tensor = upload(pixels, device)
    if tensor.dtype == torch.uint8:
        return on_unit_scale(tensor)
    return tensor


def stacked(prepared: Sequence[Prepares], model: str) -> NDArray[Any]:
    """(B, 3, S, S) the pixels of a batch, as they were prepared; `ModelError` where
    they differ in shape.
    """
    shapes = {image.pixels.shape for image in prepared}
    if len(shapes) != 1:
        raise ModelError(
            f"Expected prepare() of {model} to give one shape (3, S, S), got"
            f" shapes={sorted(shapes)}. Resize to a fixed square."
        )
    return np.stack([image.pixels for image in prepared])


def open_image(dataset: Images, number: int, shown: str) -> Image:
    """The image of that number, decoded, in memory of its own; `DatasetError` otherwise.

    A data set may return the same object each time, and a model's `prepare` may change
    what it is given. The text of a foreign error may hold a path with a patient's
    number, or a report: `shown` names the image in its place.
    """
    opened = _opened(dataset, number)
    if isinstance(opened, RobustError):
        raise without_frames(opened)
    if isinstance(opened, BaseException):
        unopened = DatasetError(
            f"Expected image() of {dataset.name} to give an image, got"
            f" {described(opened)} for {shown}. Fix the data set's reader, or that file."
        )
        unopened = traced(unopened, opened)
        let_go(opened)
        raise unopened
    if isinstance(opened, str):
        raise DatasetError(
            f"Expected image() of {dataset.name} to give a PIL image with pixels, got"
            f" {opened} for {shown}. Return a PIL.Image.Image of at least 1 x 1 pixels."
        )
    return opened


def _opened(dataset: Images, number: int) -> Image | str | BaseException:
    """The image; or what was got in its place; or what the data set's reader raised."""
    from PIL import Image

    try:
        method = dataset.image
        image = method(number)
        if not isinstance(image, Image.Image):
            return f"a {type(image).__name__}"
        if min(image.size) == 0:
            return f"size={image.size}"
        # One that shares memory with an array cannot be written to.
        if has_new_memory(method) and not image.readonly:
            return image
        # Pillow reads the file only now, unless the data set did.
        return image.copy()
    except FOREIGN as error:
        return error


def prepare_image(encoder: Encoder, image: Image) -> Prepares:
    """What the model's `prepare` returns, in memory of its own; a `ModelError` for
    whatever it raises.
    """
    try:
        prepared: Prepares | BaseException = _copied(
            encoder.prepare(image), encoder.name
        )
    except FOREIGN as error:
        prepared = error
    # Raised outside of the handler, so that no foreign error hangs on to ours.
    if isinstance(prepared, RobustError):
        raise without_frames(prepared)
    if isinstance(prepared, BaseException):
        unprepared = ModelError(
            f"Expected prepare of {encoder.name} to give Prepared(pixels, frame), got"
            f" {described(prepared)}. Fix prepare, or what it expects of an image: this"
            f" one had mode={image.mode!r} and size={image.size}."
        )
        unprepared = traced(unprepared, prepared)
        let_go(prepared)
        raise unprepared
    return prepared


def _copied(prepared: object, model: str) -> _Prepared:
    """A model may give the same memory each time, or read-only memory."""
    # What a user's `prepare` returns is of any type, so its attributes are looked up.
    pixels = getattr(prepared, "pixels", None)
    frame = getattr(prepared, "frame", None)
    if pixels is None or frame is None:
        raise ModelError(
            f"Expected prepare of {model} to give Prepared(pixels, frame), got a"
            f" {type(prepared).__name__}. Return"
            " pytest_retrieval_robust.models.Prepared."
        )
    copy = np.array(pixels)
    if copy.dtype.kind == "f":
        copy = copy.astype(np.float32, copy=False)
    is_picture = copy.ndim == 3 and copy.shape[0] == 3
    if not is_picture or copy.dtype not in (np.uint8, np.float32):
        raise ModelError(
            f"Expected prepare of {model} to give pixels of shape (3, S, S) in uint8 or"
            f" float32, got shape={copy.shape}, dtype={copy.dtype}. Repeat grey to"
            " three channels, and scale other numbers to 0..1."
        )
    return _Prepared(copy, frame)


def encode(encoder: Encoder, pixels: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, D) float32; `ModelError` for what fails. Neither side sees
    the other's memory.
    """
    return encode_images(encoder, pixels).rows

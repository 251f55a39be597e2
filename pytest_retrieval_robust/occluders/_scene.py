"""What an occluder may look at before it hides: a model on a data set, and one batch of
its images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.calling import encode_images
from ..core.errors import (
    DatasetError,
    ModelError,
    OcclusionError,
    RobustError,
    UnreadableImageError,
)
from ..core.foreign import FOREIGN, described, let_go, without_frames
from . import Box

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from ._donors import Donors

MaskReader = Callable[[int], Mapping[str, NDArray[np.bool_]]]


class Prepares(Protocol):
    """What `prepare` gives."""

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
    """The part of a data set that occluders use. One that has anatomical masks also has
    `masks(index)`, and may say in `regions` which names they have.
    """

    @property
    def name(self) -> str: ...

    @property
    def image_ids(self) -> Sequence[str]: ...

    def image(self, index: int) -> Image: ...


@dataclass(frozen=True, eq=False, repr=False)
class Setting:
    """A model on a data set, for as long as the two are evaluated."""

    encoder: Encoder
    dataset: Images
    reports: Tensor
    """(G, D) the embeddings of the gallery of reports."""
    report_groups: NDArray[np.int64]
    """(G,) their group numbers."""

    @cached_property
    def gallery_digest(self) -> bytes:
        """Changes with any embedding or group of the gallery."""
        return sha256(
            self.reports.cpu().numpy().tobytes() + self.report_groups.tobytes()
        ).digest()

    @cached_property
    def donors(self) -> Donors:
        """The data set's donors, prepared by the model; broken images are none."""
        from ._donors import DONORS, Donors
        from .hashing import by_hash

        dataset, ids, kept = self.dataset, [], []
        for number in by_hash(dataset.image_ids, "donors"):
            try:
                image = open_image(dataset, number, f"its image number {number}")
            except UnreadableImageError:
                continue
            kept.append(prepare_image(self.encoder, image))
            ids.append(dataset.image_ids[number])
            if len(ids) == DONORS:
                break
        if len(ids) < 2:
            raise OcclusionError(
                f"Expected at least two images in {dataset.name} for fill='donor', got"
                f" images={len(ids)}. Choose another fill."
            )
        pixels = unit_scale(stacked(kept, self.encoder.name), self.encoder.device)
        return Donors(ids, pixels, [one.frame for one in kept])

    @property
    def masks(self) -> MaskReader:
        """Reads the anatomical masks of an image by its number; `OcclusionError` where
        the data set has none.
        """
        read: MaskReader | None = getattr(self.dataset, "masks", None)
        # Data sets of files always have the method, but regions only where they were given masks.
        if read is None or getattr(self.dataset, "regions", None) == ():
            raise OcclusionError(
                "Expected a data set with anatomical masks, got none in"
                f" {self.dataset.name}. Give masks=FOLDER to a data set of files, or a"
                " masks(index) method to one of your own."
            )
        return read

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The names that masks of the data set have: its own `regions`, else those of
        all its masks, in order.
        """
        said: Sequence[str] | None = getattr(self.dataset, "regions", None)
        if said is not None:
            return tuple(said)
        read = self.masks
        return tuple(
            sorted(
                {
                    name
                    for number in range(len(self.dataset.image_ids))
                    for name in read(number)
                }
            )
        )


@dataclass(frozen=True, eq=False, repr=False)
class Scene:
    """One batch: B images of a setting, prepared and on the model's device."""

    setting: Setting
    numbers: Sequence[int]
    """The images' numbers in the data set."""
    ids: Sequence[str]
    pixels: Tensor
    """(B, 3, H, W) floating on the 0..1 scale."""
    frames: Sequence[Box]
    groups: NDArray[np.int64]
    """(B,) the images' group numbers: reports of the same group are right for them."""


def batch_size(device: str) -> int:
    """How many images are encoded at a time on a device, where nobody says otherwise."""
    return 256 if device.startswith("cuda") else 64


def unit_scale(pixels: NDArray[Any], device: str) -> Tensor:
    """(B, 3, S, S) uint8 or float32 on the host -> float32 on the 0..1 scale on the device."""
    import torch

    tensor, pinned = torch.from_numpy(pixels), device.startswith("cuda")
    # From pinned memory it is copied while the device works on the batch before.
    tensor = (tensor.pin_memory() if pinned else tensor).to(device, non_blocking=pinned)
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def stacked(prepared: Sequence[Prepares], model: str) -> NDArray[Any]:
    """(B, 3, S, S) the pixels of a batch, as they were prepared; `ModelError` where
    they differ in shape.
    """
    shapes = {one.pixels.shape for one in prepared}
    if len(shapes) != 1:
        raise ModelError(
            f"Expected prepare() of {model} to give one shape (3, S, S), got"
            f" shapes={sorted(shapes)}. Resize to a fixed square."
        )
    return np.stack([one.pixels for one in prepared])


def open_image(dataset: Images, number: int, shown: str) -> Image:
    """The image of that number, decoded, in memory of its own; a `DatasetError` for what is none.

    A data set may give the same object each time, which a model's `prepare` may then do
    with what it likes. The text of a foreign error may hold a path with a patient's
    number, or a report: `shown` names the image in its place.
    """
    found = _opened(dataset, number)
    if isinstance(found, RobustError):
        raise without_frames(found)
    if isinstance(found, BaseException):
        got = described(found)
        let_go(found)
        raise DatasetError(
            f"Expected image() of {dataset.name} to give an image, got {got} for"
            f" {shown}. Fix the data set's reader, or that file."
        )
    if isinstance(found, str):
        raise DatasetError(
            f"Expected image() of {dataset.name} to give a PIL image with pixels, got"
            f" {found} for {shown}. Return a PIL.Image.Image of at least 1 x 1 pixels."
        )
    return found


def _opened(dataset: Images, number: int) -> Image | str | BaseException:
    """The image; what was got in its place; or what the data set's reader raised."""
    from PIL import Image

    try:
        found = dataset.image(number)
        if not isinstance(found, Image.Image):
            return f"a {type(found).__name__}"
        # Pillow reads a file only now, unless the data set did.
        return found.copy() if min(found.size) > 0 else f"size={found.size}"
    except FOREIGN as error:
        return error


def prepare_image(encoder: Encoder, image: Image) -> Prepares:
    """What the model's `prepare` gives, in memory of its own; a `ModelError` for
    whatever it raises.
    """
    try:
        found: Prepares | BaseException = _copied(encoder.prepare(image), encoder.name)
    except FOREIGN as error:
        found = error
    if isinstance(found, RobustError):
        raise without_frames(found)
    if isinstance(found, BaseException):
        got = described(found)
        let_go(found)
        raise ModelError(
            f"Expected prepare of {encoder.name} to give Prepared(pixels, frame), got"
            f" {got}. Fix prepare, or what it expects of an image: this one had"
            f" mode={image.mode!r} and size={image.size}."
        )
    return found


@dataclass(frozen=True)
class _Own:
    """A prepared image in memory that nobody else writes to."""

    pixels: NDArray[Any]
    frame: Box


def _copied(prepared: object, model: str) -> Prepares:
    """A model may give the same memory each time, or read-only memory."""
    pixels, frame = (getattr(prepared, name, None) for name in ("pixels", "frame"))
    if pixels is None or frame is None:
        raise ModelError(
            f"Expected prepare of {model} to give Prepared(pixels, frame), got a"
            f" {type(prepared).__name__}. Return"
            " pytest_retrieval_robust.models.Prepared."
        )
    own = np.array(pixels)
    if own.dtype.kind == "f":
        own = own.astype(np.float32, copy=False)
    if own.ndim != 3 or own.shape[0] != 3 or own.dtype not in (np.uint8, np.float32):
        raise ModelError(
            f"Expected prepare of {model} to give pixels of shape (3, S, S) in uint8 or"
            f" float32, got shape={own.shape}, dtype={own.dtype}. Repeat grey to three"
            " channels, and scale other numbers to 0..1."
        )
    return _Own(own, frame)


def encode(encoder: Encoder, pixels: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, D) float32; `ModelError` for what fails. Neither side sees
    the other's memory.
    """
    return encode_images(encoder, pixels).rows

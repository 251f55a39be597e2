"""What an occluder may look at before it hides: a model on a data set, and one batch of its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError, ModelError, OcclusionError, RobustError, UnreadableImageError
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
    """The part of a data set that occluders use. One that has anatomical masks also has `masks(index)`, and may say in
    `regions` which names they have."""

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
        return sha256(self.reports.cpu().numpy().tobytes() + self.report_groups.tobytes()).digest()

    @cached_property
    def donors(self) -> Donors:
        """The data set's donors, prepared by the model; broken images are none."""
        from ._donors import DONORS, Donors
        from .hashing import by_hash

        dataset, ids, kept = self.dataset, [], []
        for number in by_hash(dataset.image_ids, "donors"):
            try:
                kept.append(self.encoder.prepare(open_image(dataset, number, f"its image number {number}")))
            except UnreadableImageError:
                continue
            ids.append(dataset.image_ids[number])
            if len(ids) == DONORS:
                break
        if len(ids) < 2:
            raise OcclusionError(
                f"Expected at least two images in {dataset.name} for fill='donor', got images={len(ids)}. "
                "Choose another fill."
            )
        pixels = unit_scale(np.stack([one.pixels for one in kept]), self.encoder.device)
        return Donors(ids, pixels, [one.frame for one in kept])

    @property
    def masks(self) -> MaskReader:
        """Reads the anatomical masks of an image by its number; `OcclusionError` where the data set has none."""
        read: MaskReader | None = getattr(self.dataset, "masks", None)
        # Data sets of files always have the method, but regions only where they were given masks.
        if read is None or getattr(self.dataset, "regions", None) == ():
            raise OcclusionError(
                f"Expected a data set with anatomical masks, got none in {self.dataset.name}. Give masks=FOLDER to a "
                "data set of files, or a masks(index) method to one of your own."
            )
        return read

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """The names that masks of the data set have: its own `regions`, else those of all its masks, in order."""
        said: Sequence[str] | None = getattr(self.dataset, "regions", None)
        if said is not None:
            return tuple(said)
        read = self.masks
        return tuple(sorted({name for number in range(len(self.dataset.image_ids)) for name in read(number)}))


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


def open_image(dataset: Images, number: int, shown: str) -> Image:
    """The image of that number; a foreign error of the data set's reader becomes a `DatasetError` without its text.

    That text may hold a path with a patient's number, or a report. `shown` names the image in its place.
    """
    try:
        return dataset.image(number)
    except RobustError:
        raise
    except Exception as error:
        raise DatasetError(
            f"Expected image() of {dataset.name} to give an image, got {type(error).__name__} for {shown}. "
            "Mend the data set's reader, or that file."
        ) from error


def encode(encoder: Encoder, pixels: Tensor) -> Tensor:
    """Encode a batch; when memory runs out, in pieces. What fails is a `ModelError`."""
    return FittingEncoder(encoder)(pixels)


class FittingEncoder:
    """Encodes batches in pieces that memory holds: halved, down to single images, each time that it runs out.

    What fitted is kept, so that a sweep runs out of memory once and not in every batch.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._most: int | None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, D); `ModelError` for whatever the encoder raises."""
        import torch

        while True:
            most = min(self._most or len(pixels), len(pixels))
            try:
                rows = [self._encoder.encode_images(piece) for piece in torch.split(pixels, most)]
                return rows[0] if len(rows) == 1 else torch.cat(rows)
            except torch.OutOfMemoryError as error:
                if most == 1:
                    raise broken_encoder(self._encoder.name, "encode_images", error) from error
            except Exception as error:
                raise broken_encoder(self._encoder.name, "encode_images", error) from error
            # Outside of the except block: the error's traceback would hold on to the memory of the failed piece.
            torch.cuda.empty_cache()
            self._most = most // 2


def broken_encoder(model: str, method: str, error: Exception) -> ModelError:
    """The error of an encoder that raised one of its own."""
    return ModelError(
        f"Expected {method} of {model} to return embeddings, got {type(error).__name__}: {error} "
        "Mend the encoder, or its input size and device."
    )

"""Encoders that treat memory as their own, and the honest one that each of them must score like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust.models import Prepared

from .measure.sweep.test_sweep import Pixels


class Mutating(Pixels):
    """Normalises in place, and leaves nothing of what it was given."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels).clone()
        pixels -= 0.5
        pixels.zero_()
        return rows


class ThroughNumpy(Pixels):
    """The same through an array that shares the tensor's memory, which no version counter sees."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels).clone()
        pixels.numpy()[:] = 7.0
        return rows


class ThroughStorage(Pixels):
    """Empties all of the memory behind what it was given, and asks for its gradients."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels).clone()
        pixels.requires_grad_()
        pixels.untyped_storage().fill_(0)  # type: ignore[attr-defined]
        return rows


class OneBuffer(Pixels):
    """Returns the same memory each time."""

    buffers: dict[str, Tensor]

    def _copied_to_buffer(self, name: str, rows: Tensor) -> Tensor:
        self.__dict__.setdefault("buffers", {})
        buffer = self.buffers.setdefault(name, torch.zeros(64, rows.shape[1]))
        buffer[: len(rows)] = rows
        return buffer[: len(rows)]

    def encode_images(self, pixels: Tensor) -> Tensor:
        return self._copied_to_buffer("images", super().encode_images(pixels))

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        return self._copied_to_buffer("reports", super().encode_reports(texts))


class ViewOfTheLast(Pixels):
    """What it returned before becomes the last input's rows: as with a graph that is replayed."""

    last: Tensor | None = None

    def encode_images(self, pixels: Tensor) -> Tensor:
        rows = super().encode_images(pixels)
        if self.last is not None:
            self.last.copy_(rows[:1].expand_as(self.last))
        self.last = rows
        return rows


class Arrays(Pixels):
    """Returns arrays of numpy: a read-only one, and views of one that is written again."""

    def encode_images(self, pixels: Tensor) -> Any:
        rows = super().encode_images(pixels).numpy()
        if not hasattr(self, "shared"):
            self.shared = np.zeros((64, rows.shape[1]), np.float32)
        self.shared[: len(rows)] = rows
        return self.shared[: len(rows)]

    def encode_reports(self, texts: Sequence[str]) -> Any:
        rows = super().encode_reports(texts).numpy().copy()
        rows.flags.writeable = False
        return rows


class WithGradients(Pixels):
    """Rows with a graph behind them, which would keep all activations."""

    def encode_images(self, pixels: Tensor) -> Tensor:
        return super().encode_images(pixels) * torch.ones(1, requires_grad=True)


class EmptiesTexts(Pixels):
    """Takes the list that it is given apart."""

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        rows = super().encode_reports(texts)
        assert isinstance(texts, list)
        texts.clear()
        return rows


class OnePicture(Pixels):
    """Prepares every image in the same memory, and shrinks what it is given."""

    def prepare(self, image: Image.Image) -> Prepared:
        prepared = super().prepare(image)
        if not hasattr(self, "shared"):
            self.shared = np.zeros_like(prepared.pixels)
        self.shared[:] = prepared.pixels
        image.paste(0, (0, 0, *image.size))
        return Prepared(self.shared, prepared.frame)


ALL: tuple[type[Pixels], ...] = (
    Mutating,
    ThroughNumpy,
    ThroughStorage,
    OneBuffer,
    ViewOfTheLast,
    Arrays,
    WithGradients,
    EmptiesTexts,
)

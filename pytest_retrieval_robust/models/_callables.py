"""A dual encoder from two plain callables: a remote service, an ONNX session, or any other code of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import EmbeddingError
from . import ModelCard, Prepared
from ._checkpoint import unit_rows
from ._pictures import resize_and_crop


class CallableEncoder:
    """Calls `encode_images` with float32 (B, 3, S, S) arrays on the 0..1 scale, and `encode_reports` with lists."""

    device = "cpu"

    def __init__(
        self,
        name: str,
        encode_images: Callable[[NDArray[np.float32]], Any],
        encode_reports: Callable[[list[str]], Any],
        *,
        size: int,
        prepare: Callable[[Image.Image], Prepared] | None,
        card: ModelCard,
    ) -> None:
        self.name, self.card = name, card
        self._images, self._reports = encode_images, encode_reports
        self._prepare = prepare or resize_and_crop(size, size, Image.Resampling.BICUBIC)

    def prepare(self, image: Image.Image) -> Prepared:
        return self._prepare(image)

    def encode_images(self, pixels: Tensor) -> Tensor:
        return self._rows("encode_images", self._images(pixels.float().cpu().numpy()), len(pixels))

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        return self._rows("encode_reports", self._reports(list(texts)), len(texts))

    def _rows(self, which: str, given: Any, count: int) -> Tensor:
        try:
            rows = given.detach().cpu() if isinstance(given, Tensor) else torch.from_numpy(np.array(given, np.float32))
        except (TypeError, ValueError) as error:
            raise EmbeddingError(
                f"Expected {which} of {self.name} to return an array of numbers, got a {type(given).__name__}. "
                "Return (B, D) rows, one for each input."
            ) from error
        if rows.ndim != 2 or len(rows) != count:
            raise EmbeddingError(
                f"Expected {which} of {self.name} to return ({count}, D) rows, got shape={tuple(rows.shape)}. "
                "Return one row for each input, in its order."
            )
        return unit_rows(rows)

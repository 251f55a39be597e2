"""A dual encoder from two plain callables.

They may call a remote service, an ONNX session, or any other code of the user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...core.errors import EmbeddingError, ModelError
from .. import ModelCard, Prepared
from .._files.attempt import attempt
from ..preparing import prepares_by
from .encoders import ShownEncoder, unit_rows
from .pictures import resize_and_crop, way_or_none

_NUMBERS = "fiub"
"""Kinds of numpy types that rows may be of: floats, integers and booleans."""


class CallableEncoder(ShownEncoder):
    """Calls `encode_images` with float32 (B, 3, S, S) arrays on the 0..1 scale, and
    `encode_reports` with lists.

    Each call gets an array of its own, which it may change. What it returns is copied
    at once: it may be a buffer that the next call fills again.
    """

    device = "cpu"
    may_work_elsewhere = True

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
        self.name = name
        self.card = card
        self._encode_images = encode_images
        self._encode_reports = encode_reports
        self._prepare = prepare or resize_and_crop(size, size, Image.Resampling.BICUBIC)

    @prepares_by(lambda encoder: way_or_none(encoder._prepare))
    def prepare(self, image: Image.Image) -> Prepared:
        prepared = self._prepare(image)
        if not isinstance(prepared, Prepared):
            raise ModelError(
                f"Expected prepare of {self.name} to return Prepared(pixels, frame),"
                f" got a {type(prepared).__name__}. Leave prepare out to resize and"
                " crop to a square."
            )
        return prepared

    def encode_images(self, pixels: Tensor) -> Tensor:
        # A copy, because the callable may write into it.
        own = np.array(pixels.detach().float().cpu().numpy(), copy=True, order="C")
        output = self._encode_images(own)
        return self._checked_rows("encode_images", output, len(pixels))

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        output = self._encode_reports(list(texts))
        return self._checked_rows("encode_reports", output, len(texts))

    def _checked_rows(self, method: str, output: Any, count: int) -> Tensor:
        """What a callable returned as unit rows; `EmbeddingError` unless it is (count, D)."""

        def refusal(got: str) -> EmbeddingError:
            return EmbeddingError(
                f"Expected {method} of {self.name} to return ({count}, D) rows of real"
                f" numbers, got {got}. Return one row for each input, in its order, as"
                " an array, a tensor or nested lists."
            )

        kind = type(output).__name__
        rows = attempt(
            lambda: _array(output),
            lambda _: refusal(f"a {kind} that is no array of numbers"),
        )
        # A cast would drop imaginary parts, and read numbers out of strings.
        if rows.dtype.kind not in _NUMBERS:
            raise refusal(f"a {kind} of dtype={rows.dtype}")
        if rows.ndim != 2 or len(rows) != count or rows.shape[1] == 0:
            raise refusal(f"a {kind} of shape={rows.shape}")
        # `astype` copies: the callable may use the memory of its output again.
        return unit_rows(torch.from_numpy(rows.astype(np.float32)))


def _array(output: Any) -> NDArray[Any]:
    if isinstance(output, Tensor):
        dense = output.detach().cpu()
        # numpy knows no bfloat16; complex numbers are refused by their own name.
        if dense.is_floating_point():
            dense = dense.float()
        return np.asarray(dense.numpy())
    return np.asarray(output)

"""A dual encoder put together from a picture, an image tower, a tokenizer and a text tower."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from PIL.Image import Image
from torch import Tensor, nn

from .. import LoadRequest, ModelCard, Prepared
from .._files.checkpoint import described_encoder, torch_dtype, unit_rows
from .._files.inputs import inputs_digest, token_ids_digest
from .pictures import Picture


class Tokens(Protocol):
    """Reports to token ids."""

    context: int
    digest: str
    """Of the vocabulary and its settings."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]: ...

    def lengths(self, texts: Sequence[str]) -> list[int]: ...


class ComposedEncoder:
    """Normalises and encodes on the device; texts of one length go together, so that
    nothing is ever padded.

    `images` maps (B, 3, S, S) normalised pixels to (B, D) features, `texts` (B, L)
    token ids to (B, D).
    """

    def __init__(
        self,
        name: str,
        card: ModelCard,
        request: LoadRequest,
        *,
        picture: Picture,
        images: nn.Module,
        tokens: Tokens,
        texts: nn.Module,
    ) -> None:
        self.name, self.device, self.precision = name, request.device, request.precision
        settings = [
            tokens.digest,
            tokens.context,
            request.options,
            picture.side,
            picture.mean,
            picture.std,
        ]
        self.card = replace(
            card,
            input_size=picture.side,
            context_length=tokens.context,
            inputs_sha256=inputs_digest([], settings),
            token_ids_sha256=token_ids_digest(tokens.ids),
        )
        self._picture, self._tokens = picture, tokens
        self._dtype = torch_dtype(request.precision)
        self._images = images.to(device=request.device, dtype=self._dtype).eval()
        self._texts = texts.to(device=request.device, dtype=self._dtype).eval()
        self._mean, self._std = (
            torch.tensor(constants, device=request.device).reshape(1, -1, 1, 1)
            for constants in (picture.mean, picture.std)
        )

    def __repr__(self) -> str:
        return described_encoder(self)

    def prepare(self, image: Image) -> Prepared:
        """The authors' own geometry."""
        return self._picture.prepare(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> what the authors' network is given, float32."""
        return (pixels - self._mean) / self._std

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        return self._rows(self._images(self.normalise(pixels).to(self._dtype)))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        ids = self._tokens.ids(texts)
        places: dict[int, list[int]] = defaultdict(list)
        for place, row in enumerate(ids):
            places[len(row)].append(place)
        rows: list[Tensor | None] = [None] * len(ids)
        for together in places.values():
            encoded = self._texts(
                torch.tensor([ids[place] for place in together], device=self.device)
            )
            for place, row in zip(together, encoded, strict=True):
                rows[place] = row
        return self._rows(torch.stack([row for row in rows if row is not None]))

    def _rows(self, features: Tensor) -> Tensor:
        """Features -> what similarity is made of: unit rows, whose dot product it is."""
        return unit_rows(features)

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        return sum(
            length > self._tokens.context for length in self._tokens.lengths(texts)
        )

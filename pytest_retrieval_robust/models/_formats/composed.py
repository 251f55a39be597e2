"""A dual encoder put together from a picture, an image tower, a tokenizer and a text tower."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL.Image import Image
from torch import Tensor, nn

from ...core.normalisation import Normalisation
from .. import LoadRequest, ModelCard, Prepared
from .._files.inputs import inputs_digest, token_ids_digest
from ..normalised import takes_normalised
from ..preparing import prepares_by
from .encoders import ShownEncoder, channel_constants, torch_dtype, unit_rows
from .pictures import Picture
from .remembered_tokens import RememberedTokens, Tokens


@dataclass(frozen=True)
class Parts:
    """What a `ComposedEncoder` is put together from."""

    picture: Picture
    image_tower: nn.Module
    """(B, 3, S, S) normalised pixels -> (B, D) features."""
    tokens: Tokens
    text_tower: nn.Module
    """(B, L) token ids without padding -> (B, D) features."""


@takes_normalised
class ComposedEncoder(ShownEncoder):
    """Normalises and encodes on the device.

    Texts of one length are encoded together, so that nothing is ever padded.
    """

    def __init__(
        self, name: str, card: ModelCard, request: LoadRequest, parts: Parts
    ) -> None:
        self.name = name
        self.device = request.device
        self.precision = request.precision
        self._picture = parts.picture
        # Sorting a gallery by length, encoding it and counting what is cut are three uses
        # of the same tokens.
        self._tokens = RememberedTokens(parts.tokens)
        self.card = _completed(card, request, parts)
        self._dtype = torch_dtype(request.precision)
        # Half precision holds for the towers; pixels are normalised in float32 before.
        self._images = self._placed(parts.image_tower)
        self._texts = self._placed(parts.text_tower)
        self._mean = channel_constants(parts.picture.mean, request.device)
        self._std = channel_constants(parts.picture.std, request.device)
        # One object, by which fills are kept for all levels.
        self._normalisation = Normalisation(self._mean, self._std, self._dtype)

    def _placed(self, tower: nn.Module) -> nn.Module:
        return tower.to(device=self.device, dtype=self._dtype).eval()

    @prepares_by(lambda encoder: encoder._picture.way)
    def prepare(self, image: Image) -> Prepared:
        """The authors' own geometry."""
        return self._picture.prepare(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> the authors' network's input, float32."""
        return (pixels - self._mean) / self._std

    @property
    def normalisation(self) -> Normalisation:
        """What `normalise` does, and the network's dtype."""
        self._normalisation = self._normalisation.of(self._mean, self._std)
        return self._normalisation

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        return self.encode_normalised(self.normalise(pixels).to(self._dtype))

    @torch.inference_mode()
    def encode_normalised(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) as the network takes them, of its dtype -> (B, D) rows."""
        return self._rows(self._images(pixels))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        ids = self._tokens.ids(texts)
        # A batch of one length needs no padding, so that a row never depends on its batch.
        positions_by_length: dict[int, list[int]] = defaultdict(list)
        for position, text_ids in enumerate(ids):
            positions_by_length[len(text_ids)].append(position)
        features: list[Tensor | None] = [None] * len(ids)
        for positions in positions_by_length.values():
            batch = [ids[position] for position in positions]
            encoded = self._texts(torch.tensor(batch, device=self.device))
            for position, row in zip(positions, encoded, strict=True):
                features[position] = row
        return self._rows(torch.stack([row for row in features if row is not None]))

    def _rows(self, features: Tensor) -> Tensor:
        """Features -> the rows that similarity takes: unit rows for the dot product."""
        return unit_rows(features)

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        lengths = self._tokens.lengths(texts)
        return sum(length > self._tokens.context for length in lengths)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids that each text is encoded as, special tokens among them."""
        return self._tokens.ids(texts)

    def token_lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text is encoded as: at most the context."""
        return [len(text_ids) for text_ids in self._tokens.ids(texts)]


def _completed(card: ModelCard, request: LoadRequest, parts: Parts) -> ModelCard:
    """The card with what follows from the picture and the tokenizer."""
    picture = parts.picture
    # What decides the numbers beside the weights and the authors' code.
    settings = [
        parts.tokens.digest,
        parts.tokens.context,
        request.options,
        picture.side,
        picture.mean,
        picture.std,
    ]
    return replace(
        card,
        input_size=picture.side,
        context_length=parts.tokens.context,
        inputs_sha256=inputs_digest([], settings),
        token_ids_sha256=token_ids_digest(parts.tokens.ids),
    )

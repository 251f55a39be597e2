"""An open_clip network as a dual encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import Normalize

from ....core.errors import ModelError
from ....core.normalisation import Normalisation
from ... import LoadRequest, ModelCard, Prepared
from ...normalised import takes_normalised
from ...preparing import prepares_by
from ..encoders import ShownEncoder, channel_constants, torch_dtype, unit_rows
from ..geometry import Geometry, Resize
from ..pictures import channels_first, eight_bit, require_shape
from .creating import Created
from .steps import TransformWay, is_geometry, steps_for_grey, way_of_steps

_RESIZES: dict[str, Resize] = {
    "squash": "exact",
    "longest": "longest",
    "shortest": "shortest",
}


@takes_normalised
class OpenClipEncoder(ShownEncoder):
    """An open_clip dual encoder.

    Geometry is its own transform's; normalisation and encoding are on the device.
    """

    def __init__(
        self, name: str, created: Created, request: LoadRequest, card: ModelCard
    ) -> None:
        self.name = name
        self.device = request.device
        self.precision = request.precision
        self._dtype = torch_dtype(request.precision)
        self._geometry = geometry_of(name, dict(created.model.visual.preprocess_cfg))
        self._model = created.model.to(device=self.device, dtype=self._dtype).eval()
        self._tokenizer = created.tokenizer
        self.card = replace(card, input_size=self._geometry.side)
        steps = created.preprocess.transforms
        self._geometry_steps = [step for step in steps if is_geometry(step)]
        self._grey_steps = steps_for_grey(self._geometry_steps)
        normalise = next(step for step in steps if isinstance(step, Normalize))
        self._mean = channel_constants(normalise.mean, self.device)
        self._std = channel_constants(normalise.std, self.device)
        # One object, by which fills are kept for all levels.
        self._normalisation = Normalisation(self._mean, self._std, self._dtype)

    @prepares_by(lambda encoder: encoder._way)
    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's transform declares, kept at 8 bits."""
        square = eight_bit(image)
        # Before open_clip's own transform, which would allocate it.
        require_shape(image, *self._geometry.resized(*image.size))
        steps = self._grey_steps
        if square.mode != "L" or steps is None:
            square = square.convert("RGB")
            steps = self._geometry_steps
        for step in steps:
            square = step(square)
        return Prepared(channels_first(square), self._geometry.frame(*image.size))

    @property
    def _way(self) -> TransformWay | None:
        """What `prepare` follows from; None with a step that is not known."""
        return way_of_steps(self._geometry, self._geometry_steps)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> the network's input, float32."""
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
        return unit_rows(self._model.encode_image(pixels))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(list(texts)).to(self.device)
        return unit_rows(self._model.encode_text(tokens))

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids that each text is encoded as, padded to the context."""
        ids: list[list[int]] = self._tokenizer(list(texts)).tolist()
        return ids

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        context = int(self._tokenizer.context_length)
        return sum(self._length(text) > context for text in texts)

    def _length(self, text: str) -> int:
        """Tokens of a text before it is cut, special tokens counted."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is None:
            # open_clip's own tokenizer adds the start and the end of the text later.
            return len(self._tokenizer.encode(text)) + 2
        output = inner(self._tokenizer.clean_fn(text), verbose=False)
        return len(output["input_ids"])


def geometry_of(name: str, config: dict[str, Any]) -> Geometry:
    """The checkpoint's declared resize; `ModelError` unless it leads to one fixed square."""
    size = config["size"]
    # open_clip writes one number, (height, width), or (channels, height, width).
    if isinstance(size, int):
        size = (size, size)
    height, width = tuple(size)[-2:]
    if height != width:
        raise ModelError(
            f"Expected a square input of {name}, got size={config['size']}. Register a"
            " loader of your own."
        )
    resize = _RESIZES[config.get("resize_mode") or "shortest"]
    return Geometry(resize, height, height)

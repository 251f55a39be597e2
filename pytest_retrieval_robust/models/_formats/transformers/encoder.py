"""A transformers network as a dual encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ....core.errors import ModelError
from ....core.foreign import described
from ....core.normalisation import Normalisation
from ... import LoadRequest, ModelCard, Prepared
from ..._files.attempt import attempt
from ..._files.inputs import inputs_digest, token_ids_digest, vocabulary_of
from ..._files.tokenizer import failing_tokenizer
from ...normalised import takes_normalised
from ...preparing import prepares_by
from ..encoders import ShownEncoder, channel_constants, torch_dtype, unit_rows
from ..pictures import Picture
from ..transformers_versions import pooled
from .class_token import spare_unread_tokens
from .text import cleaner, cleaning_of

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_SIGLIP_INPUTS = ("input_ids",)


@takes_normalised
class TransformersEncoder(ShownEncoder):
    """A transformers dual encoder.

    Geometry is its own image processor's; normalisation and encoding are on the device.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        picture: Picture,
        tokenizer: Any,
        request: LoadRequest,
        card: ModelCard,
    ) -> None:
        _require_dual(name, model)
        self.name = name
        self.device = request.device
        self.precision = request.precision
        self._picture = picture
        self._model = model.to(request.device).eval()
        self._dtype = torch_dtype(request.precision)
        self._tokenizer = tokenizer
        # Without a limit of its own, a tokenizer reports a huge one.
        self._context = min(card.context_length or 0, int(tokenizer.model_max_length))
        self._text_inputs = _text_inputs(model)
        self._cleaning = cleaning_of(model.config, tokenizer)
        self._clean = cleaner(self._cleaning)
        self._mean = channel_constants(picture.mean, request.device)
        self._std = channel_constants(picture.std, request.device)
        # One object, by which fills are kept for all levels.
        self._normalisation = Normalisation(self._mean, self._std, self._dtype)
        self.card = self._completed(card)
        self._require_one_space()
        spare_unread_tokens(self._model, picture.side)

    @prepares_by(lambda encoder: encoder._picture.way)
    def prepare(self, image: Image.Image) -> Prepared:
        """Resize and crop as the checkpoint's image processor declares, kept at 8 bits."""
        return self._picture.prepare(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> the network's input, float32."""
        return (pixels - self._mean) / self._std

    @property
    def normalisation(self) -> Normalisation:
        """What `normalise` does, and the network's dtype."""
        self._normalisation = self._normalisation.of(self._mean, self._std)
        return self._normalisation

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The text tower's input, on the CPU."""
        tokens = self._tokenizer(
            self._cleaned(texts),
            padding="max_length" if self._is_siglip else "longest",
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        )
        return {key: tokens[key] for key in self._text_inputs if key in tokens}

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        return self.encode_normalised(self.normalise(pixels).to(self._dtype))

    @torch.inference_mode()
    def encode_normalised(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) as the network takes them, of its dtype -> (B, D) rows."""
        output = self._model.get_image_features(pixel_values=pixels)
        return unit_rows(self._pooled(output))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        inputs = {key: ids.to(self.device) for key, ids in self.tokens(texts).items()}
        return unit_rows(self._pooled(self._model.get_text_features(**inputs)))

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids that each text is encoded as, special tokens among them."""
        # One by one: beside a longer text, a text is padded.
        return [self.tokens([text])["input_ids"][0].tolist() for text in texts]

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        output = self._tokenizer(self._cleaned(texts), truncation=False, verbose=False)
        return sum(len(row) > self._context for row in output["input_ids"])

    def _cleaned(self, texts: Sequence[str]) -> list[str]:
        return [self._clean(text) for text in texts]

    @property
    def _is_siglip(self) -> bool:
        return _is_siglip(self._model)

    def _pooled(self, output: Any) -> Tensor:
        """(B, D) of what the library returns as features."""
        features = pooled(output)
        # FLAVA projects every token: the first one stands for all of them.
        if features.ndim == 3 and self._model.config.model_type == "flava":
            return features[:, 0]
        return features

    def _completed(self, card: ModelCard) -> ModelCard:
        """The card with what follows from the picture and the tokenizer."""
        picture = self._picture
        settings = [
            card.inputs_sha256,
            self._cleaning,
            self._context,
            picture.side,
            picture.mean,
            picture.std,
        ]
        explain = partial(failing_tokenizer, self.name)
        return replace(
            card,
            input_size=picture.side,
            text_cleaning=self._cleaning,
            inputs_sha256=inputs_digest([], settings, vocabulary_of(self._tokenizer)),
            token_ids_sha256=attempt(self._ids_digest, explain),
        )

    def _ids_digest(self) -> str:
        return token_ids_digest(lambda texts: self.tokens(texts)["input_ids"].tolist())

    def _require_one_space(self) -> None:
        """Encode one image and one text, and compare their rows.

        Many models of the library fail only at their first image or text.
        """
        side = self._picture.side
        pixels = torch.zeros(1, 3, side, side, device=self.device)

        def explain(what: str, error: BaseException) -> ModelError:
            return ModelError(
                f"Expected a model of {self.name} that embeds {what}, got"
                f" {type(self._model).__name__}, which failed: {described(error)}. Pass"
                " a CLIP-like checkpoint with a fixed square input; if preprocessing"
                " sets size, leave it out."
            )

        image = attempt(
            lambda: self.encode_images(pixels),
            partial(explain, f"images of preprocessing.size={side}"),
        )
        text = attempt(lambda: self.encode_reports(["one"]), partial(explain, "texts"))
        if image.ndim != 2 or image.shape != text.shape:
            raise ModelError(
                f"Expected a model of {self.name} that embeds an image and a text as"
                f" one row each, of one width, got {type(self._model).__name__} with"
                f" shapes {tuple(image.shape)} and {tuple(text.shape)}. Pass a"
                " CLIP-like checkpoint, or encoder_from_callables."
            )


def _is_siglip(model: Any) -> bool:
    return str(model.config.model_type).startswith("siglip")


def _text_inputs(model: Any) -> tuple[str, ...]:
    """The tokenizer's results that the text tower takes."""
    # SigLIP was trained on padded texts without an attention mask: padding is part of
    # its input.
    if _is_siglip(model):
        return _SIGLIP_INPUTS
    # BERT's towers take token types. A tokenizer of transformers 4 also gives them to
    # networks that have none, and those warn of what they ignore.
    takes = signature(model.get_text_features).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in takes.values())
    return tuple(name for name in _INPUTS if takes_any or name in takes)


def _require_dual(name: str, model: Any) -> None:
    for method in ("get_image_features", "get_text_features"):
        if not hasattr(model, method):
            raise ModelError(
                "Expected a dual encoder with get_image_features and"
                f" get_text_features, got {type(model).__name__} for {name}. Pass a"
                " CLIP-like checkpoint."
            )

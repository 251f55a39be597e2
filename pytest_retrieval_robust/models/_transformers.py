"""Dual encoders through transformers: CLIP, SigLIP and every other with a fixed square input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from ..errors import ModelError, NotOnThisMachineError
from . import LoadRequest, ModelCard, Prepared
from ._checkpoint import (
    is_harmless,
    keys_in,
    licence_of,
    require_no_missing,
    sha256_of,
    torch_dtype,
    unit_rows,
    weight_files,
)
from ._geometry import Geometry
from ._hub import cached_folder


def load_pretrained(
    name: str, source: str, request: LoadRequest, *, revision: str | None = None, shown_source: str | None = None
) -> TransformersEncoder:
    """Load a folder or a hub repository in the layout of `save_pretrained`.

    Raises `NotOnThisMachineError` when it is not there and may not be fetched, `ModelError` when it is there and
    cannot be loaded whole: missing keys, truncated weights, no dual encoder, no fixed square input.
    """
    try:
        parts = _read(source, revision, request)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise _reading_error(name, source, request, error) from error
    except Exception as error:  # safetensors and tokenizers raise bare Exceptions for damaged files
        if type(error).__module__.startswith(("safetensors", "tokenizers")) or type(error) is Exception:
            raise _reading_error(name, source, request, error) from error
        raise
    model, loading, processor, tokenizer = parts
    require_no_missing(name, sorted(loading["missing_keys"]))
    return TransformersEncoder(name, model, processor, tokenizer, request, _card(source, shown_source, model, loading))


def _read(source: str, revision: str | None, request: LoadRequest) -> tuple[Any, dict[str, Any], Any, Any]:
    where: dict[str, Any] = {"revision": revision, "local_files_only": not request.may_download}
    model, loading = AutoModel.from_pretrained(
        source, dtype=torch_dtype(request.precision), output_loading_info=True, trust_remote_code=False, **where
    )
    processor = AutoImageProcessor.from_pretrained(source, backend="pil", trust_remote_code=False, **where)
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    return model, loading, processor, tokenizer


def _reading_error(name: str, source: str, request: LoadRequest, error: Exception) -> Exception:
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if not Path(source).is_absolute() and not Path(source).exists() and cached_folder(source) is None:
        how = "allow downloads (--robust-download), " if not request.may_download else ""
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub, got: {first_line} "
            f"To bring them: {how}run `hf download {source}` where there is a network, or pass local-dir:FOLDER."
        )
    return ModelError(
        f"Expected a whole transformers checkpoint for {name}, got {type(error).__name__}: {first_line} "
        "Copy or download the folder again, and compare its sha256 with the publisher's."
    )


def _card(source: str, shown_source: str | None, model: Any, loading: dict[str, Any]) -> ModelCard:
    commit = getattr(model.config, "_commit_hash", None)
    folder = Path(source) if Path(source).exists() else cached_folder(source, commit)
    files = weight_files(folder) if folder else []
    unexpected = sorted(key for key in loading["unexpected_keys"] if not is_harmless(key))
    # transformers drops some harmless keys itself and does not say so: the file's own list does.
    dropped = {key for key in keys_in(files) if is_harmless(key)} - set(model.state_dict())
    return ModelCard(
        source=shown_source or source,
        revision=commit or (folder.name if folder and folder.parent.name == "snapshots" else None),
        sha256=sha256_of(files),
        licence=licence_of(folder) if folder else None,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        context_length=_text_config(model).max_position_embeddings,
        unexpected_keys=tuple(unexpected),
        dropped_keys=tuple(sorted(dropped)),
    )


def _text_config(model: Any) -> Any:
    return getattr(model.config, "text_config", model.config)


def geometry_of(name: str, processor: Any) -> Geometry:
    """The processor's declared resize and crop; `ModelError` unless they lead to one fixed square."""
    size = dict(processor.size or {})
    crop = dict(processor.crop_size or {}) if getattr(processor, "do_center_crop", None) else {}
    side, exact = crop.get("height"), size.get("height")
    if not processor.do_resize or getattr(processor, "do_pad", None) or crop.get("width") != side:
        raise _no_square(name, processor)
    if size.get("shortest_edge") and side and not size.get("longest_edge"):
        return Geometry("shortest", size["shortest_edge"], side, "floor")
    if exact and exact == size.get("width"):
        return Geometry("exact", exact, side or exact, "floor")
    raise _no_square(name, processor)


def _no_square(name: str, processor: Any) -> ModelError:
    return ModelError(
        f"Expected an image processor of {name} that resizes to a fixed square, got "
        f"do_resize={processor.do_resize}, size={processor.size}, "
        f"crop_size={getattr(processor, 'crop_size', None)}. "
        "Use a checkpoint with a fixed square input, or register a loader of your own."
    )


class TransformersEncoder:
    """A transformers dual encoder: geometry by its own image processor, normalisation and encoding on the device."""

    def __init__(
        self, name: str, model: Any, processor: Any, tokenizer: Any, request: LoadRequest, card: ModelCard
    ) -> None:
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise ModelError(
                f"Expected a dual encoder with get_image_features and get_text_features, got "
                f"{type(model).__name__} for {name}. Pass a CLIP-like checkpoint."
            )
        self.name, self.device = name, request.device
        self._geometry = geometry_of(name, processor)
        self.card = ModelCard(**{**card.__dict__, "input_size": self._geometry.side})
        self._model = model.to(request.device).eval()
        self._dtype = torch_dtype(request.precision)
        self._processor, self._tokenizer = processor, tokenizer
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(processor.image_mean, device=request.device).reshape(shape)
        self._std = torch.tensor(processor.image_std, device=request.device).reshape(shape)
        if not processor.do_normalize:
            self._mean, self._std = torch.zeros_like(self._mean), torch.ones_like(self._std)

    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's image processor declares, kept at 8 bits."""
        shaped = self._processor(
            images=image.convert("RGB"), do_rescale=False, do_normalize=False, return_tensors="np"
        )["pixel_values"][0]
        pixels = np.clip(np.asarray(shaped), 0, 255).astype(np.uint8)
        return Prepared(pixels, self._geometry.frame(*image.size))

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        normalised = ((pixels - self._mean) / self._std).to(self._dtype)
        return unit_rows(_pooled(self._model.get_image_features(pixel_values=normalised)))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(
            list(texts),
            padding="max_length" if self._is_siglip else "longest",
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        )
        wanted = ("input_ids",) if self._is_siglip else ("input_ids", "attention_mask", "token_type_ids")
        inputs = {key: tokens[key].to(self.device) for key in wanted if key in tokens}
        return unit_rows(_pooled(self._model.get_text_features(**inputs)))

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        lengths = (len(ids) for ids in self._tokenizer(list(texts), truncation=False, verbose=False)["input_ids"])
        return sum(length > self._context for length in lengths)

    @property
    def _context(self) -> int:
        limit = self.card.context_length
        assert limit is not None
        return min(limit, int(self._tokenizer.model_max_length))

    @property
    def _is_siglip(self) -> bool:
        # SigLIP was trained on padded texts without an attention mask: padding is part of its input.
        return str(self._model.config.model_type).startswith("siglip")


def _pooled(features: Any) -> Tensor:
    """transformers 5 gives an output object where version 4 gave the tensor."""
    tensor = features if isinstance(features, Tensor) else features.pooler_output
    assert isinstance(tensor, Tensor)
    return tensor

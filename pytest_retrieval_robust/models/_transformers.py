"""Dual encoders through transformers: CLIP, SigLIP and every other with a fixed square input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from ..errors import ConfigError, ModelError, NotOnThisMachineError
from . import LoadRequest, ModelCard, Prepared
from ._checkpoint import (
    is_harmless,
    keys_in,
    licence_of,
    require_fit,
    require_no_missing,
    sha256_of,
    torch_dtype,
    unit_rows,
    weight_files,
)
from ._geometry import Geometry
from ._hub import cached_folder, how_to_bring, no_tokenizer
from ._pictures import (
    FILTERS,
    WITHOUT_ANTIALIAS,
    Picture,
    Prepare,
    checked_overrides,
    shaped,
    stretch_without_antialias,
)


def load_pretrained(
    name: str,
    source: str,
    request: LoadRequest,
    *,
    revision: str | None = None,
    shown_source: str | None = None,
    trust_remote_code: bool = False,
) -> TransformersEncoder:
    """Load a folder or a hub repository in the layout of `save_pretrained`.

    `preprocessing` of the request's options overrides what its image processor declares (`_pictures.OVERRIDES`), and
    the request's tokenizer replaces its own. `trust_remote_code` runs Python code of the repository.

    Raises `NotOnThisMachineError` when it is not there and may not be fetched, `ModelError` when it is there and
    cannot be loaded whole: missing keys, truncated weights, no dual encoder, no fixed square input.
    """
    try:
        parts = _read(name, source, revision, request, trust_remote_code)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise _reading_error(name, source, revision, request, error) from error
    except Exception as error:  # safetensors and tokenizers raise bare Exceptions for damaged files
        if type(error).__module__.startswith(("safetensors", "tokenizers")) or type(error) is Exception:
            raise _reading_error(name, source, revision, request, error) from error
        raise
    model, loading, processor, tokenizer = parts
    require_no_missing(name, sorted(loading["missing_keys"]))
    require_fit(name, len(tokenizer), getattr(_text_config(model), "vocab_size", None), request.tokenizer or "its own")
    return TransformersEncoder(name, model, processor, tokenizer, request, _card(source, shown_source, model, loading))


def _read(
    name: str, source: str, revision: str | None, request: LoadRequest, trust_remote_code: bool
) -> tuple[Any, dict[str, Any], Any, Any]:
    may: dict[str, Any] = {"local_files_only": not request.may_download, "trust_remote_code": trust_remote_code}
    where: dict[str, Any] = {**may, "revision": revision}
    model, loading = AutoModel.from_pretrained(
        source, dtype=torch_dtype(request.precision), output_loading_info=True, **where
    )
    processor = AutoImageProcessor.from_pretrained(source, backend="pil", **where)
    if request.tokenizer is None:
        return model, loading, processor, AutoTokenizer.from_pretrained(source, **where)
    return model, loading, processor, _replaced_tokenizer(name, request.tokenizer, may)


def _replaced_tokenizer(name: str, source: str, may: dict[str, Any]) -> Any:
    try:
        return AutoTokenizer.from_pretrained(source, **may)
    except Exception as error:  # a damaged folder comes as any of a dozen types
        raise no_tokenizer(name, source, f"{type(error).__name__}: {error}") from error


def _reading_error(name: str, source: str, revision: str | None, request: LoadRequest, error: Exception) -> Exception:
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if "custom code" in str(error) or "trust_remote_code" in str(error):
        return ModelError(
            f"Expected a checkpoint of {name} that needs no code of its own, got one that does; it was not run. If you "
            "have read it and trust it, set trust_remote_code = true in its [models.NAME] table."
        )
    if not Path(source).is_absolute() and not Path(source).exists() and cached_folder(source, revision) is None:
        how = "" if request.may_download else "Allow downloads (--robust-download), or: "
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub, got: {first_line} "
            f"{how}{how_to_bring(source, error)}, or pass local-dir:FOLDER."
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


def picture_of(name: str, processor: Any, overrides: Mapping[str, Any]) -> Picture:
    """The processor's declared resize, crop and constants, overridden; `ModelError` without one fixed square.

    A crop is centred as OpenAI's and open_clip's transforms centre it, so that the same CLIP gives the same embeddings
    through either library: transformers' own processor crops one pixel off where the margin is 3 modulo 4.
    """
    geometry = geometry_of(name, processor)
    _require_unit_scale(name, processor)
    side = overrides.get("size", geometry.side)
    resize = overrides.get("resize", geometry.resize)
    if "size" in overrides or "resize" in overrides:
        geometry = Geometry(resize, side, side)
    prepare = _prepare(name, geometry, overrides.get("interpolation"), Resampling(processor.resample))
    mean, std = ((0.0,) * 3, (1.0,) * 3)
    if processor.do_normalize:
        mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    return Picture(prepare, side, tuple(overrides.get("mean", mean)), tuple(overrides.get("std", std)))


def _prepare(name: str, geometry: Geometry, interpolation: str | None, declared: Resampling) -> Prepare:
    if interpolation != WITHOUT_ANTIALIAS:
        return shaped(geometry, FILTERS.get(interpolation or "", declared))
    if geometry.resize != "exact" or geometry.size != geometry.side:
        raise ConfigError(
            f"Expected a model that stretches images to its square for interpolation={interpolation!r}, got {name} "
            f'with resize={geometry.resize!r}. Add resize = "exact", or choose another interpolation.'
        )
    return stretch_without_antialias(geometry.side)


def _require_unit_scale(name: str, processor: Any) -> None:
    """Pixels are put on the 0..1 scale here; a processor that declares another one would be disobeyed."""
    factor = getattr(processor, "rescale_factor", None)
    shifts = bool(getattr(processor, "rescale_offset", False))
    if not processor.do_rescale or shifts or factor is None or abs(factor * 255 - 1) > 1e-6:
        raise ModelError(
            f"Expected an image processor of {name} that rescales to 0..1 (rescale_factor=1/255, no offset), got "
            f"{type(processor).__name__} with do_rescale={processor.do_rescale}, rescale_factor={factor}, "
            f"rescale_offset={shifts}. Register a loader of your own, or plain callables."
        )


def geometry_of(name: str, processor: Any) -> Geometry:
    """The processor's declared resize and crop; `ModelError` unless they lead to one fixed square."""
    size = dict(getattr(processor, "size", None) or {})
    crop = dict(processor.crop_size or {}) if getattr(processor, "do_center_crop", None) else {}
    side, exact = crop.get("height"), size.get("height")
    if not processor.do_resize or getattr(processor, "do_pad", None) or crop.get("width") != side:
        raise _no_square(name, processor)
    if size.get("shortest_edge") and side and not size.get("longest_edge"):
        return Geometry("shortest", size["shortest_edge"], side)
    if exact and exact == size.get("width"):
        return Geometry("exact", exact, side or exact)
    raise _no_square(name, processor)


def _no_square(name: str, processor: Any) -> ModelError:
    most = getattr(processor, "max_num_patches", None)
    patches = "" if most is None else f", max_num_patches={most} (its resolution varies with the image)"
    return ModelError(
        f"Expected an image processor of {name} that resizes to a fixed square, got "
        f"{type(processor).__name__} with do_resize={processor.do_resize}, "
        f"size={getattr(processor, 'size', None)}, crop_size={getattr(processor, 'crop_size', None)}{patches}. "
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
        overrides = checked_overrides(name, request.options.get("preprocessing", {}))
        self._picture = picture_of(name, processor, overrides)
        self.card = ModelCard(**{**card.__dict__, "input_size": self._picture.side})
        self._model = model.to(request.device).eval()
        self._dtype = torch_dtype(request.precision)
        self._tokenizer = tokenizer
        self._mean, self._std = (
            torch.tensor(constants, device=request.device).reshape(1, 3, 1, 1)
            for constants in (self._picture.mean, self._picture.std)
        )
        if "size" in overrides:
            self._require_size()

    def _require_size(self) -> None:
        """Most transformers take their own size alone, and say so only when they are given an image."""
        side = self._picture.side
        try:
            self.encode_images(torch.zeros(1, 3, side, side, device=self.device))
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"Expected an input size that {self.name} was built for, got preprocessing.size={side}: "
                f"{str(error).splitlines()[0]} Leave size out."
            ) from error

    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's image processor declares, kept at 8 bits."""
        return self._picture.prepare(image)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> what the network is given, float32."""
        return (pixels - self._mean) / self._std

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        normalised = self.normalise(pixels).to(self._dtype)
        return unit_rows(_pooled(self._model.get_image_features(pixel_values=normalised)))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(
            self._cleaned(texts),
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
        ids = self._tokenizer(self._cleaned(texts), truncation=False, verbose=False)["input_ids"]
        return sum(len(row) > self._context for row in ids)

    def _cleaned(self, texts: Sequence[str]) -> list[str]:
        """CLIP's texts as OpenAI's code cleans them (`&amp;` is `&`), which transformers leaves out."""
        if not type(self._tokenizer).__name__.startswith("CLIPTokenizer"):
            return list(texts)
        from open_clip.tokenizer import basic_clean

        return [basic_clean(text) for text in texts]

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

"""Dual encoders through open_clip, with the preprocessing that the checkpoint declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import Normalize, ToTensor

from ..catalogue import unknown_name
from ..errors import ConfigError, ModelError, NotOnThisMachineError
from . import LoadRequest, ModelCard, Prepared
from ._building import fill
from ._checkpoint import is_harmless, keys_in, licence_of, require_fit, sha256_of, torch_dtype, unit_rows
from ._geometry import Geometry
from ._hub import (
    cached_folder,
    has_vocabulary,
    missing_text_tower,
    no_tokenizer,
    open_clip_text,
    repository_folder,
)
from ._identify import looks_like
from ._pictures import FILTERS, WITHOUT_ANTIALIAS, checked_overrides, eight_bit, require_shape
from ._weights_file import read_weights, weights_in


def load_tag(name: str, architecture: str, tag: str, request: LoadRequest) -> OpenClipEncoder:
    """An architecture with one of open_clip's published weight tags, read by open_clip's own strict loader."""
    published = open_clip.pretrained.get_pretrained_cfg(architecture, tag)
    if not published:
        known = open_clip.list_pretrained_tags_by_model(architecture)
        raise ConfigError(
            f"Expected an open_clip architecture with a published tag, got open_clip:{architecture}/{tag}. "
            f"Tags of {architecture}: {', '.join(known) or 'none'}."
        )
    # Weights trained with QuickGELU fit an architecture without it: open_clip would warn, and compute something else.
    activation = bool(published.get("quick_gelu"))
    model, preprocess, tokenizer = _created(name, architecture, request, pretrained=tag, force_quick_gelu=activation)
    with _offline_unless(request.may_download):
        file = Path(open_clip.pretrained.download_pretrained(published))  # in the cache by now
    source = f"open_clip:{architecture}/{tag}"
    card = _card(model, tokenizer, source, sha256_of([file] if file.is_file() else []), file.parent)
    # open_clip's reader refuses unexpected keys, and drops the harmless ones without a word.
    dropped = {key for key in keys_in([file]) if is_harmless(key)} - set(model.state_dict())
    card = replace(card, dropped_keys=tuple(sorted(dropped)))
    return OpenClipEncoder(name, model, preprocess, tokenizer, request, card)


def load_folder(name: str, folder: Path, request: LoadRequest, *, shown_source: str) -> OpenClipEncoder:
    """A folder with `open_clip_config.json` and weights, as open_clip's `push_to_hub` writes it."""
    return _load(name, f"local-dir:{folder}", folder, request, shown_source, folder)


def load_repository(name: str, repository: str, request: LoadRequest, revision: str | None = None) -> OpenClipEncoder:
    """A hub repository in open_clip's layout at a revision, fetched where it may be."""
    folder = cached_folder(repository, revision)
    if folder is None:
        wanted = ["open_clip_*", "*.json", "*.txt", "README.md"]
        folder = repository_folder(name, repository, request, wanted, revision)
    shown = f"hf:{repository}" if revision is None else f"hf:{repository}@{revision}"
    return _load(name, f"local-dir:{folder}", folder, request, shown, folder)


def load_file(name: str, architecture: str, checkpoint: Path, request: LoadRequest, *, source: str) -> OpenClipEncoder:
    """A checkpoint of one's own for an architecture of `open_clip.list_models()`: a file or a folder with one.

    It may be as open_clip's training writes it (`state_dict`, keys with `module.`). The architecture decides the
    activation: weights that began as OpenAI's need a `-quickgelu` one, and fit the other without a word.
    """
    if architecture not in open_clip.list_models():
        raise unknown_name("open_clip architecture", architecture, open_clip.list_models())
    return _load(name, architecture, checkpoint, request, source, checkpoint if checkpoint.is_dir() else None)


def _load(
    name: str, architecture: str, weights: Path, request: LoadRequest, source: str, folder: Path | None
) -> OpenClipEncoder:
    lacking = None if folder is None or request.may_download else missing_text_tower(name, folder)
    if lacking is not None:
        raise NotOnThisMachineError.because(lacking)
    # open_clip itself would only warn of a folder without weights, and leave them random.
    model, preprocess, tokenizer = _created(name, architecture, request, load_weights=False, pretrained_text=False)
    with read_weights(name, weights) as stored:
        tensors = _as_the_model_names_them(model, weights_in(stored.content))
        fit = fill(name, model, tensors, stored, looks_like(tensors))
    card = _card(model, tokenizer, source, stored.sha256, folder)
    card = replace(card, unexpected_keys=fit.unexpected, dropped_keys=fit.dropped)
    return OpenClipEncoder(name, model, preprocess, tokenizer, request, card)


def _created(name: str, architecture: str, request: LoadRequest, **options: Any) -> tuple[Any, Any, Any]:
    """open_clip's network, its transform for evaluation and its tokenizer."""
    wanted = checked_overrides(name, request.options.get("preprocessing", {}))
    overrides = {_ARGUMENTS[key]: value for key, value in wanted.items()}
    if wanted.get("interpolation") == WITHOUT_ANTIALIAS:
        raise unknown_name("interpolation of open_clip", WITHOUT_ANTIALIAS, FILTERS)
    if "image_resize_mode" in overrides:
        overrides["image_resize_mode"] = _RESIZE_MODES[overrides["image_resize_mode"]]
    with _offline_unless(request.may_download):
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                architecture, device="cpu", precision="fp32", weights_only=True, **options, **overrides
            )
            tokenizer = _tokenizer(name, architecture, request.tokenizer)
        except (ConfigError, NotOnThisMachineError):
            raise
        except Exception as error:  # open_clip lets through whatever its readers raise
            raise _loading_error(name, error) from error
    if isinstance(tokenizer, HFTokenizer):
        require_fit(name, len(tokenizer.tokenizer), _embedding_rows(model), request.tokenizer or "its own")
    return model, preprocess, tokenizer


def _embedding_rows(model: Any) -> int | None:
    text = getattr(model, "text", model)
    own = getattr(text, "token_embedding", None)
    table = own if own is not None else text.transformer.get_input_embeddings()
    return getattr(table, "num_embeddings", None)


def _tokenizer(name: str, architecture: str, given: str | None) -> Any:
    """The one given; else a folder's own, or the one that its configuration names; else open_clip's."""
    folder = Path(architecture.removeprefix("local-dir:"))
    if folder.is_dir():
        text = open_clip_text(folder)
    else:
        text = (open_clip.get_model_config(architecture) or {}).get("text_cfg", {})
    named = text.get("hf_tokenizer_name")
    if given is not None and not named:
        raise ConfigError(
            f"Expected no tokenizer for {name}, whose text tower has open_clip's own, got tokenizer={given!r}. "
            "Leave it out."
        )
    if named and (given is not None or (folder.is_dir() and not has_vocabulary(folder))):
        source = given or str(named)
        try:
            return HFTokenizer(
                source,
                context_length=text.get("context_length", DEFAULT_CONTEXT_LENGTH),
                tokenizer_mode=text.get("tokenizer_mode"),
                **text.get("tokenizer_kwargs", {}),
            )
        except Exception as error:  # a damaged folder comes as any of a dozen types
            raise no_tokenizer(name, source, f"{type(error).__name__}: {error}") from error
    return open_clip.get_tokenizer(architecture)


_ARGUMENTS = {
    "mean": "image_mean",
    "std": "image_std",
    "interpolation": "image_interpolation",
    "resize": "image_resize_mode",
    "size": "force_image_size",
}
_RESIZE_MODES = {"exact": "squash", "longest": "longest", "shortest": "shortest"}


def _as_the_model_names_them(model: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefix of distributed training, and with the text tower where this model has it."""
    if tensors and all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): tensor for key, tensor in tensors.items()}
    if "positional_embedding" in tensors and not hasattr(model, "positional_embedding"):
        tensors = open_clip.model.convert_to_custom_text_state_dict(tensors)
    if "logit_scale" in tensors:  # one number, in two shapes
        tensors = {**tensors, "logit_scale": tensors["logit_scale"].reshape(model.logit_scale.shape)}
    return tensors


def _card(model: Any, tokenizer: Any, source: str, sha256: str | None, folder: Path | None) -> ModelCard:
    return ModelCard(
        source=source,
        revision=folder.name if folder is not None and folder.parent.name == "snapshots" else None,
        sha256=sha256,
        licence=None if folder is None else licence_of(folder),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        context_length=int(tokenizer.context_length),
    )


def _loading_error(name: str, error: Exception) -> Exception:
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    absent = (LocalEntryNotFoundError, OfflineModeIsEnabled)
    if isinstance(error, absent) or isinstance(error.__cause__, absent) or "Failed to download" in str(error):
        return NotOnThisMachineError(
            f"Expected the weights of {name} in the Hugging Face cache or on the hub, got: {first_line} "
            "Run once where there is a network, or allow downloads (--robust-download)."
        )
    return ModelError(
        f"Expected a whole open_clip checkpoint for {name}, got {type(error).__name__}: {first_line} "
        "The architecture and the checkpoint must belong together; load or download the matching one."
    )


class _offline_unless:
    """open_clip has no switch for offline use: for the time of a load, the hub's own one is set."""

    def __init__(self, may_download: bool) -> None:
        self._may_download = may_download

    def __enter__(self) -> None:
        from huggingface_hub import constants

        self._before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = self._before or not self._may_download

    def __exit__(self, *_: object) -> None:
        from huggingface_hub import constants

        constants.HF_HUB_OFFLINE = self._before


def geometry_of(name: str, config: dict[str, Any]) -> Geometry:
    """The checkpoint's declared resize; `ModelError` unless it leads to one fixed square."""
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    if height != width:
        raise ModelError(f"Expected a square input of {name}, got size={size}. Register a loader of your own.")
    resize = {"squash": "exact", "longest": "longest", "shortest": "shortest"}[config.get("resize_mode") or "shortest"]
    return Geometry(resize, height, height)  # type: ignore[arg-type]  # one of the three, by the table


class OpenClipEncoder:
    """An open_clip dual encoder: geometry by its own transform, normalisation and encoding on the device."""

    def __init__(
        self, name: str, model: Any, preprocess: Any, tokenizer: Any, request: LoadRequest, card: ModelCard
    ) -> None:
        self.name, self.device = name, request.device
        config = dict(model.visual.preprocess_cfg)
        self._geometry = geometry_of(name, config)
        self.card = ModelCard(**{**card.__dict__, "input_size": self._geometry.side})
        self._dtype = torch_dtype(request.precision)
        self._model = model.to(device=request.device, dtype=self._dtype).eval()
        self._tokenizer = tokenizer
        self._shape = [step for step in preprocess.transforms if _is_geometry(step)]
        normalise = next(step for step in preprocess.transforms if isinstance(step, Normalize))
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(normalise.mean, device=request.device).reshape(shape)
        self._std = torch.tensor(normalise.std, device=request.device).reshape(shape)

    def prepare(self, image: Image) -> Prepared:
        """Resize and crop as the checkpoint's transform declares, kept at 8 bits."""
        shaped = eight_bit(image).convert("RGB")
        require_shape(image, *self._geometry.resized(*image.size))
        for step in self._shape:
            shaped = step(shaped)
        pixels = np.ascontiguousarray(np.asarray(shaped, dtype=np.uint8).transpose(2, 0, 1))
        return Prepared(pixels, self._geometry.frame(*image.size))

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) on the 0..1 scale -> what the network is given, float32."""
        return (pixels - self._mean) / self._std

    @torch.inference_mode()
    def encode_images(self, pixels: Tensor) -> Tensor:
        return unit_rows(self._model.encode_image(self.normalise(pixels).to(self._dtype)))

    @torch.inference_mode()
    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(list(texts)).to(self.device)
        return unit_rows(self._model.encode_text(tokens))

    def truncated(self, texts: Sequence[str]) -> int:
        """How many texts are longer than the context, special tokens counted."""
        context = int(self._tokenizer.context_length)
        return sum(self._length(text) > context for text in texts)

    def _length(self, text: str) -> int:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return len(inner(self._tokenizer.clean_fn(text), verbose=False)["input_ids"])
        return len(self._tokenizer.encode(text)) + 2  # start and end of text


def _is_geometry(step: Any) -> bool:
    return not isinstance(step, Normalize | ToTensor)
